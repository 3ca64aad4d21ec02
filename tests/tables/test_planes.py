import numpy as np
import pytest
from helpers import planes

from landscape import tables
from landscape.errors import InvalidValueError
from landscape.slices.planes import first_line
from landscape.tables import formats


def test_a_row_for_every_plane_with_its_best_sample():
    dataset = planes.plane()
    frame = tables.plane_statistics(dataset, metric="loss")
    assert frame.index.names == ["iteration", "evaluation set", "draw"]
    assert len(frame) == 2 * 2 * 2
    for (iteration, name, draw), row in frame.iterrows():
        one = dataset["loss"].isel(checkpoint=[400, 800].index(iteration), draw=draw)
        one = one.sel(evaluation_set=name.replace(" ", "_"))
        best = min(
            (float(one.sel(step_size=s, step_size_2=t)), s, t)
            for s in dataset["step_size"].values
            for t in dataset["step_size_2"].values
        )
        assert row.tolist()[:4] == [float(one.sel(step_size=0, step_size_2=0)), *best]
        assert row["path variance kept"] == 0.93
    assert list(frame) == [
        *("at the origin (nat)", "best (nat)", "at step size", "at second step size"),
        *("area (distance²)", "open area"),
        *("largest curvature (nat)", "smallest curvature (nat)", "path variance kept"),
    ]
    # Of norms 2 and 1.5, and orthogonal: H in distances.
    bent = np.linalg.eigvalsh(planes.HESSIAN / np.outer([2, 1.5], [2, 1.5]))
    assert frame["smallest curvature (nat)"].tolist() == pytest.approx([bent[0]] * 8)
    assert frame["largest curvature (nat)"].tolist() == pytest.approx([bent[1]] * 8)
    assert "keeps" in frame.attrs["note"]
    assert formats.cells(frame)[1][0][:4] == ["400", "same batch", "0", "1"]


def test_of_an_accuracy_more_is_better_and_one_draw_has_no_column():
    dataset = planes.plane(draws=1, checkpoints=1, path=0)
    dataset["accuracy"][0, 0, 0, 3, 5] = 0.97
    frame = tables.plane_statistics(dataset)
    assert frame.index.names == ["iteration", "evaluation set"]
    steps, steps_2 = dataset["step_size"].values, dataset["step_size_2"].values
    assert frame.iloc[0].tolist()[:4] == [0.9, 0.97, steps[3], steps_2[5]]
    assert frame.iloc[1].tolist()[:4] == [0.8, 0.8, 0, 0]
    assert not any("curvature" in name for name in frame)
    assert "path" not in frame.attrs["note"]


def test_of_equal_values_the_best_is_nearest_to_the_origin():
    dataset = planes.plane(draws=1, checkpoints=1, path=0)
    dataset["accuracy"][:] = 0.5
    frame = tables.plane_statistics(dataset)
    assert frame.iloc[0].tolist()[2:4] == [0, 0]
    # All of it, in distances of 2 and 1.5 a step, and perhaps more.
    assert frame.iloc[0]["area (distance²)"] == pytest.approx(2 * 2 * 1.6 * 1.5)
    assert frame.iloc[0]["open area"] == 1


def test_what_is_not_finite_is_never_the_best_and_told_at_the_origin():
    dataset = planes.plane(draws=1, checkpoints=1, path=0)
    dataset["loss"][0, 0, 0, 5, 4] = np.nan
    dataset["loss"][0, 0, 0, 0, 0] = -np.inf
    dataset["loss"][0, 0, 1] = np.inf
    frame = tables.plane_statistics(dataset, metric="loss")
    cells = [row[2:6] for row in formats.cells(frame)[1]]
    assert cells == [["NaN", "0.96", "0.2", "0"], ["∞", "NaN", "NaN", "NaN"]]


def test_away_from_the_origin_there_is_no_value_there():
    dataset = planes.plane(draws=1, path=0).isel(step_size=[0, 1])
    frame = tables.plane_statistics(dataset, metric="loss")
    assert frame["at the origin (nat)"].isna().all()
    assert [cells[2] for cells in formats.cells(frame)[1]] == ["–"] * 4
    assert formats.cells(frame)[1][0][2] == "–"


def test_bad_input():
    for dataset, options, message in (
        (first_line(planes.plane()), {}, "not a plane"),
        (planes.plane().isel(step_size=0), {}, "lack step_size"),
        (planes.plane().isel(checkpoint=slice(0)), {}, "no checkpoint"),
        (planes.plane(), {"metric": "speed"}, "unknown metric 'speed'"),
        (planes.plane(), {"slope_factor": 1}, "accuracy has none"),
        (planes.plane().rename(loss="mine"), {"metric": "mine"}, "better higher or lower"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            tables.plane_statistics(dataset, **options)
