"""The variables of a slice: their long names and units."""

from landscape.metrics import METRICS

NAMES = {
    "iteration": ("iteration", "1"),
    "epoch": ("epoch", "1"),
    "learning_rate": ("learning rate", "1"),
    "gradient_norm": ("gradient norm", "1"),
    "draw": ("draw", "1"),
    "evaluation_set": ("evaluation set", "1"),
    "kind": ("kind of evaluation set", "1"),
    "samples": ("number of samples", "1"),
    "batch_norm": ("batch-norm policy", "1"),
    "step_size": ("step size", "1"),
    "slope_factor": ("slope factor", "1"),
    "margin": ("margin", "1"),
    "target": ("class label", "1"),
    "index": ("place in the data", "1"),
    **{name: (metric.long_name, metric.units) for name, metric in METRICS.items()},
}
