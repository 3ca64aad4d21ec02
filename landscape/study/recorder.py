"""Probing during the training, in anyone's own training loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import islice
from math import nan
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import nn

from landscape import arguments, store
from landscape.data import Split, as_data
from landscape.data.batches import Target
from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.calling import Output
from landscape.network.forward import check_precision
from landscape.network.measures import as_measure
from landscape.probing.prober import Prober
from landscape.probing.settings import ProbeSettings, comparable
from landscape.runtime.devices import versions
from landscape.runtime.nested import Nested
from landscape.study.search_record import SearchObserver, search_settings, with_search


class Recorder:
    """Probes a model at chosen iterations of its training, on the very batches it trains on.

    Each training step runs in a ``with`` block; at most iterations, all that the block does is
    count:

    >>> import torch
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> recorder = landscape.Recorder(
    ...     "run.zarr", model, optimizer, (images, labels), validation, every=10
    ... )
    >>> for inputs, targets in zip(images.split(100), labels.split(100), strict=True):
    ...     with recorder(inputs, targets):
    ...         optimizer.zero_grad()
    ...         torch.nn.functional.cross_entropy(model(inputs), targets).backward()
    ...         optimizer.step()
    >>> landscape.open("run.zarr")["iteration"].values.tolist()
    [0, 10]

    A recorder does not change the training, which ends at the same bits with and without it. After
    a probe that fails, and after Ctrl-C, the model is as it was, and the store has no incomplete
    row.

    ``iteration`` is the number of updates made before the next step. The recorder counts them; a
    training that goes on from a checkpoint sets it. Iterations that the store holds are not probed
    again: a resumed training goes on in the same store, a new training needs a new store.

    What a search measured is kept along ``checkpoint``: ``search_value`` (h(0)), ``search_slope``,
    ``search_step_size`` (the one taken) and ``search_outcome`` ("accepted", "exhausted" or
    "skipped", see :class:`Search`; "held" between two searches; "none" for other optimizers, whose
    step size is their learning rate). Along (checkpoint, trial), ``trial_step_size`` and
    ``trial_value`` are NaN after the last trial. The attribute ``search`` holds the searched
    metric, the sufficient-decrease constant c and the search's other settings.

    Args:
        path: the store, a folder; ``landscape.open`` also reads it during the training.
        model: the model that is trained.
        optimizer: any of torch's. Of a line search (:class:`LineSearch`), the store also holds what
            its search measured.
        train: the training data, as in :func:`landscape.probe`; other batches and the big batch are
            drawn from it.
        validation: the validation data, as in :func:`landscape.probe`, or None.
        at: the iterations to probe, e.g. those of :func:`checkpoint_iterations`; or give ``every``.
        every: probe each multiple of this many iterations, beginning at 0.
        loss: as in :func:`landscape.probe`, like ``forward``, ``output`` and ``target``.
        forward: (model, inputs) -> the model's output.
        output: which part of the model's output is used.
        target: which part of a sample is its target.
        task: a name for what is trained, shown in titles of figures; the model's class unless
            given.
        run: anything else that the store should keep about the training.
        on_slice: called with each recorded slice, a Dataset of one checkpoint, once it is written;
            a training's logger can take :func:`landscape.statistics.scalars` of it.
        **settings: the fields of :class:`ProbeSettings`. ``batch_size`` is that of the first batch
            unless given, and ``draws`` is 1. With ``origin="after-step"``, the slice goes along the
            gradient from before the update, through the point after it. What a line search searched
            is always kept, so that it can be drawn: its metric is added to ``metrics``,
            "same_batch" to ``sets``, and its slope factor, if any, to ``slope_factors``.

    Raises:
        InvalidValueError: for settings that are not allowed, and for data that is too small: at the
            first step unless ``batch_size`` is given.
        StoreError: at the first step, for a store that was made with other settings.
    """

    def __init__(
        self,
        path: str | Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        train: Any,
        validation: Any = None,
        *,
        at: Iterable[int] | None = None,
        every: int | None = None,
        loss: Any = cross_entropy,
        forward: Callable[[nn.Module, Nested], Any] | None = None,
        output: Output = None,
        target: Target = None,
        task: str | None = None,
        run: Mapping[str, Any] | None = None,
        on_slice: Callable[[xr.Dataset], object] | None = None,
        **settings: Any,
    ) -> None:
        chosen = ProbeSettings.from_mapping(settings)
        _ = chosen.fixed_step_sizes  # all of a training's slices have the same
        if chosen.draws != 1:
            raise InvalidValueError(
                f"draws is {chosen.draws}; a training step has one batch, so choose 1"
            )
        self.iteration = 0
        self._at, self._every = _iterations(at, every)
        self.path = arguments.local_path(path)
        self._model = model
        self._optimizer = optimizer
        measure = as_measure(loss)
        self.split = split = Split(target, measure.own)
        self._train = as_data(train, "training data", split=split)
        self._validation = (
            None if validation is None else as_data(validation, "validation data", split=split)
        )
        self._how: dict[str, Any] = {"loss": measure, "forward": forward, "output": output}
        self._settings = with_search(chosen, optimizer)
        for first in islice(model.parameters(), 1):
            check_precision(self._settings.precision, first.device, first.dtype)
        self._sized = "batch_size" in settings
        if self._sized:  # what does not suit the data is refused here, not at the first step
            Prober(self._train, self._validation, self._settings, **self._how)
        self._about: dict[str, Any] = {
            "task": task or type(model).__name__,
            "optimizer": type(optimizer).__name__,
        }
        self._run = dict(run or {})
        self._on_slice = on_slice
        self._prober: Prober | None = None  # made at the first batch, whose size it needs
        self._writer: store.Writer | None = None
        self._done: set[int] = set()
        self._waiting = False  # for a batch to probe on
        self._unprobed = _UnprobedStep(self)

    def __call__(
        self,
        inputs: Any,
        targets: Any,
        *,
        indices: Any = None,
        iteration: int | None = None,
        epoch: float = nan,
    ) -> AbstractContextManager[None]:
        """Return the ``with`` block of one training step.

        A batch smaller than the first one, as the last of an epoch may be, is not probed; the next
        full batch is probed instead. If the block raises, nothing is written and the step does not
        count.

        Args:
            inputs: those of the step's batch, (N, …); for the loss "model" with the targets in it,
                as ``recorder.split(batch)`` gives them.
            targets: its targets, (N, …).
            indices: the samples' places in the training data, (N,) integers. With them, the other
                batches and the big batch have no sample of this batch; without, they may.
            iteration: sets the number of updates made before this step; counted on unless given.
            epoch: passes over the training data, 0.5 in the midst of the first, for the store; NaN
                where unknown.

        Returns:
            The context in which the caller makes the update.
        """
        if iteration is not None:
            self.iteration = iteration
        if self._prober is None:
            self._prober = self._open(_samples(targets))
        if self._due(_samples(targets), self._prober.settings.gradient_batch):
            return self._recording(self._prober, (inputs, targets, indices), epoch)
        return self._unprobed

    def due(self, iteration: int) -> bool:
        """Tell whether a step is to be probed, if its batch is not too small.

        Args:
            iteration: the number of updates made before the step.

        Returns:
            Whether it is one of those asked for, or the one before it had too small a batch.
        """
        asked = iteration in self._at or (self._every and iteration % self._every == 0)
        return self._waiting or bool(asked)

    def _due(self, samples: int, batch_size: int) -> bool:
        self._waiting = self.due(self.iteration)
        if not self._waiting or samples < batch_size:
            return False
        self._waiting = False
        return self.iteration not in self._done

    @contextmanager
    def _recording(self, prober: Prober, batch: tuple[Any, ...], epoch: float) -> Iterator[None]:
        iteration, watch = self.iteration, SearchObserver(self._optimizer)

        def probe(**along: Any) -> xr.DataTree:
            return prober(
                self._model,
                iteration=iteration,
                epoch=epoch,
                learning_rate=watch.learning_rate,
                optimizer=self._optimizer,
                batch=batch,
                **along,
            )

        if prober.settings.origin == "before-step":
            row = probe()
            yield
        else:
            directions = prober.directions(
                self._model,
                batch,
                iteration=iteration,
                learning_rate=watch.learning_rate,
                optimizer=self._optimizer,
            )
            yield
            row = probe(directions=directions)
        self.iteration = iteration + 1
        row.dataset = row.to_dataset().assign_coords(watch.coordinates())
        self._write(row)
        self._done.add(iteration)
        if self._on_slice is not None:
            # Of which a reader has to know whether its learning rate is a step along the gradient.
            known = {name: self._about[name] for name in ("optimizer", "search")}
            self._on_slice(row.to_dataset().assign_attrs(known))

    def _open(self, samples: int) -> Prober:
        settings = self._settings
        if not self._sized:
            settings = replace(settings, batch_size=samples)
        prober = Prober(self._train, self._validation, settings, **self._how)
        first = next(self._model.parameters(), torch.empty(0))
        self._about |= {
            "search": search_settings(self._optimizer),
            "training_samples": len(self._train),
            "device": first.device.type,
            "dtype": str(first.dtype).removeprefix("torch."),
            "settings": prober.settings.as_dict(),
        }
        if self.path.exists():
            self._writer = store.resume(self.path)
            store.upgrade(self._writer)
            store.require_same(self._writer, self._about, comparable)
            if "loss" in self._writer.attributes:  # which older stores lack
                store.require_same(self._writer, {"loss": prober.loss})
            self._done = {int(i) for i in self._writer.column("iteration")}
        return prober

    def _write(self, row: xr.DataTree) -> None:
        if self._writer is None:
            device = next(self._model.parameters()).device
            assert self._prober is not None
            attributes = {**self._about, "loss": self._prober.loss, "run": self._run}
            attributes |= versions(device)
            self._writer = store.create(
                self.path, row, rows=max(1, len(self._at)), attributes=attributes
            )
        self._writer.write(row)


class _UnprobedStep:
    """The ``with`` block of a step that is not probed: it only counts the update."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._recorder.iteration += 1


def _samples(targets: Any) -> int:
    """The number of samples of a batch's targets."""
    while isinstance(targets, Mapping | tuple):
        targets = next(iter(targets.values() if isinstance(targets, Mapping) else targets))
    return len(targets)


def _iterations(at: Iterable[int] | None, every: int | None) -> tuple[frozenset[int], int | None]:
    if (at is None) == (every is None):
        raise InvalidValueError(
            f"at is {at!r} and every is {every!r}; give one of them: the iterations to probe, or "
            "the distance between them"
        )
    if every is not None:
        every = arguments.integer("every", every, 1)
    return frozenset(arguments.integers("at", () if at is None else at, 0)), every
