"""Statistics of slices, with intervals; and other metrics from stored per-sample values.

* Of one slice, or many as an array (…, step_size): ``peak_width``, ``plateau``, ``best_step``,
  ``critical_step_size``, ``odd_even``, ``armijo_slack``, ``convexity``, ``barrier``, ``jumps`` and
  the parabolas; of planes as an array (…, step_size, step_size_2): ``area``, ``best_point``,
  ``local_minima`` and ``fitted_quadratic``.
* Of a Dataset with named dimensions, as ``landscape.probe`` and ``landscape.open`` give it:
  ``peak_widths``, ``plateaus``, ``best_steps``, ``critical_step_sizes``, ``batch_bias``, ``gap``,
  ``armijo``, ``parabolas``, ``distance``, ``learning_step``, ``convexities``, ``barriers``,
  ``curvatures``, ``critical_sharpness``, ``relative_critical_sharpness``. They keep every dimension
  but step_size, so that they also work on the Datasets below. ``batch_noise`` combines other
  batches and draws, ``batch_sharpness`` draws, ``scalars`` gives plain numbers of one slice, for a
  training's logger; ``range_problems`` says whether the step sizes show anything, and
  ``resolution_problems`` whether they are dense enough.
* Of planes, Datasets over step_size and step_size_2: ``areas``, ``anisotropy``, ``minima`` and
  ``resolution_problems``. Of the others, those that compare with the gradient or an eigenvalue take
  the slice along a plane's first direction, the rest every slice parallel to it.
* From per-sample values, as ``landscape.open_samples`` gives them: ``rederive`` (another metric)
  and ``resample_samples``; from several draws ``resample_draws``; then ``interval``, or both in
  ``mean_interval``. A mean
  over resampled draws has no direction of its own: what needs its norm, as a curvature, is computed
  of each draw, and then resampled.

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
from landscape.statistics.anisotropy import Quadratic, anisotropy, fitted_quadratic
from landscape.statistics.areas import Area, area, areas
from landscape.statistics.barriers import Barrier, barrier, barriers
from landscape.statistics.bootstrap import interval, mean_interval, resample_draws
from landscape.statistics.convexity import Convexity, convexities, convexity
from landscape.statistics.critical import Critical, critical_step_size, critical_step_sizes
from landscape.statistics.curvatures import curvatures
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
from landscape.statistics.minima import BestPoint, best_point, local_minima, minima
from landscape.statistics.noise import batch_noise
from landscape.statistics.peaks import NOWHERE, SIGNS, Interval, center, peak_width, plateau
from landscape.statistics.per_sample import rederive, resample_samples
from landscape.statistics.points import armijo, best_steps, gradient_slope, parabolas
from landscape.statistics.ranges import range_problems
from landscape.statistics.resolution import jumps, resolution_problems
from landscape.statistics.scalars import scalars
from landscape.statistics.sharpness import (
    batch_sharpness,
    critical_sharpness,
    relative_critical_sharpness,
)
from landscape.statistics.widths import AGAINST, peak_widths, plateaus

__all__ = [
    "AGAINST",
    "NOWHERE",
    "SIGNS",
    "Area",
    "Barrier",
    "Best",
    "BestPoint",
    "Convexity",
    "Critical",
    "Interval",
    "Parabola",
    "Quadratic",
    "anisotropy",
    "area",
    "areas",
    "armijo",
    "armijo_slack",
    "barrier",
    "barriers",
    "batch_bias",
    "batch_noise",
    "batch_sharpness",
    "best_point",
    "best_step",
    "best_steps",
    "center",
    "convexities",
    "convexity",
    "critical_sharpness",
    "critical_step_size",
    "critical_step_sizes",
    "curvatures",
    "difference_parabola",
    "distance",
    "fitted_parabola",
    "fitted_quadratic",
    "gap",
    "gradient_slope",
    "interval",
    "jumps",
    "learning_step",
    "local_minima",
    "mean_interval",
    "metric_values",
    "metrics",
    "minima",
    "mutschler_parabola",
    "odd_even",
    "parabolas",
    "peak_width",
    "peak_widths",
    "plateau",
    "plateaus",
    "range_problems",
    "rederive",
    "relative_critical_sharpness",
    "require_slices",
    "resample_draws",
    "resample_samples",
    "resolution_problems",
    "scalars",
    "set_name",
]
