import numpy as np
import pytest
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.slices.caption import caption, shared_caption

UNSEEN = (
    "This is one line out of as many dimensions as there are parameters: minima elsewhere are not "
    "seen, and widths compare networks of one architecture only."
)


def test_a_slice_is_told_by_direction_norm_origin_sets_and_what_is_not_seen():
    line = planes.line([-1, 0, 1], [1, 0, 1])
    assert caption(line) == (
        f"A step size s leads to θ + s·d; d is θ_b − θ ({planes.ABOUT}), of norm 2; 0 is the "
        "checkpoint itself. Measured on same batch (64 samples) with batch statistics and on "
        f"validation (360) with running statistics in any batch norm. {UNSEEN}"
    )


def test_a_plane_is_told_by_both_directions_their_angle_and_the_path():
    said = caption(planes.plane(), "loss", "validation")
    assert "θ + s·d₁ + t·d₂; d₁ is random direction 1" in said
    assert "of norm 2; d₂ is random direction 2 (likewise), of norm 1.5; d₁ and d₂ are" in said
    assert "orthogonal" in said
    assert "Loss is measured on validation (360 samples) with running statistics" in said
    assert "same batch" not in said
    assert said.count("; 2 draws.") == 1
    assert "projections, which keep 93 % of its variance." in said
    assert "one plane out of" in said
    assert 3 <= said.count(". ") + 1 <= 4
    assert "their cosine is 0.02" in caption(planes.plane(orthogonal=False))
    assert "path" not in caption(planes.plane(path=0))


def test_norms_that_differ_are_a_range_and_those_of_1_are_distances(make):
    assert "d is −∇L, of norm 0.5 to 2.4;" in caption(make(draws=3))
    line = planes.line([0, 1], [0, 1], checkpoints=3)
    line["direction_norm"][:] = [[2], [np.nan], [0.5]]
    assert "of norm 0.5 to 2 (or not finite)" in caption(line)
    line["direction_norm"][:] = np.inf
    assert "of norm nan" in caption(line)
    line["direction_norm"][:] = 1
    assert "of norm 1, so that a step size is a distance" in caption(line)


def test_sets_of_one_batch_norm_policy_stand_together(make):
    said = caption(make(), "smooth_accuracy")
    assert (
        "Smooth accuracy is measured on same batch (128 samples), other batch 1 (128), other batch "
        "2 (128) and big batch (1024) with batch statistics and on validation (4096) with running "
        "statistics in any batch norm." in said
    )


def test_the_point_after_the_step_is_named():
    line = planes.line([0, 1], [0, 1]).assign_attrs(origin="after-step")
    assert "; 0 is one optimizer step after the checkpoint." in caption(line)


def test_what_is_not_stored_is_not_said():
    line = planes.line([0, 1], [0, 1]).drop_vars(["samples", "batch_norm", "direction_norm"])
    line.attrs = {}
    assert caption(line) == (
        f"A step size s leads to θ + s·d. Measured on same batch and validation. {UNSEEN}"
    )


def test_names_of_a_stranger_stay_in_one_line():
    line = planes.line([0, 1], [0, 1]).assign_attrs(direction_about="x\ny\x1b[31m" + "z" * 999)
    said = caption(line)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [(("los",), "did you mean 'loss'"), ((None, "validaton"), "did you mean 'validation'")],
)
def test_what_is_not_there_is_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        caption(planes.plane(), *options)
    with pytest.raises(InvalidValueError, match="no slices"):
        caption(planes.plane().isel(draw=0))


def test_several_stores_are_told_by_what_they_share():
    line = planes.line([0, 1], [0, 1])
    assert shared_caption([line, line.copy(deep=True)]) == caption(line)
    other = line.copy(deep=True)
    other["direction_norm"][:] = 7
    said = shared_caption([line, other])
    assert "θ + s·d" not in said
    assert said.startswith("Measured on same batch (64 samples)")
    assert said.endswith(f"{UNSEEN} In what is not said here the stores differ.")


def test_eigenvalues_are_those_of_all_that_is_shown():
    line = planes.line([0, 1], [0, 1], checkpoints=2)
    line = line.assign_coords(eigenvalue=(("checkpoint", "draw"), [[2.5], [4.0]]))
    assert ", with the eigenvalue 2.5 to 4, of norm" in caption(line)
    assert ", with the eigenvalue 4, of norm" in caption(line.isel(checkpoint=[1]))
