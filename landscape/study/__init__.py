"""Studies that write files: runs, recordings, probes of checkpoints, pipelines, benchmarks."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.study import benchmark
    from landscape.study.checkpoint_probe import default_store, probe, task_of
    from landscape.study.pipelines import Demo, demo, pre_study
    from landscape.study.recorder import Recorder
    from landscape.study.runs import train

__all__ = [
    "Demo",
    "Recorder",
    "benchmark",
    "default_store",
    "demo",
    "pre_study",
    "probe",
    "task_of",
    "train",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Demo": "pipelines:",
        "Recorder": "recorder:",
        "benchmark": "benchmark",
        "default_store": "checkpoint_probe:",
        "demo": "pipelines:",
        "pre_study": "pipelines:",
        "probe": "checkpoint_probe:",
        "task_of": "checkpoint_probe:",
        "train": "runs:",
    },
)
