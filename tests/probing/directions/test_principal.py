import numpy as np
import pytest
import torch
from helpers import cases
from helpers.along import taken
from sklearn.decomposition import PCA

from landscape.errors import InvalidValueError
from landscape.network.state import State
from landscape.probing.directions.direction import Landmarks
from landscape.probing.path import project


def path_of(model, points=6):
    """A model on its way: most along one direction, less along another, a little along all."""
    torch.manual_seed(0)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    big, small = ({n: torch.randn_like(p) for n, p in start.items()} for _ in range(2))
    states = []
    for i in range(points):
        with torch.no_grad():
            for name, p in model.named_parameters():
                noise = 0.01 * torch.randn_like(p)
                p.copy_(start[name] + i * big[name] + 0.3 * np.sin(i) * small[name] + noise)
        states.append(State.of(model, iteration=10 * i, epoch=i / 2))
    return states


def flat(values):
    return np.concatenate([each.double().reshape(-1).numpy() for each in values.values()])


def test_components_against_scikit_learn():
    model = cases.fresh("mlp")
    path = path_of(model)
    rows = np.stack([flat(state.parameters) for state in path])
    known = PCA().fit(rows)
    for number in (1, 2, 3):
        found = taken(f"principal-{number}", model, landmarks=Landmarks(path=path))
        cosine = flat(found.tangent) @ known.components_[number - 1]
        assert abs(cosine) == pytest.approx(1, abs=1e-5)
        share = found.numbers["explained_variance"]
        assert share == pytest.approx(known.explained_variance_ratio_[number - 1], rel=1e-5)
        # The way that the training went.
        assert (rows[-1] - rows[0]) @ flat(found.tangent) >= 0
    assert "principal component 3 of 6" in found.about


def test_a_path_is_projected_by_least_squares():
    model = cases.fresh("mlp")
    path = path_of(model)
    landmarks = Landmarks(path=path)
    first, second = (taken(name, model, landmarks=landmarks) for name in ("principal-1", "random"))
    origin = path[2].parameters
    found = project(path, origin, [first, second])
    rows = np.stack([flat(state.parameters) - flat(origin) for state in path])
    full = {n: second.tangent.get(n, torch.zeros_like(p)) for n, p in origin.items()}
    basis = np.stack([flat(first.tangent), flat(full)]).T
    expected, *_ = np.linalg.lstsq(basis, rows.T)
    np.testing.assert_allclose(found.step_sizes, expected, rtol=1e-6, atol=1e-9)
    rest = rows - expected.T @ basis.T
    np.testing.assert_allclose(found.distances, np.linalg.norm(rest, axis=1), rtol=1e-6, atol=1e-6)
    assert found.distances[2] == 0
    assert found.step_sizes[:, 2].tolist() == [0, 0]
    kept = ((expected - expected.mean(1, keepdims=True)).T @ basis.T) ** 2
    assert found.explained == pytest.approx(
        kept.sum() / ((rows - rows.mean(0)) ** 2).sum(), rel=1e-6
    )
    assert found.iterations == [0, 10, 20, 30, 40, 50]
    assert found.epochs[3] == 1.5


def test_components_explain_the_path_of_their_plane():
    model = cases.fresh("mlp")
    landmarks = Landmarks(path=path_of(model))
    both = [taken(f"principal-{k}", model, landmarks=landmarks) for k in (1, 2)]
    found = project(landmarks.path, landmarks.path[-1].parameters, both)
    explained = sum(each.numbers["explained_variance"] for each in both)
    assert found.explained == pytest.approx(explained, rel=1e-6)


def test_more_components_than_checkpoints():
    model = cases.fresh("mlp")
    path = path_of(model, points=3)
    with pytest.raises(InvalidValueError, match=r"at least 4 checkpoints .* there are 3"):
        taken("principal-3", model, landmarks=Landmarks(path=path))
    still = [path[0], path[0], path[1], path[1]]
    with pytest.raises(InvalidValueError, match="move along fewer than 2 directions"):
        taken("principal-2", model, landmarks=Landmarks(path=still))
    with pytest.raises(InvalidValueError, match="there are 0"):
        taken("principal-1", model)


def test_a_checkpoint_that_is_not_finite_has_no_components():
    model = cases.fresh("mlp")
    path = path_of(model)
    next(iter(path[2].parameters.values())).view(-1)[0] = np.nan
    with pytest.raises(InvalidValueError, match="checkpoint at iteration 20 has NaN or infinity"):
        taken("principal-1", model, landmarks=Landmarks(path=path))
