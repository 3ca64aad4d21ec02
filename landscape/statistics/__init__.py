"""Statistics of slices, with intervals; and other metrics from stored per-sample values.

* Of one slice, or many as an array (…, step_size): ``peak_width``, ``plateau``, ``best_step``,
  ``critical_step_size``, ``odd_even``, ``armijo_slack`` and the parabolas.
* Of a Dataset with named dimensions, as ``landscape.probe`` and ``landscape.open`` give it:
  ``peak_widths``, ``plateaus``, ``best_steps``, ``critical_step_sizes``, ``batch_bias``, ``gap``,
  ``armijo``, ``parabolas``, ``distance``, ``learning_step``. They keep every dimension but
  step_size, so that they also work on the Datasets below. ``batch_noise`` combines other batches
  and draws, ``scalars`` gives plain numbers of one slice, for a training's logger;
  ``range_problems`` says whether the step sizes show anything.
* From per-sample values, as ``landscape.open_samples`` gives them: ``rederive`` (another metric)
  and ``resample_samples``; from several draws ``resample_draws``; then ``interval``.

A NaN makes every statistic that needs the value there NaN. Where the other values still give an
answer (the ends of a peak, the best step size), the answer is marked open. Infinite values follow
floating-point arithmetic.
"""

from landscape.slices.selection import (
    distance,
    learning_step,
    metric_values,
    metrics,
    require_slices,
    set_name,
)
from landscape.statistics.bootstrap import interval, resample_draws
from landscape.statistics.critical import Critical, critical_step_size, critical_step_sizes
from landscape.statistics.curves import (
    Best,
    Parabola,
    armijo_slack,
    best_step,
    difference_parabola,
    fitted_parabola,
    mutschler_parabola,
    odd_even,
)
from landscape.statistics.differences import batch_bias, gap
from landscape.statistics.noise import batch_noise
from landscape.statistics.peaks import NOWHERE, SIGNS, Interval, center, peak_width, plateau
from landscape.statistics.per_sample import rederive, resample_samples
from landscape.statistics.points import armijo, best_steps, gradient_slope, parabolas
from landscape.statistics.ranges import range_problems
from landscape.statistics.scalars import scalars
from landscape.statistics.widths import AGAINST, peak_widths, plateaus

__all__ = [
    "AGAINST",
    "NOWHERE",
    "SIGNS",
    "Best",
    "Critical",
    "Interval",
    "Parabola",
    "armijo",
    "armijo_slack",
    "batch_bias",
    "batch_noise",
    "best_step",
    "best_steps",
    "center",
    "critical_step_size",
    "critical_step_sizes",
    "difference_parabola",
    "distance",
    "fitted_parabola",
    "gap",
    "gradient_slope",
    "interval",
    "learning_step",
    "metric_values",
    "metrics",
    "mutschler_parabola",
    "odd_even",
    "parabolas",
    "peak_width",
    "peak_widths",
    "plateau",
    "plateaus",
    "range_problems",
    "rederive",
    "require_slices",
    "resample_draws",
    "resample_samples",
    "scalars",
    "set_name",
]
