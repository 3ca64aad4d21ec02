"""What a power cut leaves of a store: a row's chunks are on the disk before its mark is."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from landscape import store


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files by /proc")
def test_all_of_a_row_is_on_the_disk_before_its_mark(tmp_path, monkeypatch):
    values = np.ones((1, 3)), np.array([7])
    row = xr.DataTree(
        xr.Dataset({"loss": (("checkpoint", "step_size"), values[0])},
                   {"iteration": ("checkpoint", values[1])})
    )  # fmt: skip
    path, synced, fsync = tmp_path / "s.zarr", [], os.fsync

    def followed(handle):
        place = str(Path(f"/proc/self/fd/{handle}").readlink())
        place = place.replace(f".s.zarr.{os.getpid()}.tmp", "s.zarr")
        synced.append(place.replace(f".{os.getpid()}.tmp", "").replace("/.", "/"))
        fsync(handle)

    def files():
        return {str(p) for p in path.rglob("*") if p.is_file()}

    monkeypatch.setattr(os, "fsync", followed)
    writer = store.create(path, row, rows=1, attributes={})
    there = files()
    assert there <= set(synced)
    assert synced[-1] == str(tmp_path)  # its name, after everything in it
    synced.clear()
    writer.write(row)
    chunks = files() - there - {str(path / "finished" / "c" / "0")}
    assert len(chunks) == 2
    place = str(path / "finished" / "c" / "0")
    mark = len(synced) - 1 - synced[::-1].index(place)  # the first says that the row was begun
    assert chunks | {str(Path(chunk).parent) for chunk in chunks} <= set(synced[:mark])
    assert synced[mark + 1 :] == [str(path / "finished" / "c")]
