from collections.abc import Iterator

import pytest
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Each test starts without figures and leaves none behind."""
    assert not plt.get_fignums()
    yield
    plt.close("all")
