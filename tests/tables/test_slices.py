import csv
import io

import numpy as np
import pytest
from helpers import planes
from helpers.slices import SETS, STEPS, slices

from landscape import tables
from landscape.errors import InvalidValueError
from landscape.slices.planes import first_line
from landscape.tables import formats as table_formats

WORDS = [name.replace("_", " ") for name in SETS]


def row(frame, iteration, name):
    return frame.loc[(iteration, name)].to_dict()


# Values of one slice


def test_a_column_a_set_and_a_row_a_step_size():
    frame = tables.slice_values(slices(), checkpoint=10)
    assert list(frame.columns) == WORDS
    assert frame.index.tolist() == STEPS
    np.testing.assert_allclose(frame.loc[0.5], [0.7, 0.6, 0.5, 0.4])
    assert frame.attrs["note"] == "a-task, SGD, iteration 10 (epoch 0.5), accuracy."
    # By default the second checkpoint, as in the figures.
    np.testing.assert_allclose(tables.slice_values(slices()).loc[0.5], [0.8, 0.7, 0.6, 0.5])


def test_columns_may_be_metrics_and_both():
    frame = tables.slice_values(
        slices(),
        checkpoint=10,
        metric=["loss", "smooth_accuracy"],
        evaluation_set="validation",
        slope_factor=10,
    )
    assert list(frame.columns) == ["loss", "smooth accuracy (s = 10)"]
    np.testing.assert_allclose(frame.loc[0.5], [4, 0.4 * 0.25])
    assert frame.attrs["note"].endswith("epoch 0.5), validation.")
    both = tables.slice_values(slices(), metric=["loss", "accuracy"], evaluation_set=SETS[:2])
    assert list(both.columns) == [f"{m}, {s}" for m in ("loss", "accuracy") for s in WORDS[:2]]


def test_six_digits_for_a_reader_and_all_in_csv():
    dataset = slices()
    dataset["accuracy"][0, 0, 0, :3] = [126 / 128, np.nan, -np.inf]
    dataset["loss"][0, 0, 0, 0] = 12345.678
    frame = tables.slice_values(
        dataset, checkpoint=10, metric=["accuracy", "loss"], evaluation_set="same_batch"
    )
    header, rows = table_formats.cells(frame)
    assert header == ["step size", "accuracy", "loss"]
    assert rows[:4] == [
        ["−1", "0.984375", "12345.7"],
        ["−0.5", "NaN", "2"],
        ["−0.25", "−∞", "1.5625"],
        ["0", "0.900000", "1.25"],
    ]
    assert table_formats.words(frame, header) == [False] * 3
    read = list(csv.reader(io.StringIO(table_formats.csv(frame))))
    assert read[1] == ["-1.0", "0.984375", "12345.678"]
    assert [line[1] for line in read[2:4]] == ["NaN", "-inf"]
    assert r"$-$$\infty$" in table_formats.latex(frame)
    assert r"\begin{tabular}{rrr}" in table_formats.latex(frame)


def test_several_draws_are_mean_and_sd_or_one_of_them():
    frame = tables.slice_values(slices(draws=3), checkpoint=10, evaluation_set="same_batch")
    assert list(frame.columns) == ["mean accuracy", "sd accuracy"]
    np.testing.assert_allclose(frame.loc[0], [0.92, 0.02 * np.sqrt(2 / 3)])
    assert table_formats.cells(frame)[1][3] == ["0", "0.920000 ± 0.016330"]
    assert frame.attrs["note"].endswith("Means over 3 draws; sd: population's.")
    one = tables.slice_values(slices(draws=3), checkpoint=10, draw=2)
    np.testing.assert_allclose(one.loc[0], [0.94, 0.84, 0.74, 0.64])
    assert one.attrs["note"].endswith("accuracy, draw 2 of 3.")


# Statistics


def test_columns_are_numbers_and_what_is_missing_is_told_from_what_is_nan():
    dataset = slices()
    dataset["accuracy"][0, 0, 3] = np.nan
    frame = tables.slice_statistics(dataset)
    assert all(dtype == np.float64 for dtype in frame.dtypes)
    assert frame["gap at 0"].max() == pytest.approx(0.1)
    assert np.isnan(frame.loc[(10, "validation"), "gap at 0"])  # measured
    assert np.isnan(frame.loc[(10, "same batch"), "gap at 0"])  # there is none
    for shown in (frame, frame[frame.index.get_level_values("evaluation set") != "big batch"]):
        gaps = [line[-1] for line in table_formats.cells(shown)[1]]
        names = shown.index.get_level_values("evaluation set")
        assert gaps == [
            "–" if name != "validation" else "NaN" if i < len(gaps) // 2 else "0.1"
            for i, name in enumerate(names)
        ]
        read = list(csv.reader(io.StringIO(table_formats.csv(shown))))
        assert [line[-1] == "" for line in read[1:]] == [each == "–" for each in gaps]


def test_statistics_are_those_known_by_heart():
    frame = tables.slice_statistics(slices())
    assert frame.index.tolist() == [(i, name) for i in (10, 200) for name in WORDS]
    first = row(frame, 10, "other batch 1")
    assert first["peak width"] == pytest.approx(0.4)  # the accuracy falls by 0.4 |s| from 0.8
    assert first["plateau"] == 0
    assert first["best step size"] == 0
    assert first["improvement"] == 0
    assert first["bias at 0"] == pytest.approx(0.1)
    assert first["bias at learning rate"] == pytest.approx(0.1)
    assert np.isnan(first["gap at 0"])
    assert row(frame, 200, "same batch")["peak width"] == pytest.approx(0.9)
    last = row(frame, 200, "validation")
    assert last["bias at 0"] == pytest.approx(0.3)
    assert np.isnan(last["bias at learning rate"])  # 5 was not sampled
    assert last["gap at 0"] == pytest.approx(0.1)
    assert np.isnan(row(frame, 10, "same batch")["bias at 0"])
    assert "≥" not in frame.attrs["note"]
    assert "Gap" in frame.attrs["note"]
    cells = table_formats.cells(frame)[1]
    assert cells[1] == ["10", "other batch 1", "0.4", "0", "0", "0", "0.1", "0.1", "–"]


def test_the_tolerance_is_relative_or_absolute():
    frame = tables.slice_statistics(slices())
    assert "whose values lie within 10 % of the best" in frame.attrs["note"]
    frame = tables.slice_statistics(slices(), relative=False)
    assert row(frame, 10, "other batch 1")["peak width"] == pytest.approx(0.5)
    assert row(frame, 200, "same batch")["peak width"] == pytest.approx(1)
    assert "whose values lie within 0.1 of the best" in frame.attrs["note"]


def test_after_the_step_there_is_no_bias_at_the_learning_rate():
    frame = tables.slice_statistics(slices().assign_attrs(origin="after-step"))
    assert [name for name in frame if "bias" in name] == ["bias at 0"]
    assert "lr:" not in frame.attrs["note"]


def test_sets_may_be_an_array():
    frame = tables.slice_statistics(slices(), evaluation_set=np.array(SETS[:2]))
    assert frame.index.levels[1].tolist() == sorted(WORDS[:2])


def test_of_a_loss_lower_is_better_and_columns_have_its_units():
    frame = tables.slice_statistics(
        slices(), metric="loss", checkpoint=10, tolerance=0.25, relative=False
    )
    found = row(frame, 10, "validation")
    assert found["best step size"] == 0.5
    assert found["improvement (nat)"] == pytest.approx(0.25)
    assert found["bias at 0 (nat)"] == pytest.approx(-3)
    assert found["peak width"] == pytest.approx(1)
    assert "within 0.25 of" in frame.attrs["note"]


def test_widths_may_be_distances():
    frame = tables.slice_statistics(slices(), against="distance", relative=False)
    assert row(frame, 10, "same batch")["peak width"] == pytest.approx(0.5 * 2)
    assert row(frame, 200, "same batch")["peak width"] == pytest.approx(1 * 0.5)
    assert "distances" in frame.attrs["note"]


def test_along_the_normalised_gradient_the_update_is_lr_times_norm_long():
    dataset = slices().assign_attrs(direction="normalised-gradient")
    dataset["accuracy"][0, 0, 0, STEPS.index(0.5)] = 0
    bias = tables.slice_statistics(dataset, checkpoint=10)["bias at learning rate"]
    assert bias.iloc[1] == pytest.approx(0 - 0.6)  # at 0.25 · 2


def test_between_samples_values_are_linear():
    dataset = slices().assign_coords(learning_rate=("checkpoint", [0.375, np.nan]))
    dataset["accuracy"][0, 0, 0, STEPS.index(0.5)] += 0.1
    frame = tables.slice_statistics(dataset)
    assert row(frame, 10, "other batch 1")["bias at learning rate"] == pytest.approx(0.15)
    assert np.isnan(row(frame, 200, "other batch 1")["bias at learning rate"])


def test_open_ends_are_told_and_what_is_no_number_is_nan():
    dataset = slices()
    dataset["accuracy"][1] = 0.5
    dataset["accuracy"][0, 0, 3] = np.nan
    frame = tables.slice_statistics(dataset, evaluation_set=["same_batch", "validation"])
    cells = table_formats.cells(frame)[1]
    assert cells[2][2:5] == ["≥ 2", "≥ 2", "0"]
    assert cells[1][2:] == ["NaN"] * 7
    assert "≥" in frame.attrs["note"]
    assert frame["open peak width"].tolist() == [0, 1, 1, 1]
    assert r"$\geq$ 2 &" in table_formats.latex(frame)


def test_draws_are_mean_and_sd_and_the_share_of_open_ones():
    dataset = slices(draws=4)
    dataset["accuracy"][0, 0] = 0.5
    frame = tables.slice_statistics(
        dataset, checkpoint=10, evaluation_set="same_batch", relative=False
    )
    (found,) = frame.to_dict("records")
    widths = [2, 0.5, 0.5, 0.5]
    assert found["mean peak width"] == pytest.approx(np.mean(widths))
    assert found["sd peak width"] == pytest.approx(np.std(widths))
    assert found["open peak width"] == 0.25
    assert found["sd best step size"] == 0
    header, (cells,) = table_formats.cells(frame)
    assert header[2] == "mean ± sd peak width"
    assert cells[2] == "≥ 0.875 ± 0.65"


def test_equal_draws_have_an_sd_of_zero():
    # Their mean, rounded, may be another number.
    dataset = slices(draws=20)
    dataset["accuracy"][:] = 0.1
    frame = tables.slice_values(dataset)
    assert (frame.filter(like="sd ").to_numpy() == 0).all()


def test_sets_that_are_not_there_leave_their_columns_out():
    frame = tables.slice_statistics(slices().isel(evaluation_set=[1, 3]))
    assert not [name for name in frame if "bias" in name or "gap" in name]
    away = slices().isel(step_size=[4, 5, 6])  # without 0
    assert list(tables.slice_statistics(away)) == [
        *("peak width", "open peak width", "plateau", "open plateau", "bias at learning rate")
    ]


@pytest.mark.parametrize("table", [tables.slice_values, tables.slice_statistics])
def test_bad_choices_are_named_with_what_there_is(table):
    for options, message in (
        ({"checkpoint": 11}, "unknown checkpoint 11.*choose from 10, 200"),
        ({"evaluation_set": ["valid"]}, "unknown evaluation set 'valid'"),
        ({"evaluation_set": []}, "set .* names none"),
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"slope_factor": 2}, "accuracy has none"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            table(slices(), **options)
    with pytest.raises(InvalidValueError, match="lack step_size"):
        table(slices().isel(step_size=0))
    with pytest.raises(InvalidValueError, match="no checkpoint"):
        table(slices().isel(checkpoint=slice(0)))


def test_bad_choices_of_one_table():
    with pytest.raises(InvalidValueError, match="unknown draw 3; choose from 0, 1"):
        tables.slice_values(slices(draws=2), draw=3)
    with pytest.raises(InvalidValueError, match=r"metric .* names none"):
        tables.slice_values(slices(), metric=[])
    with pytest.raises(InvalidValueError, match="unknown value of against"):
        tables.slice_statistics(slices(), against="time")
    with pytest.raises(InvalidValueError, match="tolerance -1"):
        tables.slice_statistics(slices(), tolerance=-1)


@pytest.mark.parametrize("table", [tables.slice_values, tables.slice_statistics])
def test_of_a_plane_it_is_the_first_line_and_the_note_says_so(table):
    plane = planes.plane()
    found, wanted = table(plane, metric="loss"), table(first_line(plane), metric="loss")
    np.testing.assert_array_equal(found, wanted)
    said = " Of a plane: the slice along random direction 1, at 0 along random direction 2."
    assert said in found.attrs["note"]
    assert found.attrs["note"].replace(said, "") == wanted.attrs["note"]
    with pytest.raises(InvalidValueError, match="not sampled at 0 along its second direction"):
        table(plane.isel(step_size_2=slice(5, None)))
