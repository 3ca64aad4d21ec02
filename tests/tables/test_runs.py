import numpy as np
import pytest
from helpers.runs import write

from landscape import tables
from landscape.errors import InvalidValueError
from landscape.histories.collection import collect

SEARCHES = {
    "searches": [19, 20], "trials": [30, 48], "skipped": [1, 0], "exhausted": [0, 2],
    "rejected": [11, 30], "doubted": [0, 0],
}  # fmt: skip


def test_benchmark_is_the_published_table(tmp_path):
    # Table 2, the row of sa-SLS.
    for seed, best in enumerate([0.5880, 0.9815, 0.9831, 0.9837]):
        write(tmp_path / str(seed), [0.1, best, 0.5], optimizer="sa-sls", seed=seed, seconds=648)
    frame = tables.benchmark(collect(tmp_path))
    (row,) = frame.to_dict("records")
    assert frame.index.tolist() == [("digits-mlp", "sa-sls")]
    assert [row[f"seed {seed} (%)"] for seed in range(4)] == [58.80, 98.15, 98.31, 98.37]
    assert row["mean (%)"] == pytest.approx(88.41, abs=0.005)
    assert row["sd (%)"] == pytest.approx(17.094, abs=0.005)
    assert row["final mean (%)"] == 50
    assert row["time (min)"] == pytest.approx(3 * 648 / 60)
    assert "epochs" not in frame
    assert "population" in frame.attrs["note"]
    assert "on CPU" in frame.attrs["note"]


@pytest.mark.parametrize(
    ("seconds", "column", "value"),
    [(0.5, "time (s)", 1), (30, "time (min)", 1), (1800, "time (h)", 1), (20, "time (s)", 40)],
)
def test_the_unit_of_time_fits(tmp_path, seconds, column, value):
    frame = tables.benchmark(collect(write(tmp_path / "a", [0.5, 0.5], seconds=seconds)))
    assert frame[column].item() == pytest.approx(value)


def test_a_single_run_has_no_sd(tmp_path):
    frame = tables.benchmark(collect(write(tmp_path / "a", [0.5])))
    assert np.isnan(frame["sd (%)"].item())
    assert "sd" not in frame.attrs["note"]


def test_rows_are_task_and_setting_and_missing_seeds_are_nan(tmp_path):
    write(tmp_path / "a", [0.5], seed=0)
    write(tmp_path / "b", [0.7], seed=5)
    write(tmp_path / "c", [0.6], seed=5, optimizer="adam")
    write(tmp_path / "d", [0.6], seed=5, task="mnist-mlp")
    frame = tables.benchmark(collect(tmp_path))
    assert frame.index.tolist() == [
        ("digits-mlp", "sgd"), ("digits-mlp", "adam"), ("mnist-mlp", "sgd")
    ]  # fmt: skip
    np.testing.assert_array_equal(
        frame[["seed 0 (%)", "seed 5 (%)"]], [[50, 70], [np.nan, 60], [np.nan, 60]]
    )
    assert frame["mean (%)"].tolist() == [60, 60, 60]


def test_unfinished_runs_are_told(tmp_path):
    write(tmp_path / "a", [0.5, 0.6], seed=1)
    write(tmp_path / "b", [0.7], seed=0, asked=2)
    frame = tables.benchmark(collect(tmp_path))
    assert frame["epochs"].tolist() == ["1, 2 of 2"]
    assert "unfinished" in frame.attrs["note"]
    write(tmp_path / "c", [], seed=2, asked=2)
    frame = tables.benchmark(collect(tmp_path))
    assert frame["epochs"].tolist() == ["1, 2, 0 of 2"]
    assert np.isnan(frame["seed 2 (%)"].item())


def test_one_run_given_twice_is_refused(tmp_path):
    for name in "ab":
        write(tmp_path / name, [0.5])
    with pytest.raises(InvalidValueError, match=r"runs 'a' and 'b' have the same .* seed 0"):
        tables.benchmark(collect(tmp_path))


@pytest.mark.parametrize("table", [tables.benchmark, tables.passes])
def test_nothing_to_compare(tmp_path, table):
    with pytest.raises(InvalidValueError, match="no epoch of any run is finished"):
        table(collect(write(tmp_path / "a", [], asked=2)))


def test_passes_are_summed_over_runs_and_divided_last(tmp_path):
    write(tmp_path / "a", [0.5, 0.6], optimizer="sa-sls", counts=SEARCHES)
    more = {name: [0, 0] for name in SEARCHES} | {"searches": [10, 0], "trials": [11, 0]}
    write(tmp_path / "b", [0.5, 0.6], optimizer="sa-sls", seed=1, counts=more, forward_passes=40)
    (row,) = tables.passes(collect(tmp_path)).to_dict("records")
    assert row["runs"] == 2
    assert row["steps"] == 40
    assert row["forward per step"] == (120 + 80) / 80
    assert row["backward per step"] == 1
    assert row["trials per search"] == (78 + 11) / (39 + 10)
    assert row["skipped per 1000"] == 1000 / 80
    assert row["exhausted per 1000"] == 2000 / 80


def test_passes_without_searches(tmp_path):
    write(tmp_path / "a", [0.5, 0.6], counts={name: [0, 0] for name in SEARCHES})
    write(tmp_path / "b", [0.5, 0.6], optimizer="sa-sls", counts=SEARCHES)
    write(tmp_path / "c", [0.5, 0.6], optimizer="adam")
    frame = tables.passes(collect(tmp_path))
    searched = frame[["trials per search", "skipped per 1000", "exhausted per 1000"]]
    assert searched.isna().all(axis=1).tolist() == [True, False, True]
    assert frame["forward per step"].tolist() == [3, 3, 3]
    only = tables.passes(collect(tmp_path / "c"))  # counted by nobody
    assert only["trials per search"].isna().all()
