"""Figures need no network: what draws and what reads loads no torch."""

import subprocess
import sys
import types
from importlib.metadata import version

import pytest

import landscape


@pytest.mark.parametrize(
    "statement",
    [
        "import landscape",
        "from landscape import plots, statistics; plots.plot_widening",
        "import landscape; landscape.open",
        "from landscape import plots; import landscape.tables.formats; plots.plot_training",
        "import landscape.tables.summary, landscape.metrics",
        "import landscape.tasks",
    ],
)
def test_without_torch(statement):
    code = f"import sys; {statement}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


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


def test_the_probe_is_a_function_whatever_was_imported_before():
    code = (
        "import landscape.study.pipelines, landscape.probing.prober, landscape;"
        "assert callable(landscape.probe)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name",
    [
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
    ],
)
def test_rooms_need_no_import_of_their_own(name):
    room, _, rest = name.partition(".")
    code = (
        f"import landscape; found = landscape.{name}; "
        f"assert {room!r} in dir(landscape), dir(landscape); "
        f"assert {rest.split('.')[0]!r} in dir(landscape.{room}), dir(landscape.{room})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
