import numpy as np
import pytest
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.slices.choice import choose_metric, choose_plane
from landscape.slices.planes import cosine, first_line, is_plane, path_shown, require_plane
from landscape.slices.wording import step_label


def test_a_slice_of_a_plane_goes_through_its_origin():
    plane = planes.plane()
    assert is_plane(plane)
    values = choose_metric(plane, "loss")
    assert values.dims == ("checkpoint", "draw", "evaluation_set", "step_size")
    np.testing.assert_array_equal(values[0, 0, 0], planes.loss(plane["step_size"].values, 0.0))
    assert not is_plane(first_line(plane))
    assert first_line(first_line(plane)).identical(first_line(plane))
    without = plane.isel(step_size_2=slice(5, None))
    with pytest.raises(InvalidValueError, match="not sampled at 0"):
        choose_metric(without, "loss")


def test_values_over_a_plane_have_both_directions_last():
    plane = planes.plane().transpose("step_size", ...)
    values = choose_plane(plane, "accuracy")
    assert values.dims[-2:] == ("step_size_2", "step_size")
    line = first_line(plane)
    with pytest.raises(InvalidValueError, match="--and"):
        require_plane(line)


def test_axes_say_which_direction_they_are():
    plane = planes.plane()
    assert step_label(plane["step_size"], plane) == "step size along random direction 1"
    assert step_label(plane["step_size_2"], plane) == "step size along random direction 2"


def test_directions_made_orthogonal_have_cosine_0():
    assert (cosine(planes.plane()) == 0).all()
    assert (cosine(planes.plane(orthogonal=False)) == 0.02).all()
    assert path_shown(planes.plane())
    assert not path_shown(planes.plane(path=0))
