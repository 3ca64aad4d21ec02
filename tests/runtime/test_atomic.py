import pytest

from landscape.runtime.atomic import atomic_write, temporary_path


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
