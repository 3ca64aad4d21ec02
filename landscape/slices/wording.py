"""What a Dataset holds, in the words of axes, legends, titles and tables."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr

from landscape.errors import visible
from landscape.slices.schema import upgraded

ROUNDING = 1e-12  # share of two values below which their difference is rounding
LONGEST = 60  # characters of a name in a title

# Names of stores and commands -> as people write them.
DATASETS: Mapping[str, str] = {
    "digits": "digits",
    "mnist": "MNIST",
    "fashion": "FashionMNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
}
MODELS: Mapping[str, str] = {
    "mlp": "MLP",
    "cnn": "CNN",
    "resnet20": "ResNet20",
    "resnet34": "ResNet34",
    "densenet121": "DenseNet121",
}
OPTIMIZERS: Mapping[str, str] = {
    "sgd": "SGD",
    "sgd-schedule": "SGD with a schedule",
    "adam": "Adam",
    "sgd-armijo": "SGD-Armijo",
    "l-sls": "l-SLS",
    "a-sls": "a-SLS",
    "sa-sls": "sa-SLS",
    "sa-sls-thesis": "sa-SLS as published",
    "sgdarmijo": "SGD-Armijo",
    "losssls": "l-SLS",
    "accuracysls": "a-SLS",
    "smoothaccuracysls": "sa-SLS",
    **{
        name.lower(): name
        for name in (
            *("Adadelta", "Adafactor", "Adagrad", "Adamax", "AdamW", "ASGD", "LBFGS", "Muon"),
            *("NAdam", "RAdam", "RMSprop", "Rprop", "SparseAdam"),
        )
    },
}
# What a setting of a run or a probe reads as; the first that fits a whole setting is taken, and
# what reads as "" is left out.
SETTINGS: tuple[tuple[str, str], ...] = (
    (r"batch norm (batch|running)", r"batch norm with \1 statistics"),
    (r"batch norm recalibrated", "batch norm recalibrated"),
    (r"origin (before|after)-step", r"\1 the step"),
    (r"preset thesis", "as published"),
    (r"(?:weights )?plain", ""),
    (r"(epoch|draw)s 1", r"1 \1"),
    (r"(epochs|draws) (\d+)", r"\2 \1"),
    (r"search every 1", "searched every step"),
    (r"search every (\d+)", r"searched every \1 steps"),
    (r"search batch same", "searched on the same batch"),
    (r"search batch (\d+)", r"searched on another batch of \1"),
    (r"gamma (\S+)", r"growth factor \1"),
    (r"n (\d+)", r"growth over \1 steps"),
    (r"beta (\S+)", r"backtracking factor \1"),
    (r"c (\S+)", r"c = \1"),
    (r"(.+) true", r"\1"),
    (r"(.+) false", r"no \1"),
)


def task_label(task: str) -> str:
    """Word a task.

    >>> task_label("cifar10.npz-resnet20"), task_label("mytask.py:task")
    ('ResNet20 on cifar10.npz', 'mytask')

    Args:
        task: its name in a store: a data set (or its file) and a network, a function in a file, or
            a name of the user's.

    Returns:
        A network "on" a data set, the name of the file, with that of a function not called "task",
        or the name as it is; "" for an unknown task.
    """
    if task in ("", "unknown"):
        return ""
    file, _, function = task.rpartition(":")
    if file.endswith(".py"):
        named = PurePath(file).stem
        return named if function == "task" else f"{named}: {name_label(function)}"
    data, _, model = task.rpartition("-")
    file_name = PurePath(data)
    if model in MODELS and (data in DATASETS or file_name.suffix):
        # What a file holds is not known by its name.
        return f"{MODELS[model]} on {DATASETS.get(data, file_name.name)}"
    return task


def optimizer_label(optimizer: str) -> str:
    """Word an optimizer.

    >>> optimizer_label("sa-sls"), optimizer_label("torch.rmsprop")
    ('sa-SLS', 'RMSprop')

    Args:
        optimizer: its name in a store, that of a command or of a class.

    Returns:
        The name as people write it; as it is where that is not known; "" for "unknown".
    """
    if optimizer == "unknown":
        return ""
    return OPTIMIZERS.get(optimizer.lower().removeprefix("torch."), optimizer)


def with_name(label: str, name: str) -> str:
    """Put the name that commands take beside a label.

    >>> with_name("MLP on MNIST", "mnist-mlp"), with_name("SGD", "sgd")
    ('MLP on MNIST (mnist-mlp)', 'SGD')

    Args:
        label: what people read.
        name: what commands take.

    Returns:
        Both, or the label alone where nothing but capitals sets them apart.
    """
    return label if label.lower() == name.lower() else f"{label} ({name})"


def run_label(label: str) -> str:
    """Word what tells runs apart.

    >>> run_label("l-sls, search every 100, gamma 1")
    'l-SLS, searched every 100 steps, growth factor 1'

    Args:
        label: an optimizer, settings or both, as :func:`landscape.histories.labels.run_labels`
            gives them.

    Returns:
        The same in words.
    """
    return ", ".join(filter(None, (_setting(part) for part in label.split(", "))))


def _setting(part: str) -> str:
    if found := re.fullmatch(r"direction (2 )?([^ :]+):?(.*)", part):
        second, name, argument = found.groups()
        named = " ".join(filter(None, (name.replace("-", " "), argument)))
        return f"second direction {named}" if second else named
    for pattern, words in SETTINGS:
        if found := re.fullmatch(pattern, part):
            return found.expand(words)
    return optimizer_label(part)


def name_label(name: str) -> str:
    """Word a stored name: ``other_batch_1`` becomes "other batch 1".

    Args:
        name: a name as in stores.

    Returns:
        The name with spaces for underscores.
    """
    return name.replace("_", " ")


def shortened(text: str, most: int = LONGEST) -> str:
    """Leave out the middle of a long name.

    Args:
        text: the name.
        most: how many characters it may have.

    Returns:
        The name, with "…" for its middle where it is longer.
    """
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def one_line(text: str, most: int = LONGEST) -> str:
    """Bring a name from elsewhere into one line that steers no terminal.

    Args:
        text: the name.
        most: how many characters it may have.

    Returns:
        The name, shortened, with spaces for line ends and escapes for control characters.
    """
    return shortened(visible(" ".join(text.split())), most)


def with_units(label: str, units: str) -> str:
    """Add units to a label.

    Args:
        label: the label.
        units: the units; "" or "1" for a pure number.

    Returns:
        "label (units)", or the label alone for a pure number.
    """
    return label if units in ("", "1") else f"{label} ({units})"


def step_label(array: xr.DataArray, dataset: xr.Dataset) -> str:
    """Label the axis along a slice, with its direction.

    Args:
        array: step sizes or distances; those along the second direction are called so.
        dataset: slices or planes.

    Returns:
        A label such as "step size along −∇L".
    """
    label = str(array.attrs.get("long_name", name_label(str(array.name))))
    second = "_2" if str(array.name).endswith("_2") else ""
    if symbol := upgraded(dataset).attrs.get(f"direction_symbol{second}"):
        label = f"{label.split(' along ')[0]} along {symbol}"
    return with_units(label, str(array.attrs.get("units", "1")))


def metric_label(values: xr.DataArray) -> str:
    """Word a metric.

    Args:
        values: the metric's values, at one slope factor if it has any.

    Returns:
        Its long name, with the slope factor if it has one.
    """
    label = str(values.attrs.get("long_name", name_label(str(values.name))))
    factor = f" (s = {values['slope_factor'].item():g})" if "slope_factor" in values.coords else ""
    return label + factor


def value_label(values: xr.DataArray, where: str = "") -> str:
    """Label a metric's axis.

    Args:
        values: the metric's values, at one slope factor if it has any.
        where: name of the evaluation set on which it was measured; "" for none.

    Returns:
        The metric, the set and the units.
    """
    label = metric_label(values) + (f", {name_label(where)}" if where else "")
    return with_units(label, str(values.attrs.get("units", "1")))


def placed_by(slices: xr.Dataset | xr.DataArray) -> str:
    """Say what tells checkpoints apart.

    Args:
        slices: slices, or values of them, at any number of checkpoints.

    Returns:
        "epoch" where their iterations are not known and ``iteration`` holds epochs, else
        "iteration".
    """
    return "epoch" if slices["iteration"].attrs.get("long_name") == "epoch" else "iteration"


def checkpoints_note(slices: xr.Dataset | xr.DataArray) -> str:
    """Word what the short labels of checkpoints hold.

    Args:
        slices: slices, or values of them, at any number of checkpoints.

    Returns:
        "iteration (epoch)", or "epoch" where iterations are not known.
    """
    return "iteration (epoch)" if placed_by(slices) == "iteration" else "epoch"


def checkpoint_label(checkpoint: xr.Dataset | xr.DataArray, short: bool = False) -> str:
    """Word one checkpoint.

    Args:
        checkpoint: slices at one checkpoint.
        short: whether to leave out the words "iteration" and "epoch".

    Returns:
        "iteration 1953 (epoch 5)" or, if ``short``, "1953 (5)", with epochs to a tenth, or to two
        digits below 0.1; left out is an unknown epoch, and an epoch 0 of a later iteration, of
        which an older version stored only finished epochs. "epoch 5" or "5" where the iteration is
        not known.
    """
    iteration, epoch = checkpoint["iteration"].item(), float(checkpoint["epoch"].item())
    by = placed_by(checkpoint)
    label = f"{iteration}" if short else f"{by} {iteration}"
    if np.isnan(epoch) or by == "epoch" or (epoch == 0 != iteration):
        return label
    return f"{label} ({epoch_number(epoch)})" if short else f"{label} (epoch {epoch_number(epoch)})"


def epoch_number(epoch: float) -> str:
    """Write how many epochs have passed.

    >>> epoch_number(5.0077), epoch_number(0.0256)
    ('5', '0.026')

    Args:
        epoch: the number, at least 0.

    Returns:
        It to a tenth, or to two digits below 0.1.
    """
    return f"{round(epoch, 1):g}" if not epoch < 0.1 else f"{epoch:.2g}"


def number(value: float, beside: float = 0.0) -> str:
    """Write a number with three digits and a true minus sign, not a hyphen.

    Args:
        value: the number.
        beside: of a difference, the size of what was subtracted; a difference that is but its
            rounding is 0.

    Returns:
        The text.
    """
    if abs(value) <= ROUNDING * abs(beside) < np.inf:
        return "0"
    return f"{value:.3g}".replace("-", "−")


def optimizer_name(attributes: Mapping[str, Any]) -> str:
    """Name the optimizer of slices or a history, as commands do where that is known.

    >>> optimizer_name({"optimizer": "AdamW", "run": {"optimizer": "adam"}})
    'adam'

    Args:
        attributes: those of a Dataset.

    Returns:
        The name in the run's settings, else the one that is stored, perhaps that of a class; "" for
        none.
    """
    run = attributes.get("run") or {}
    return str(run.get("optimizer") or attributes.get("optimizer") or "")


def source_names(dataset: xr.Dataset) -> tuple[str, str]:
    """Word task and optimizer.

    Args:
        dataset: slices, or a history.

    Returns:
        (task, optimizer), each in one line; "" where it is unknown.
    """
    task, optimizer = str(dataset.attrs.get("task") or ""), optimizer_name(dataset.attrs)
    return one_line(task_label(task)), one_line(optimizer_label(optimizer))


def source_label(dataset: xr.Dataset, *more: str) -> str:
    """Word where slices or histories come from, for a title.

    Args:
        dataset: slices, or a history.
        *more: what else the title should say.

    Returns:
        Task, optimizer (if known), whether 0 is after the step, and ``more``, separated by commas.
    """
    parts = [each for each in source_names(dataset) if each]
    if dataset.attrs.get("origin") == "after-step":
        parts.append("0 is after the step")
    return ", ".join([*parts, *more])


def checkpoints_label(dataset: xr.Dataset, most: int) -> str:
    """Word all checkpoints.

    Args:
        dataset: slices.
        most: how many iterations are listed in full; of more, only the first and last five are.

    Returns:
        A text such as "2 at iteration 10, 200 (epoch 0.5 to 10)", or "2 at epoch 1, 2" where
        iterations are not known.
    """
    label = str(dataset.sizes["checkpoint"])
    by = "iteration"
    if "iteration" in dataset.coords:
        by = placed_by(dataset)
        iterations = [str(each) for each in np.ravel(dataset["iteration"].values)]
        if len(iterations) > most:
            iterations = [*iterations[:5], "…", *iterations[-5:]]
        label += f" at {by} {', '.join(iterations)}" * bool(iterations)
    epochs = np.ravel(dataset["epoch"].values) if "epoch" in dataset.coords else np.array([])
    if by == "iteration" and epochs.size and np.isfinite(epochs).all():
        ends = dict.fromkeys(map(epoch_number, (epochs[0], epochs[-1])))
        label += f" (epoch {' to '.join(ends)})"
    return label
