"""Checkpoints: written, read as plain data whoever wrote them, and loaded into models."""

from landscape.training.checkpoints.checkpoint import Checkpoint, write
from landscape.training.checkpoints.files import CheckpointFiles, find
from landscape.training.checkpoints.reading import read, read_safely
from landscape.training.checkpoints.state_dicts import check_state, copied, load_into

__all__ = [
    "Checkpoint",
    "CheckpointFiles",
    "check_state",
    "copied",
    "find",
    "load_into",
    "read",
    "read_safely",
    "write",
]
