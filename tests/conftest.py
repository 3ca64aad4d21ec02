from collections.abc import Callable

import pytest
import torch
import xarray as xr
from helpers.synthetic import synthetic

# Several test processes share the cores; threads that wait for each other would only slow them.
torch.set_num_threads(1)


@pytest.fixture
def make() -> Callable[..., xr.Dataset]:
    return synthetic


@pytest.fixture
def dataset() -> xr.Dataset:
    return synthetic()
