import sys
from collections.abc import Callable, Iterator

import pytest
import torch
import xarray as xr
from helpers.synthetic import synthetic

from landscape.runtime import interrupts

# Several test processes share the cores; threads that wait for each other would only slow them.
torch.set_num_threads(1)


@pytest.fixture
def make() -> Callable[..., xr.Dataset]:
    return synthetic


@pytest.fixture
def dataset() -> xr.Dataset:
    return synthetic()


@pytest.fixture(autouse=True)
def a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest-xdist tells its workers how wide its own terminal is.
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def no_signal_is_remembered() -> Iterator[None]:
    yield
    interrupts.received.clear()


@pytest.fixture(autouse=True)
def no_figure_is_left() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
