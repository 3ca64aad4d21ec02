from helpers.slices import slices

from landscape.plots.drawing.store_names import name_shared, names_apart


def test_an_optimizer_has_the_name_of_its_run_beside_that_of_a_class():
    adam, sgd = ({"optimizer": name} for name in ("adam", "sgd"))
    recorded = slices().assign_attrs(optimizer="AdamW", run=adam)
    probed = slices().assign_attrs(optimizer="adam", run=adam)
    assert "Adam" in name_shared([recorded, probed]).split(", ")
    other = slices().assign_attrs(optimizer="sgd", run=sgd)
    assert [each.split(", ")[0] for each in names_apart([recorded, other])] == ["Adam", "SGD"]


def test_weights_that_are_no_averages_have_no_name():
    plain, averaged = (slices().assign_attrs(weights=name) for name in ("plain", "ema"))
    first, second = names_apart([plain, averaged])
    assert "plain" not in first
    assert second == "ema"
