import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from landscape.errors import InvalidValueError
from landscape.plots import plot_compare, styled


def probed(make, origin="before-step", policy=None, draws=2, **settings):
    dataset = make(checkpoints=3, draws=draws)
    if policy:
        dataset["batch_norm"][:] = policy
    return dataset.assign_attrs(settings={"origin": origin, **settings})


def trained(make, digest="d1d1d1d1", probe=None, **run):
    """A probe of the run of these settings."""
    run = {"optimizer": "sgd", "learning_rate": 0.1, "options": {}, "seed": 0, **run}
    attributes = {"optimizer": "sgd", "run": run, "digests": {"1953": digest}}
    return probed(make, **(probe or {})).assign_attrs(attributes)


def names(stores, **options):
    return [title[0] for title in titles(plot_compare(stores, **options))]


def titles(panels):
    return [panel.get_title().splitlines() for panel in panels]


def test_a_panel_a_store_named_by_what_sets_it_apart(make):
    stores = [
        probed(make, origin, policy)
        for origin in ("before-step", "after-step")
        for policy in ("batch", "running", "recalibrated")
    ]
    panels = plot_compare(stores)
    assert [" ".join(title[:-1]) for title in titles(panels)] == [
        f"{origin} the step, batch norm {policy}"
        for origin in ("before", "after")
        for policy in ("with batch statistics", "with running statistics", "recalibrated")
    ]
    figure = panels[0].get_figure()
    assert figure.get_suptitle() == "synthetic, none, iteration 1953 (epoch 4)"
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert [bool(panel.get_xlabel()) for panel in panels] == [False] * 3 + [True] * 3
    assert [bool(panel.get_ylabel()) for panel in panels] == [True, False, False] * 2
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["same batch", "other batch 1", "other batch 2", "big batch", "validation"]


def test_the_curves_are_those_of_each_store(make):
    first, second = probed(make), probed(make, batch_size=64)
    second["accuracy"][:] = 0.25
    panels = plot_compare([first, second], checkpoint=3906)
    for panel, dataset in zip(panels, (first, second), strict=True):
        lines = [line for line in panel.lines if line.get_gid() == "curve"]
        values = dataset["accuracy"].isel(checkpoint=2).mean("draw")
        for line, name in zip(lines, dataset["evaluation_set"].values, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), values.sel(evaluation_set=name))


def test_bias_and_gap_are_written_into_the_panel(make):
    dataset = probed(make)
    levels = {"same_batch": 0.9, "other_batch_1": 0.7, "other_batch_2": 0.5, "big_batch": 0.625}
    for name, level in (levels | {"validation": 0.75}).items():
        dataset["accuracy"].loc[{"evaluation_set": name}] = level
    (panel,) = plot_compare([dataset])
    assert panel.get_title().splitlines()[-1] == "at 0: bias 0.3, gap −0.125"
    few = dataset.sel(evaluation_set=["same_batch", "big_batch"])
    (panel,) = plot_compare([few])
    assert "bias" not in panel.get_title()
    assert "gap" not in panel.get_title()


def test_one_policy_that_differs_is_named_with_its_set(make):
    panels = plot_compare([probed(make), probed(make, policy="batch")])
    assert titles(panels)[0][0] == "batch norm validation running"


def test_runs_are_told_apart_by_their_settings(make):
    stores = [
        trained(make),
        trained(make, learning_rate=0.5, seed=1, digest="d2d2d2d2"),
        trained(make, options={"momentum": 0.9}, digest="d3d3d3d3"),
    ]
    assert names(stores) == [
        "learning rate 0.1",
        "learning rate 0.5",
        "learning rate 0.1, momentum 0.9",
    ]
    assert plot_compare(stores)[0].get_figure().get_suptitle().startswith("synthetic, SGD, iter")


def test_seeds_of_run_and_probe_tell_apart_what_nothing_else_does(make):
    stores = [
        trained(make, probe={"seed": 0}),
        trained(make, probe={"seed": 5}),
        trained(make, probe={"seed": 5}, seed=3, digest="d2d2d2d2"),
        trained(make, probe={"seed": 7}, epochs=9),
    ]
    assert names(stores) == [
        "run seed 0, probe seed 0",
        "run seed 0, probe seed 5",
        "run seed 3",
        "9 epochs",
    ]


def test_checkpoints_of_which_no_more_is_known_are_told_apart_by_digest(make):
    stores = [trained(make), trained(make, digest="e5e5e5e5"), trained(make, origin="after-step")]
    assert names(stores[:2]) == ["checkpoint d1d1d1", "checkpoint e5e5e5"]
    unknown = [each.assign_attrs(run={}) for each in stores[:2]]
    assert names([stores[1], unknown[1]])[0].startswith("at 0")
    other = unknown[1].assign_attrs(settings={"origin": "after-step"})
    assert names([unknown[0], other]) == [
        "checkpoint d1d1d1, before the step",
        "checkpoint e5e5e5, after the step",
    ]


def test_a_batch_size_is_named_once_unless_that_of_the_training_is_another(make):
    stores = [
        trained(make, probe={"batch_size": probe}, batch_size=run)
        for run, probe in [(8, 8), (4, 4)]
    ]
    assert names(stores) == ["batch size 8", "batch size 4"]
    stores.append(trained(make, probe={"batch_size": 8}, batch_size=4))
    assert names(stores)[1:] == [
        "training batch size 4, batch size 4",
        "training batch size 4, batch size 8",
    ]


def test_what_axes_and_legend_show_is_not_named(make):
    every = ["same_batch", "other_batch", "big_batch", "validation"]
    policies = dict.fromkeys(every, "batch") | {"validation": "running"}
    settings = {"step_sizes": [-1, 0, 1], "sets": every, "batch_norm": policies}
    first = probed(make, **settings)
    second = probed(make, **settings | {"step_sizes": [0, 1], "sets": every[:3]})
    second = second.isel(evaluation_set=slice(4), step_size=slice(3, None))
    assert [name[:10] for name in names([first, second])] == ["at 0: bias"] * 2


def test_tasks_and_checkpoints_that_differ_are_in_the_names_not_the_head(make):
    other = trained(make).isel(checkpoint=slice(2, None)).assign_attrs(task="digits")
    panels = plot_compare([trained(make), other])
    assert [title[0] for title in titles(panels)] == [
        "synthetic, iteration 1953",
        "digits, iteration 3906",
    ]
    assert panels[0].get_figure().get_suptitle() == "SGD"


def test_long_names_are_wrapped_and_neither_overlap_nor_are_cut(make):
    more = {"momentum": 0.9, "weight_decay": 0.0005, "nesterov": True}
    runs = [{"options": more}, {"learning_rate": 0.25}, {"options": {"nesterov": True}}]
    stores = [trained(make, origin=o, **run) for run in runs for o in ("after-step", "before-step")]
    for width in ("page", "column"):
        with styled(width=width):
            panels = plot_compare(stores)
        figure = panels[0].get_figure()
        figure.canvas.draw()
        boxes = [panel.title.get_window_extent() for panel in panels]
        assert max(panel.get_title().count("\n") for panel in panels) == (
            3 if width == "page" else 4
        )
        for i, box in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
            assert not any(box.overlaps(other) for other in boxes[:i])
        with styled(width=width):
            short = plot_compare([trained(make, epochs=i) for i in range(6)])[0]
        short.figure.canvas.draw()
        assert panels[0].bbox.height == pytest.approx(short.bbox.height, rel=0.04)


def test_the_note_is_of_all_stores(make):
    for counts, note in (
        ((1, 1), ""),
        ((3, 3), "line: mean of 3 draws, bars: min to max"),
        ((1, 3), "line: mean over draws, bars: min to max"),
    ):
        panels = plot_compare([probed(make, draws=draws) for draws in counts])
        (legend,) = panels[0].get_figure().legends
        assert legend.get_title().get_text() == note


def test_a_last_panel_shows_the_difference(make):
    first, second = probed(make, draws=2), probed(make, seed=1)
    second = second.isel(step_size=slice(1, None), evaluation_set=[0, 4])
    second["accuracy"] *= 0.5
    *panels, last = plot_compare([first, second], checkpoint=3906, difference=True)
    assert len(panels) == 2
    assert panels[0].get_shared_y_axes().joined(*panels)
    assert not last.get_shared_y_axes().joined(panels[0], last)
    lines = [line for line in last.lines if line.get_gid() == "curve"]
    assert [line.get_label() for line in lines] == ["same batch", "validation"]
    for line in lines:
        at = {"checkpoint": 2}, {"evaluation_set": line.get_label().replace(" ", "_")}
        one, other = (e["accuracy"].isel(at[0]).sel(at[1]).mean("draw") for e in (second, first))
        np.testing.assert_allclose(line.get_ydata(), one - other.isel(step_size=slice(1, None)))
        np.testing.assert_array_equal(line.get_xdata(), second["step_size"])
    assert (last.get_title(), last.get_ylabel()) == ("second minus first", "difference")
    # Of more than two a curve each, on validation.
    third = first.assign_attrs(settings={"seed": 7})
    last = plot_compare([first, second, third], difference=True)[-1]
    shown = [line for line in last.lines if line.get_gid() == "curve"]
    assert len(shown) == 2
    assert last.get_title() == "minus the first, validation"
    of_sets = {line.get_color() for line in plot_compare([first])[0].lines}
    assert not of_sets & {line.get_color() for line in shown}
    other = first.assign_attrs(direction="normalised-gradient")
    for stores, why in (
        ([first], "at least 2 stores"),
        ([first, other], "along −∇L and −∇L/‖∇L‖; a difference needs one direction"),
        ([first, first.isel(evaluation_set=[0]), second.isel(evaluation_set=[1])], "set in common"),
        ([first.isel(step_size=[0]), second], "step size in common"),
    ):
        with pytest.raises(InvalidValueError, match=why):
            plot_compare(stores, difference=True)


def test_many_other_batches_are_one_curve(make):
    dataset = probed(make, draws=2)
    more = dataset.sel(evaluation_set=["other_batch_2"])
    more = more.assign_coords(evaluation_set=["other_batch_3"])
    dataset = xr.concat([dataset, more], "evaluation_set")
    (panel,) = plot_compare([dataset], checkpoint=3906)
    (line,) = [each for each in panel.lines if each.get_label() == "3 other batches"]
    names = ["other_batch_1", "other_batch_2", "other_batch_3"]
    values = dataset["accuracy"].isel(checkpoint=2).sel(evaluation_set=names)
    np.testing.assert_allclose(line.get_ydata(), values.mean(["draw", "evaluation_set"]))


def test_a_difference_that_is_rounding_is_0(make):
    dataset = probed(make)
    dataset["accuracy"][:] = 0.1 + 0.2
    dataset["accuracy"].loc[{"evaluation_set": "validation"}] = 0.3
    (panel,) = plot_compare([dataset])
    assert panel.get_title().endswith("bias 0, gap 0")


def test_given_axes_are_used(make):
    _, axes = plt.subplots(1, 2)
    panels = plot_compare([probed(make), probed(make, seed=1)], ax=axes)
    assert list(panels) == list(axes)
    texts = axes[1].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [
        "same batch",
        "other batch 1",
        "other batch 2",
        "big batch",
        "validation",
    ]


def test_nothing_to_compare_is_refused():
    with pytest.raises(InvalidValueError, match="no store was given"):
        plot_compare([])
