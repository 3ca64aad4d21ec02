"""What each rank of the tests of torch.distributed runs; a new process can import it."""

import copy
import math

import torch
from helpers.cases import digits, fresh
from helpers.searches import FAMILY, mlp
from torch import distributed
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.sls import LossSLS, SmoothAccuracySLS

BATCH = 64

# Label -> optimizer, its settings, the number of steps, whether it searches on another batch.
SEARCHES = {
    "sa": ("sa", {}, 30, False),
    "sa, autograd": ("sa", {"lr": 20.0, "slope": "autograd"}, 8, False),
    "l": ("l", {}, 30, False),
    "armijo": ("armijo", {}, 30, False),
    "held": ("sa", {"lr": 20.0, "search_every": 3, "direction": "normalised-gradient"}, 8, False),
    "elsewhere": ("sa", {"lr": 20.0}, 8, True),
    "elsewhere, autograd": ("l", {"lr": 2.0, "direction": "normalised-gradient"}, 8, True),
}


def part(i, rank, ranks):
    """This rank's share of the joint batch of step i."""
    inputs, labels = digits()[0]
    start = i * BATCH % (1400 - BATCH)
    chosen = slice(start + rank, start + BATCH, ranks)
    return inputs[chosen].double(), labels[chosen]


def trained(label, rank=0, ranks=1):
    """Step sizes, searched values and final parameters of one of SEARCHES."""
    name, settings, steps, elsewhere = SEARCHES[label]
    model = mlp(dtype=torch.float64)
    run = DistributedDataParallel(model) if ranks > 1 else model
    optimizer = FAMILY[name](run.parameters(), n=20, **settings)
    seen = []
    for i in range(steps):
        own, other = part(i, rank, ranks), part(i + 7, rank, ranks)
        optimizer.step(
            lambda own=own: (run(own[0]), own[1]),
            (lambda other=other: (run(other[0]), other[1])) if elsewhere else None,
        )
        found = optimizer.last_search
        seen.append([optimizer.step_size, found.value, found.slope, found.step_size])
    return {"seen": seen, "counts": optimizer.counts, "parameters": parameters(model)}


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def refusals(rank):
    """A NaN on rank 1 alone: in the loss, at a step that holds, and in a trial."""
    inputs, labels = part(0, rank, 2)
    bad = inputs * (math.nan if rank else 1.0)
    said, untouched = [], []
    for search_every in (1, 2):
        model = DistributedDataParallel(mlp(dtype=torch.float64))
        optimizer = SmoothAccuracySLS(model.parameters(), search_every=search_every)
        optimizer.step(lambda model=model: (model(inputs), labels))
        before = parameters(model)
        try:
            optimizer.step(lambda model=model: (model(bad), labels))
        except InvalidValueError as error:
            said.append(str(error))
        untouched.append(torch.equal(parameters(model), before))
    calls, model = [], DistributedDataParallel(mlp(dtype=torch.float64))

    def metric(logits, targets):
        calls.append(1)
        values = F.cross_entropy(logits, targets, reduction="none")
        return values * math.nan if rank and len(calls) == 2 else values

    optimizer = LossSLS(model.parameters(), 0.1, metric=metric, loss=F.cross_entropy)
    optimizer.step(lambda: (model(inputs), labels))
    return {
        "said": said,
        "untouched": untouched,
        "trials": [math.isnan(value) for _, value in optimizer.last_search.trials],
        "parameters": parameters(model),
    }


def sizes_that_differ(rank):
    """h(0) where the ranks' batches have 20 and 44 samples, and the loss of this rank's."""
    inputs, labels = digits()[0]
    chosen = slice(0, 20) if rank == 0 else slice(20, 64)
    model = DistributedDataParallel(mlp(dtype=torch.float64))
    optimizer = LossSLS(model.parameters())
    loss = optimizer.step(lambda: (model(inputs[chosen].double()), labels[chosen]))
    return {"h": optimizer.last_search.value, "loss": loss.item()}


def with_batch_norm(rank):
    model = fresh("cnn").double()
    run = DistributedDataParallel(model)
    optimizer = SmoothAccuracySLS(run.parameters(), lr=20.0)
    for i in range(5):
        inputs, labels = part(i, rank, 2)
        optimizer.step(lambda inputs=inputs, labels=labels: (run(inputs), labels))
    return {
        "parameters": parameters(model),
        "tracked": model[1].num_batches_tracked.item(),
        "trials": optimizer.counts["trials"],
    }


def alone(rank):
    """Each rank with a model and a group of its own; and a copy of its optimizer."""
    group, _ = distributed.new_subgroups(1)
    model = mlp(dtype=torch.float64)
    optimizer = LossSLS(model.parameters(), process_group=group)
    twin, other = copy.deepcopy((model, optimizer))
    inputs, labels = part(0, rank, 2)
    for m, o in ((model, optimizer), (twin, other)):
        o.step(lambda m=m: (m(inputs), labels))
    loss = F.cross_entropy(mlp(dtype=torch.float64)(inputs), labels)
    return {
        "own": math.isclose(optimizer.last_search.value, loss.item(), rel_tol=1e-12),
        "copied": torch.equal(parameters(model), parameters(twin)),
    }


def strangers_group(rank):
    group = distributed.new_group([0])
    try:
        LossSLS(mlp().parameters(), process_group=group)
    except InvalidValueError as error:
        return str(error)
    return ""


def run(rank, folder):
    """Everything above, on one of two ranks; the results are written to ``folder``."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    results = {label: trained(label, rank, 2) for label in SEARCHES}
    for case in (refusals, sizes_that_differ, with_batch_norm, alone, strangers_group):
        results[case.__name__] = case(rank)
    torch.save(results, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()
