import errno
import json
import shutil
import warnings
from zipfile import ZipFile

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import cases
from zarr.storage import LocalStore

import landscape
from landscape import store
from landscape.data import as_data
from landscape.errors import InvalidValueError, MissingFileError, StoreError
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings
from landscape.slices.schema import NAMES
from landscape.store.durable import DurableStore

TRAIN, VALIDATION = cases.digits()
PROBER = Prober(
    as_data(TRAIN),
    as_data(VALIDATION),
    ProbeSettings(step_sizes=(-0.1, 0, 0.1), batch_size=16, big_batch=40, draws=2),
)
ATTRIBUTES = {"task": "digits", "settings": PROBER.settings.as_dict()}


@pytest.fixture(scope="module")
def rows():
    model = cases.fresh("mlp")
    return [PROBER(model, iteration=i, epoch=i / 10, learning_rate=0.1) for i in (100, 200, 300)]


def filled(path, rows, room=3):
    writer = store.create(path, rows[0], rows=room, attributes=ATTRIBUTES)
    for row in rows:
        writer.write(row)
    return writer


def content(path):
    return {p.relative_to(path): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_what_is_opened_is_what_was_probed(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    opened = landscape.open(tmp_path / "s.zarr")
    expected = xr.concat(
        [row.to_dataset() for row in rows],
        "checkpoint",
        coords="minimal",
        data_vars="all",
        compat="override",
        join="exact",
    )
    for name in ["loss", "accuracy", "smooth_accuracy", "gradient_norm", "iteration", "epoch"]:
        np.testing.assert_array_equal(opened[name], expected[name])
        assert opened[name].dims == expected[name].dims
        assert opened[name].attrs == expected[name].attrs
        assert (opened[name].attrs["long_name"], opened[name].attrs["units"]) == NAMES[name]
    assert opened.evaluation_set.values.tolist() == expected.evaluation_set.values.tolist()
    assert opened.attrs["schema"] == store.SCHEMA
    assert opened.attrs["settings"] == PROBER.settings.as_dict()


def test_dimensions_and_chunks_are_the_schemas(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    root = zarr.open_group(tmp_path / "s.zarr", mode="r")
    loss = root["loss"]
    assert loss.metadata.zarr_format == 3
    assert loss.metadata.dimension_names == ("checkpoint", "draw", "evaluation_set", "step_size")
    assert loss.chunks == (1, 2, 5, 3)
    assert root["smooth_accuracy"].metadata.dimension_names[-1] == "slope_factor"
    per_sample = root["per_sample/validation/margin"]
    assert per_sample.dtype == np.float32
    assert per_sample.shape == (3, 2, 3, len(VALIDATION[1]))
    assert per_sample.chunks[0] == 1


def test_metrics_follow_from_the_per_sample_values_bit_for_bit(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    opened = landscape.open(tmp_path / "s.zarr")
    for name in map(str, opened.evaluation_set.values):
        samples = landscape.open_samples(tmp_path / "s.zarr", name)
        assert samples.step_size.values.tolist() == opened.step_size.values.tolist()
        for metric in ("loss", "accuracy", "smooth_accuracy"):
            definition = landscape.metrics.METRICS[metric]
            values = definition.values(samples[definition.of].values.astype(np.float64))
            stored = opened[metric].sel(evaluation_set=name)
            np.testing.assert_array_equal(values.mean(-1), stored.values.reshape(stored.shape[:3]))


def test_per_sample_targets_and_indices_name_the_samples(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    for name, (_, labels) in {"big_batch": TRAIN, "validation": VALIDATION}.items():
        samples = landscape.open_samples(tmp_path / "s.zarr", name)
        np.testing.assert_array_equal(samples.target, labels.numpy()[samples["index"].values])


def test_only_finished_rows_are_seen_in_order_of_iteration(tmp_path, rows):
    path = tmp_path / "s.zarr"
    filled(path, [rows[1], rows[0]])
    assert store.progress(path) == (2, 3)
    assert landscape.open(path).iteration.values.tolist() == [100, 200]
    assert landscape.open_samples(path, "big_batch").iteration.values.tolist() == [100, 200]
    np.testing.assert_array_equal(landscape.open(path).loss[1], rows[1].loss[0])


def test_rows_beyond_the_room_make_room(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows, room=1)
    assert store.progress(tmp_path / "s.zarr") == (3, 3)
    assert content(tmp_path / "s.zarr").keys() == content_of(tmp_path / "t.zarr", rows).keys()


def content_of(path, rows):
    filled(path, rows)
    return content(path)


class Stop(BaseException):
    """Stands for kill −9: nothing after it is run."""


@pytest.mark.parametrize("room", [3, 1], ids=["planned", "growing"])
def test_interrupted_at_any_write_it_resumes_to_the_same_bits(tmp_path, rows, room, monkeypatch):
    whole = filled(tmp_path / "whole.zarr", rows, room) and content(tmp_path / "whole.zarr")
    left = [0]

    def stopping(real):
        async def set_(self, key, value):
            if left[0] == 0:
                raise Stop
            left[0] -= 1
            return await real(self, key, value)

        return set_

    total = 0
    for stop in range(0, 1000, 31):
        path = tmp_path / f"{stop}.zarr"
        left[0] = stop
        try:
            with monkeypatch.context() as patched:
                for each in (LocalStore, DurableStore):  # while it is made, and afterwards
                    patched.setattr(each, "set", stopping(each.set))
                filled(path, rows, room)
        except Stop:
            total += 1
        else:
            break
        assert not list(tmp_path.glob(".*.tmp"))
        if path.exists():
            writer = store.resume(path)
            done = writer.column("iteration").tolist()
            opened = landscape.open(path)
            assert opened.iteration.values.tolist() == done
            for i, iteration in enumerate(done):
                assert iteration == rows[i].iteration.item()
                np.testing.assert_array_equal(opened.loss[i], rows[i].loss[0])
            for row in rows[len(done) :]:
                writer.write(row)
        else:
            filled(path, rows, room)
        assert content(path) == whole
    assert total > 4


def test_interrupted_while_making_room_it_says_so_and_mends(tmp_path, rows):
    path = tmp_path / "s.zarr"
    filled(path, rows[:1], room=1)
    zarr.open_group(path, mode="r+")["loss"].resize((4, 2, 5, 3))
    with pytest.raises(StoreError, match="cannot read"):
        landscape.open(path)
    writer = store.resume(path)
    assert landscape.open(path).iteration.values.tolist() == [100]
    writer.write(rows[1])
    assert landscape.open(path).iteration.values.tolist() == [100, 200]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_loses_nothing_that_was_finished(tmp_path, rows, monkeypatch, code):
    path = tmp_path / "s.zarr"
    writer = filled(path, rows[:2])

    async def refuse(self, key, value):
        raise OSError(code, "the disk refuses")

    monkeypatch.setattr(DurableStore, "set", refuse)
    with pytest.raises(StoreError, match=r"cannot write to .*s.zarr: the disk refuses; what was"):
        writer.write(rows[2])
    with pytest.raises(StoreError, match="cannot write to"):
        store.create(tmp_path / "t.zarr", rows[0], rows=1, attributes={})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zarr"]
    assert landscape.open(path).iteration.values.tolist() == [100, 200]


def test_other_settings_are_refused_by_name(tmp_path, rows):
    writer = filled(tmp_path / "s.zarr", rows)
    store.require_same(writer, ATTRIBUTES)
    other = {"settings": {**ATTRIBUTES["settings"], "big_batch": 41}}
    with pytest.raises(StoreError, match="made with big batch 40, and now it is 41"):
        store.require_same(writer, other)
    for wanted in ({"task": "mnist"}, ATTRIBUTES | {"task": "mnist"}):
        with pytest.raises(StoreError, match="task 'digits', and now it is 'mnist'"):
            store.require_same(writer, {"settings": ATTRIBUTES["settings"], **wanted})


def test_what_is_no_store_of_ours(tmp_path, rows):
    with pytest.raises(MissingFileError, match="no store at"):
        landscape.open(tmp_path / "none.zarr")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text")
    for name in ("folder", "file"):
        with pytest.raises(StoreError, match=r"not a zarr store|cannot read"):
            landscape.open(tmp_path / name)
    zarr.open_group(tmp_path / "other.zarr", mode="w")
    with pytest.raises(StoreError, match="not a store of landscape's"):
        landscape.open(tmp_path / "other.zarr")
    path = tmp_path / "s.zarr"
    filled(path, rows[:1])
    with pytest.raises(StoreError, match="exists already"):
        store.create(path, rows[0], rows=1, attributes={})
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["schema"] = 3
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match="schema 3; this landscape reads schemas up to 2"):
        landscape.open(path)
    with pytest.raises(StoreError, match="schema 3"):
        store.resume(path)


@pytest.mark.parametrize("lost", ["finished", "iteration"])
def test_a_damaged_store_is_one_line(tmp_path, rows, lost):
    path = tmp_path / "s.zarr"
    filled(path, rows[:1])
    shutil.rmtree(path / lost)
    with pytest.raises(StoreError, match=f"'{lost}'") as error:
        landscape.open(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(StoreError, match=f"'{lost}'"):
        store.resume(path).column("iteration")


def test_samples_that_are_not_there(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows[:1])
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'test'; choose from"):
        landscape.open_samples(tmp_path / "s.zarr", "test")
    bare = rows[0].copy()
    del bare["per_sample"]
    filled(tmp_path / "t.zarr", [bare])
    with pytest.raises(StoreError, match="without per-sample values"):
        landscape.open_samples(tmp_path / "t.zarr", "validation")


def test_a_packed_store_has_all_but_the_samples(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    packed = store.pack(tmp_path / "s.zarr", tmp_path / "kept.zarr.zip")
    xr.testing.assert_identical(landscape.open(packed), landscape.open(tmp_path / "s.zarr"))
    with pytest.raises(StoreError, match="made without per-sample values"):
        landscape.open_samples(packed, "validation")
    before = packed.read_bytes()
    assert store.pack(tmp_path / "s.zarr", packed).read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"s.zarr", "kept.zarr.zip"}


def test_a_packed_store_names_no_place_of_the_machine(tmp_path, rows):
    run = {"data": "/home/me/data", "dataset": "/home/me/my.npz", "data_digest": "ab", "epochs": 3}
    store.create(tmp_path / "s.zarr", rows[0], rows=1, attributes={"run": run}).write(rows[0])
    packed = store.pack(tmp_path / "s.zarr", tmp_path / "kept.zarr.zip")
    assert landscape.open(packed).attrs["run"] == {"data_digest": "ab", "epochs": 3}
    assert landscape.open(tmp_path / "s.zarr").attrs["run"] == run
    values = landscape.open(tmp_path / "s.zarr").drop_attrs()
    xr.testing.assert_identical(landscape.open(packed).drop_attrs(), values)


@pytest.mark.parametrize("name", ["0.123abc.partial", ".0.99999999.tmp"])
def test_what_a_killed_process_left_of_a_chunk_is_not_packed_and_removed(tmp_path, rows, name):
    path = tmp_path / "s.zarr"
    store.create(path, rows[0], rows=1, attributes={}).write(rows[0])
    left = path / "loss" / "c" / name
    left.write_bytes(b"half")
    with ZipFile(store.pack(path, tmp_path / "s.zip")) as archive:
        assert not [file for file in archive.namelist() if name in file]
    store.resume(path)
    assert not left.exists()


def test_a_row_can_be_written_at_its_place(tmp_path, rows):
    path = tmp_path / "s.zarr"
    writer = store.create(path, rows[0], rows=1, attributes={})
    for index in (1, 1, 0, 2):
        writer.write(rows[index], index)
    assert store.open_(path).iteration.values.tolist() == sorted(
        r.to_dataset().iteration.item() for r in rows[:3]
    )


def test_rows_are_forgotten_from_one_on_and_written_again(tmp_path, rows):
    writer = filled(tmp_path / "s.zarr", rows)
    writer.forget(3)
    assert writer.finished.tolist() == [True, True, True]
    writer.forget(1)
    assert writer.finished.tolist() == [True, False, False]
    assert landscape.open(writer.path).iteration.values.tolist() == [100]
    assert writer.column("iteration").tolist() == [100]
    writer.write(rows[2])
    assert landscape.open(writer.path).iteration.values.tolist() == [100, 300]


def test_so_many_rows_share_a_chunk(tmp_path, rows):
    attributes = {"rows": 3, "attributes": ATTRIBUTES}
    for chunk in (1, 2):
        path = store.create(tmp_path / f"{chunk}.zarr", rows[0], chunk=chunk, **attributes).path
        assert zarr.open_array(path / "loss").chunks[0] == chunk
        assert zarr.open_array(path / "loss").shape[0] == 3


def test_what_cannot_be_packed(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    packed = store.pack(tmp_path / "s.zarr", tmp_path / "s.zip")
    with pytest.raises(StoreError, match="packed already"):
        store.pack(packed, tmp_path / "again.zip")
    with pytest.raises(MissingFileError, match="no store at"):
        store.pack(tmp_path / "none.zarr", tmp_path / "none.zip")
    with pytest.raises(StoreError, match="cannot write"):
        store.pack(tmp_path / "s.zarr", tmp_path / "nowhere" / "s.zip")


def test_a_zip_opens_like_a_folder(tmp_path, rows):
    filled(tmp_path / "s.zarr", rows)
    packed = shutil.make_archive(str(tmp_path / "s.zarr"), "zip", tmp_path / "s.zarr")
    xr.testing.assert_identical(landscape.open(packed), landscape.open(tmp_path / "s.zarr"))


def test_non_finite_values_are_stored_as_they_are(tmp_path, rows):
    row = rows[0].copy(deep=True)
    row["loss"][0, 0, 0] = [np.nan, np.inf, -np.inf]
    filled(tmp_path / "s.zarr", [row])
    np.testing.assert_array_equal(
        landscape.open(tmp_path / "s.zarr").loss[0, 0, 0], [np.nan, np.inf, -np.inf]
    )


def test_no_warning_on_the_way(tmp_path, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled(tmp_path / "s.zarr", rows)
        landscape.open(tmp_path / "s.zarr")
        landscape.open_samples(tmp_path / "s.zarr", "validation")
