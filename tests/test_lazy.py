import importlib
import sys
from pathlib import Path

import pytest

from landscape.lazy import lazily


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package called "lazybones" whose names load on first use; its modules count their loads."""
    folder = tmp_path / "lazybones"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from landscape.lazy import lazily\n"
        "loads = []\n"
        '__getattr__, __dir__ = lazily(__name__, {"same": "home:", "other": "home:inner",'
        ' "home": "home", "lost": "home:", "broken": "broken:"})\n'
    )
    (folder / "home.py").write_text(
        "import lazybones\nlazybones.loads.append(1)\nsame, inner = object(), object()\n"
    )
    (folder / "broken.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    import lazybones

    yield lazybones
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazybones"]:
        del sys.modules[name]


def test_nothing_loads_before_it_is_used_and_then_once(package):
    assert package.loads == []
    assert "lazybones.home" not in sys.modules
    first = package.same
    assert package.same is first
    assert package.loads == [1]
    assert vars(package)["same"] is first  # from now on no function is asked


def test_a_name_is_an_attribute_of_the_same_or_another_name_or_a_module(package):
    home = package.home
    assert home is sys.modules["lazybones.home"]
    assert package.same is home.same
    assert package.other is home.inner
    from lazybones import other

    assert other is home.inner


def test_the_names_are_listed_before_they_are_loaded(package):
    assert dir(package) == ["broken", "home", "lost", "other", "same"]
    assert package.loads == []


def test_what_is_not_there_says_so(package):
    with pytest.raises(AttributeError, match="module 'lazybones' has no attribute 'nothing'"):
        _ = package.nothing
    assert not hasattr(package, "nothing")
    with pytest.raises(AttributeError, match="no attribute 'lost'"):
        _ = package.lost
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from lazybones import nothing  # noqa: F401


def test_a_module_that_lacks_a_package_names_it(package):
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        _ = package.broken


def test_a_package_without_names():
    load, names = lazily("landscape", {})
    assert names() == []
    with pytest.raises(AttributeError, match="module 'landscape' has no attribute 'probe'"):
        load("probe")


def test_a_module_needs_no_import_of_its_own_and_what_is_none_is_an_attribute_error(package):
    (Path(package.__file__).parent / "aside.py").write_text("value = 3\n")
    importlib.invalidate_caches()
    assert "aside" not in dir(package)
    assert package.aside.value == 3
    with pytest.raises(AttributeError, match="module 'lazybones' has no attribute 'nothing'"):
        package.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="_aside"):
        package._aside  # noqa: B018
    assert not hasattr(package, "__path_of_none__")
