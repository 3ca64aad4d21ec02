import errno
import os
import sys
from pathlib import Path

import pytest

from landscape.errors import StoreError
from landscape.runtime.atomic import atomic_write, make_folder, temporary_path


def test_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a[1].txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        partial.write_text(str(1 / partial.write_text("")))
    assert [p.name for p in tmp_path.iterdir()] == ["a[1].txt"]
    assert path.read_text() == "old"
    with atomic_write(path) as partial:
        partial.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["a[1].txt"]
    assert path.read_text() == "new"


def test_what_killed_processes_left_is_removed(tmp_path):
    path = tmp_path / "a[1].txt"
    mine = temporary_path(path)
    mine.write_text("half")
    dead, folder = tmp_path / ".a[1].txt.99999999.tmp", tmp_path / ".a[1].txt.99999998.tmp"
    dead.write_text("half")
    folder.mkdir()
    other = tmp_path / ".b.txt.99999999.tmp"
    other.write_text("another file's")
    assert temporary_path(path) == mine
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files by /proc")
def test_content_and_name_are_on_the_disk_in_this_order(tmp_path, monkeypatch):
    """fsync of the file before it is renamed, of each folder that got a name after that."""
    done, fsync, replace = [], os.fsync, Path.replace

    def synced(handle):
        done.append(("fsync", str(Path(f"/proc/self/fd/{handle}").readlink())))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(
        Path, "replace", lambda a, b: (done.append(("to", str(b))), replace(a, b))[1]
    )
    path = tmp_path / "a" / "b" / "file"
    make_folder(path.parent)
    assert sorted(done) == [("fsync", str(tmp_path)), ("fsync", str(tmp_path / "a"))]
    done.clear()
    with atomic_write(path) as partial:
        partial.write_text("all")
    assert done == [
        ("fsync", str(partial)),
        ("to", str(path)),
        ("fsync", str(path.parent)),
    ]


@pytest.mark.parametrize("named", [True, False])
def test_what_the_disk_refuses_is_said_of_the_file_that_was_asked_for(tmp_path, named):
    path = tmp_path / "file"

    def full():
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device", *[str(partial)] * named)

    with pytest.raises(StoreError) as raised:
        full()
    said = "No space left on device; nothing was written"
    assert str(raised.value) == f"cannot write {path}: {said}"
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError) as raised, atomic_write(path):
        (tmp_path / "other").read_text()
    assert raised.value.filename == str(tmp_path / "other")
