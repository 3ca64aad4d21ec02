"""A Dataset of made-up slices, shaped like a pre-study's."""

import numpy as np
import xarray as xr

SIZES = np.array([0.0001, 0.001, 0.01, 0.1, 0.5, 1])
STEPS = np.concatenate([-SIZES[::-1], [0], SIZES])
SETS = {
    "same_batch": ("same_batch", 128),
    "other_batch_1": ("other_batch", 128),
    "other_batch_2": ("other_batch", 128),
    "big_batch": ("big_batch", 1024),
    "validation": ("validation", 4096),
}


def synthetic(checkpoints: int = 10, draws: int = 1, direction: str = "gradient") -> xr.Dataset:
    """Hats that widen with training, and the losses that go with them; no network was run."""
    rng = np.random.default_rng(0)
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    shape = (checkpoints, draws, len(SETS), len(STEPS))
    time = np.linspace(0, 1, checkpoints).reshape(-1, 1, 1, 1)
    offset = np.array([-0.08, 0, 0, 0, 0.01]).reshape(1, 1, -1, 1)
    overfit = np.array([0, 1, 1, 1, 4]).reshape(1, 1, -1, 1)
    wobble = rng.normal(0, 0.1, (checkpoints, draws, len(SETS), 1))
    samples = np.array([size for _, size in SETS.values()])
    width = 0.12 + 0.45 * time + 0 * wobble
    reach = ((STEPS + offset) / (width * (1 + wobble))) ** 2
    peak = 0.45 + 0.53 * time - 0.03 * overfit * time
    accuracy = 0.1 + (peak - 0.1) * np.exp(-reach)
    smooth = accuracy[..., None] * np.linspace(0.8, 1.0, 3)
    accuracy = np.round(accuracy * samples[:, None]) / samples[:, None]
    loss = 1.5 * (1 - time) ** 2 + 0.002 + 0.05 * overfit * time + 3 * np.abs(reach) ** 1.2
    norm = np.linspace(2.0, 0.5, checkpoints)[:, None] * np.linspace(1, 1.2, draws)
    iteration = np.array([100, *(1953 * np.arange(1, checkpoints))])[:checkpoints]
    full = np.broadcast_to
    return xr.Dataset(
        {
            "loss": (dims, full(loss, shape).copy(), {"long_name": "loss", "units": "nat"}),
            "accuracy": (
                dims,
                full(accuracy, shape).copy(),
                {"long_name": "accuracy", "units": "1"},
            ),
            "smooth_accuracy": (
                (*dims, "slope_factor"),
                full(smooth, (*shape, 3)).copy(),
                {"long_name": "smooth accuracy", "units": "1"},
            ),
        },
        coords={
            "iteration": ("checkpoint", iteration.astype(np.int64)),
            "epoch": ("checkpoint", iteration // 390.6),
            "learning_rate": ("checkpoint", np.full(checkpoints, 0.1)),
            "gradient_norm": (("checkpoint", "draw"), norm),
            "draw": np.arange(draws),
            "evaluation_set": np.array(list(SETS), dtype=object),
            "kind": ("evaluation_set", np.array([kind for kind, _ in SETS.values()], dtype=object)),
            "samples": ("evaluation_set", samples),
            "batch_norm": ("evaluation_set", np.array(["batch"] * 4 + ["running"], dtype=object)),
            "step_size": ("step_size", STEPS, {"long_name": "step size", "units": "1"}),
            "slope_factor": np.array([0.5, 1.0, 10.0]),
            **searches(checkpoints),
        },
        attrs={
            "search": {
                "metric": "loss",
                "mode": "min",
                "c": 0.1,
                "direction": "gradient",
                "symbol": "−∇L",
                "normalised": False,
            },
            "task": "synthetic",
            "optimizer": "none",
            "direction": direction,
            "origin": "before-step",
            "seed": 0,
        },
    )


def searches(checkpoints: int) -> dict[str, object]:
    """Two trials a checkpoint, the second accepted, as a Recorder stores them."""
    along, each = "checkpoint", ("checkpoint", "trial")

    def full(*values: object) -> np.ndarray:
        return np.array([values] * checkpoints)

    return {
        "search_value": (along, full(0.4)[:, 0]),
        "search_slope": (along, full(2.0)[:, 0]),
        "search_step_size": (along, full(0.45)[:, 0]),
        "search_outcome": (along, full("accepted")[:, 0].astype(object)),
        "trial_step_size": (each, full(0.5, 0.45, np.nan)),
        "trial_value": (each, full(0.6, 0.2, np.nan)),
    }
