"""What a number is about: from outputs and targets to the values of each sample, pixel or token."""

from landscape.network.measures.kinds import Kind
from landscape.network.measures.measure import Measure, as_measure
from landscape.network.measures.units import Units

__all__ = ["Kind", "Measure", "Units", "as_measure"]
