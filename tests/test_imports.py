"""Figures need no network: what draws and what reads loads no torch."""

import types
from importlib.metadata import version

import pytest
from helpers import fresh

import landscape

# What takes time to load, of other packages; the first of them load no torch.
LIGHT = ["matplotlib.pyplot", "pandas", "seaborn", "xarray", "zarr"]
HEAVY = [*LIGHT, "sklearn", "torch"]
WITHOUT_TORCH = [
    "import landscape",
    "from landscape import plots, statistics; plots.plot_widening",
    "import landscape; landscape.open",
    "from landscape import plots; import landscape.tables.formats; plots.plot_training",
    "import landscape.tables.summary, landscape.metrics",
    "import landscape.tasks",
]
ROOMS = [
    "optimizers.SmoothAccuracySLS",
    "study.train",
    "probing.Direction",
    "probing.directions.DIRECTIONS",
    "tasks.load_task",
    "histories.collect",
    "metrics.METRICS",
    "plots.plot_widening",
    "statistics.peak_widths",
    "store.pack",
    "data.as_data",
    "report.page",
    "integrations.lightning",
]
PROBE = (
    "import landscape.study.pipelines, landscape.probing.prober, landscape\n"
    "assert callable(landscape.probe)"
)


def torchless(statement):
    return f"import sys; {statement}; assert 'torch' not in sys.modules"


def without_import(name):
    room, _, rest = name.partition(".")
    return (
        f"import landscape; found = landscape.{name}; "
        f"assert {room!r} in dir(landscape), dir(landscape); "
        f"assert {rest.split('.')[0]!r} in dir(landscape.{room}), dir(landscape.{room})"
    )


@pytest.fixture(scope="module")
def without_torch():
    return fresh.errors(LIGHT, [*map(torchless, WITHOUT_TORCH)])


@pytest.fixture(scope="module")
def with_torch():
    return fresh.errors(HEAVY, [PROBE, *map(without_import, ROOMS)])


@pytest.mark.parametrize("statement", WITHOUT_TORCH)
def test_without_torch(statement, without_torch):
    assert without_torch[torchless(statement)] == ""


def test_public_names():
    assert dir(landscape) == sorted(landscape.__all__)
    for name in landscape.__all__:
        found = getattr(landscape, name)
        if isinstance(found, types.ModuleType):
            assert found.__name__ == f"landscape.{name}"
        elif name != "__version__":
            assert found.__module__.startswith("landscape.")
            assert found.__name__.rstrip("_") == name
    assert landscape.__version__ == version("accuracy-landscape")
    with pytest.raises(AttributeError, match="no attribute 'probes'"):
        landscape.probes  # noqa: B018


def test_the_probe_is_a_function_whatever_was_imported_before(with_torch):
    assert with_torch[PROBE] == ""


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_need_no_import_of_their_own(name, with_torch):
    assert with_torch[without_import(name)] == ""
