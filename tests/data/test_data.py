import itertools
import random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from landscape.data import DatasetData, Split, TensorData, as_data, digest, first
from landscape.errors import InvalidValueError, UnknownNameError
from landscape.runtime.nested import leaves, part_of
from landscape.runtime.randomness import generator

IMAGES, LABELS = load_digits(return_X_y=True)
INPUTS, TARGETS = torch.from_numpy(IMAGES).float(), torch.from_numpy(LABELS)


class Digits(Dataset):
    """One by one, with noise from each of the global generators."""

    def __init__(self, noise=0.0):
        self.noise = noise

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, index):
        draw = random.random() + np.random.rand() + torch.rand(64)  # noqa: NPY002
        return INPUTS[index] + self.noise * draw, int(LABELS[index])


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(zip(INPUTS[: self.count], TARGETS[: self.count], strict=True))


def double(batch):
    inputs, targets = torch.utils.data.default_collate(batch)
    return 2 * inputs, targets


INDICES = torch.tensor([5, 0, 1796, 5])
SOURCES = {
    "tensors": (INPUTS, TARGETS),
    "a list": [INPUTS, TARGETS],
    "arrays": (IMAGES, LABELS),
    "int32 labels": (IMAGES, LABELS.astype(np.int32)),
    "TensorDataset": TensorDataset(INPUTS, TARGETS),
    "Dataset": Digits(),
    "DataLoader": DataLoader(Digits(), batch_size=7, shuffle=True, drop_last=True),
    "DataLoader of single samples": DataLoader(Digits(), batch_size=None),
    "a stream": Stream(1797),
    "DataLoader of a stream": DataLoader(Stream(1797), batch_size=100),
    "data": TensorData(INPUTS, TARGETS),
    "Dataset data": DatasetData(Digits()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_samples(kind):
    data = as_data(SOURCES[kind])
    inputs, targets = data.to(torch.device("cpu")).take(INDICES)
    assert len(data) == 1797
    assert torch.equal(inputs, INPUTS[INDICES])
    assert inputs.dtype == torch.float32
    assert torch.equal(targets, TARGETS[INDICES])
    assert targets.dtype == torch.int64


def test_data_of_another_make_is_taken_as_it_is():
    class Own:
        def __len__(self):
            return 1

        def take(self, indices, generator=None): ...

        def to(self, device): ...

    own = Own()
    assert as_data(own) is own


def test_a_loader_keeps_its_collate_function():
    inputs, _ = as_data(DataLoader(Digits(), collate_fn=double, batch_size=3)).take(INDICES)
    assert torch.equal(inputs, 2 * INPUTS[INDICES])


def test_a_loader_of_a_subset_gives_the_subset_alone():
    chosen = [3, 1, 4]
    for loader in (
        DataLoader(Digits(), sampler=SubsetRandomSampler(chosen)),
        DataLoader(Subset(Digits(), chosen), shuffle=True),
    ):
        data = as_data(loader)
        inputs, _ = data.take(torch.arange(3))
        assert len(data) == 3
        assert sorted(map(tuple, inputs.tolist())) == sorted(map(tuple, INPUTS[chosen].tolist()))


def test_a_tensor_batch_is_augmented_and_then_prepared_only_with_a_generator():
    def augment(inputs, generator):
        assert inputs.dtype == torch.uint8
        return inputs + torch.randint(5, inputs.shape, generator=generator, dtype=torch.uint8)

    images = INPUTS.to(torch.uint8)
    data = TensorData(images, TARGETS, augment=augment, prepare=lambda images: images / 16)
    plain, _ = data.take(INDICES)
    assert torch.equal(plain, INPUTS[INDICES] / 16)
    augmented = [data.take(INDICES, generator(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(augmented[0], augmented[1])
    assert not torch.equal(augmented[0], augmented[2])
    assert not torch.equal(augmented[0], plain)
    assert torch.equal(data.inputs, images)


def test_a_dataset_draws_from_the_generator_given_and_leaves_the_global_ones():
    data = as_data(Digits(noise=1.0))
    before = (random.getstate(), np.random.get_state()[2], torch.get_rng_state())  # noqa: NPY002
    taken = [data.take(INDICES, generator(seed))[0] for seed in (1, 1, 2)]
    fixed = [data.take(INDICES)[0] for _ in range(2)]
    assert torch.equal(taken[0], taken[1])
    assert not torch.equal(taken[0], taken[2])
    assert torch.equal(fixed[0], fixed[1])
    assert (random.getstate(), np.random.get_state()[2]) == before[:2]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (INPUTS, "train is a Tensor; give a pair .inputs, targets., a Dataset or a DataLoader"),
        (IMAGES, "train is a ndarray"),
        ("digits.npz", "train is a str"),
        ({"x": INPUTS, "y": TARGETS}, "dicts with x, y; name the key of the targets, as in target"),
        ({"labels": TARGETS}, "dicts with labels alone; give the inputs too"),
        (
            {"x": INPUTS[:9], "labels": TARGETS},
            "and targets differ in length: 9 and 1797",
        ),
        (None, "train is a NoneType"),
        ((INPUTS, TARGETS[:-1]), "differ in length: 1797 and 1796"),
        ((INPUTS, TARGETS, TARGETS), "train gives 3 parts"),
        (TensorDataset(INPUTS), "train gives 1 parts"),
        (Stream(0), "train is empty"),
    ],
)
def test_other_sources_are_refused_in_one_line(source, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        as_data(source, "train")
    assert "\n" not in str(error.value)


def test_a_dataset_of_something_else_is_refused_when_it_is_read():
    with pytest.raises(InvalidValueError, match="must be a pair"):
        as_data(Subset([torch.zeros(3)] * 4, range(4))).take(torch.arange(2))


@pytest.mark.parametrize("kind", ["tensors", "Dataset"])
def test_the_first_samples(kind):
    data = as_data(SOURCES[kind])
    part = first(data, 7)
    inputs, targets = part.take(torch.arange(7))
    assert len(part) == 7
    assert torch.equal(inputs, INPUTS[:7])
    assert torch.equal(targets, TARGETS[:7])
    assert len(first(data, 1797)) == len(data) == 1797


def test_the_first_samples_keep_what_happens_to_them():
    data = TensorData(INPUTS, TARGETS, augment=lambda x, _: x + 1, prepare=lambda x: 2 * x)
    inputs, _ = first(data, 3).take(torch.tensor([2]), generator(0))
    assert torch.equal(inputs, 2 * (INPUTS[[2]] + 1))


@pytest.mark.parametrize("samples", [0, -1, 1798])
def test_more_first_samples_than_there_are(samples):
    message = f"the first {samples} samples were asked for; there are 1797, so 1 to 1797"
    with pytest.raises(InvalidValueError, match=message):
        first(as_data((INPUTS, TARGETS)), samples)


def test_data_of_another_make_has_no_first_samples():
    class Own:
        def __len__(self):
            return 5

    with pytest.raises(InvalidValueError, match="a Own has no first samples"):
        first(Own(), 2)


def test_the_digest_depends_on_every_sample():
    one, two = TensorData(INPUTS, TARGETS), TensorData(INPUTS.clone(), TARGETS.clone())
    assert digest(one, one.first(7)) == digest(two, two.first(7))
    changed = INPUTS.clone()
    changed[-1, -1] += 1
    others = [
        TensorData(changed, TARGETS),
        TensorData(INPUTS, TARGETS.flip(0)),
        TensorData(INPUTS.reshape(-1, 8, 8), TARGETS),
        TensorData(INPUTS.double(), TARGETS),
        one.first(1796),
    ]
    assert len({digest(each) for each in (one, *others)}) == 6


def test_data_is_shown_in_a_line():
    assert repr(TensorData(INPUTS, TARGETS)) == "TensorData(1,797 samples, 64 float32)"
    images = TensorData(INPUTS.reshape(-1, 1, 8, 8).byte(), TARGETS, augment=lambda x, g: x)
    assert repr(images) == "TensorData(1,797 samples, 1×8×8 uint8, augmented)"


# Which samples a loader means


class Indices(Sampler):
    """A sampler of a user's own: whatever a function gives, each time anew."""

    def __init__(self, give):
        self.give = give

    def __iter__(self):
        return iter(self.give())


class Shuffled(RandomSampler):
    """A subclass of torch's."""


class Restless(Sampler):
    """It draws another part each time, from a generator of its own."""

    def __init__(self):
        self.generator = random.Random(0)

    def __iter__(self):
        return iter(self.generator.sample(range(1797), 100))


def loader(sampler, **options):
    return DataLoader(Digits(), sampler=sampler, **options)


PARTS = {
    "a list": (loader([5, 3, 9]), [5, 3, 9]),
    "a sampler of a user's own": (loader(Indices(lambda: [5, 3, 9])), [5, 3, 9]),
    "tensors": (loader(Indices(lambda: torch.tensor([5, 3, 9]))), [5, 3, 9]),
    "a random part": (loader(SubsetRandomSampler([5, 3, 9])), [3, 5, 9]),
    "batches": (DataLoader(Digits(), batch_sampler=[[5, 3], [9]]), [5, 3, 9]),
    "batches of a part": (
        DataLoader(Digits(), batch_sampler=BatchSampler(SubsetRandomSampler([5, 3]), 2, True)),
        [3, 5],
    ),
    "what drop_last leaves": (DataLoader(Digits(), batch_size=1000, drop_last=True), range(1000)),
    "a shuffle and drop_last": (
        DataLoader(Digits(), batch_size=1000, drop_last=True, shuffle=True),
        range(1797),
    ),
    "a subclass": (loader(Shuffled(Digits()), batch_size=1000, drop_last=True), range(1797)),
    "another process's half": (loader(DistributedSampler(Digits(), 2, 1, shuffle=False)), None),
}


@pytest.mark.parametrize("kind", PARTS)
def test_the_samples_are_those_that_the_loader_shows(kind):
    source, places = PARTS[kind]
    places = range(1, 1797, 2) if places is None else places
    data = as_data(source)
    inputs, targets = data.take(torch.arange(len(data)))
    if places[0] == 1:  # the last is filled up with the first
        inputs, targets = inputs[: len(places)], targets[: len(places)]
    assert torch.equal(inputs, INPUTS[list(places)])
    assert torch.equal(targets, TARGETS[list(places)])


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (
            WeightedRandomSampler([0.5] * 1797, 100, replacement=False),
            "WeightedRandomSampler shows",
        ),
        (RandomSampler(Digits(), num_samples=100), "whose RandomSampler shows other samples each"),
        (RandomSampler(Digits(), replacement=True), "RandomSampler shows sample .* more than once"),
        (Restless(), "whose Restless shows other samples each time; give a Dataset of the samples"),
        (Indices(lambda: [1, 1]), "whose Indices shows sample 1 more than once"),
        (Indices(lambda: itertools.cycle(range(1797))), "shows sample 0 more than once"),
        (
            Indices(itertools.count),
            "gives the index 1797; give a Dataset whose samples have the in",
        ),
        (Indices(lambda: [-1]), "gives the index -1;"),
        (Indices(lambda: ["a"]), "gives the index 'a';"),
        (Indices(list), "whose Indices shows no sample"),
        (Indices(lambda: 1 / 0), "whose Indices fails: ZeroDivisionError: division by zero"),
        ((i for i in range(9)), "whose generator fails: TypeError: cannot pickle"),
    ],
)
def test_a_sampler_that_shows_no_certain_samples_is_refused(sampler, message):
    with pytest.raises(InvalidValueError, match=f"train is a DataLoader .*{message}") as error:
        as_data(loader(sampler), "train")
    assert "\n" not in str(error.value)


def test_a_sampler_and_its_generator_stay_where_they_are():
    own = torch.Generator().manual_seed(7)
    before = own.get_state(), torch.get_rng_state()
    as_data(DataLoader(Digits(), shuffle=True, generator=own))
    restless = Restless()
    with pytest.raises(InvalidValueError):
        as_data(loader(restless))
    assert torch.equal(own.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert restless.generator.random() == random.Random(0).random()


def test_a_loader_of_single_samples_keeps_its_collate_function():
    source = DataLoader(Digits(), batch_size=None, collate_fn=lambda pair: (3 * pair[0], pair[1]))
    assert torch.equal(as_data(source).take(INDICES)[0], 3 * INPUTS[INDICES])


def test_a_dataset_of_tensors_that_augments_is_read_by_its_own_method():
    class Augmented(TensorDataset):
        def __getitem__(self, index):
            inputs, target = super().__getitem__(index)
            return inputs + 1, target

    inputs, _ = as_data(Augmented(INPUTS, TARGETS)).take(INDICES)
    assert torch.equal(inputs, INPUTS[INDICES] + 1)


def test_a_dataset_that_reads_several_samples_at_once_is_asked_to():
    class AtOnce(Digits):
        def __getitems__(self, indices):
            return [(INPUTS[i] / 16, int(LABELS[i])) for i in indices]

    assert torch.equal(as_data(AtOnce()).take(INDICES)[0], INPUTS[INDICES] / 16)


# What torch does not take as it is

ROWS = IMAGES.astype(np.float32)
ARRAYS = {
    "negative strides": (ROWS[:, ::-1], INPUTS.flip(1)),
    "another byte order": (ROWS.astype(">f4"), INPUTS),
    "more than 8 bytes": (IMAGES.astype(np.longdouble), INPUTS),
    "read-only": (np.broadcast_to(ROWS[0], ROWS.shape), INPUTS[:1].expand(1797, 64)),
    "a list of bfloat16": (list(INPUTS.bfloat16()), INPUTS.bfloat16()),
    "a list of tensors with gradient": (list(INPUTS.clone().requires_grad_()), INPUTS),
    "a tensor with gradient": (INPUTS.clone().requires_grad_(), INPUTS),
    "lists": (IMAGES.tolist(), INPUTS),
    "uint16": (IMAGES.astype(np.uint16), INPUTS.int()),
    "a tensor of uint32": (INPUTS.to(torch.uint32), INPUTS.long()),
    "half": (IMAGES.astype(np.float16), INPUTS.half()),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_any_layout_have_their_values(kind):
    given, expected = ARRAYS[kind]
    data = as_data((given, LABELS.astype(">i8")))
    inputs, targets = data.take(torch.arange(1797))
    assert inputs.dtype == expected.dtype
    assert torch.equal(inputs, expected)
    assert not inputs.requires_grad
    assert torch.equal(targets, TARGETS)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ([[1.0, 2.0], [3.0]], [0, 1], "inputs of train cannot be made an array of numbers"),
        ([torch.zeros(2), torch.zeros(3)], [0, 1], r"inputs of train differ: \(2,\) .* and \(3,\)"),
        ([torch.zeros(2), 1.0], [0, 1], "inputs of train are tensors and a float"),
        (INPUTS.to_sparse(), TARGETS, r"of layout sparse_coo; make it dense, tensor.to_dense\(\)"),
        (INPUTS.to("meta"), TARGETS, "on the device meta, without values"),
        (np.ma.masked_array(IMAGES, IMAGES > 3), TARGETS, "masked array; fill in what is masked"),
        (np.array([None] * 1797), TARGETS, "inputs of train are a ndarray of type object"),
        (
            INPUTS,
            np.full(1797, 2**63, np.uint64),
            "targets of train reach 9223372036854775808; int",
        ),
        (INPUTS, TARGETS.to(torch.complex64), "the targets of train are torch.complex64; give"),
        ([INPUTS, INPUTS], TARGETS, "differ in length: 2 and 1797"),
        ({}, TARGETS, "the inputs of train are an empty dict"),
        ({1: INPUTS}, TARGETS, "the inputs of train have the key 1; give names"),
        ({"a": INPUTS, "b": "text"}, TARGETS, r"the inputs of train\['b'\] are a str of type <U4"),
        ((INPUTS[:2, :2], INPUTS[:2, 2:]), [0, 1], "a tuple of 2 parts with 2 rows"),
        ((x for x in INPUTS), TARGETS, "inputs of train are a generator of type object"),
    ],
)
def test_what_cannot_be_a_tensor_is_one_line(inputs, targets, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        as_data((inputs, targets), "train")
    assert "\n" not in str(error.value)


def test_tensors_without_values_are_refused_as_data_too():
    with pytest.raises(InvalidValueError, match="the inputs are of layout sparse_coo"):
        TensorData(INPUTS.to_sparse(), TARGETS)


def test_nothing_that_was_given_is_written_to(tmp_path):
    path = tmp_path / "images.dat"
    images = np.memmap(path, np.float32, "w+", shape=IMAGES.shape)
    images[:] = IMAGES
    images.flush()
    before = path.read_bytes()
    data = TensorData(*as_data((images, LABELS)).head(9), prepare=lambda x: x.div_(16))
    shared = as_data((images, LABELS))
    assert shared.inputs.data_ptr() == images.ctypes.data
    in_place = TensorData(
        shared.inputs, shared.targets, lambda x, _: x.add_(1), lambda x: x.div_(4)
    )
    for inputs, targets in (
        in_place.head(9),
        in_place.take(torch.arange(9)),
        in_place.take(torch.arange(9), generator(0)),
        data.head(3),
    ):
        inputs.zero_()
        targets.zero_()
    images.flush()
    assert path.read_bytes() == before
    assert data.inputs.abs().sum() > 0
    assert torch.equal(shared.targets, TARGETS)


def test_a_datasets_own_tensors_are_copied():
    own = INPUTS[:4].clone()
    whole = DataLoader(
        TensorDataset(own, TARGETS[:4]), batch_size=4, collate_fn=lambda _: (own, TARGETS[:4])
    )
    inputs, _ = as_data(whole).take(torch.arange(4))
    inputs.zero_()
    assert torch.equal(own, INPUTS[:4])


# Datasets that do not say what is needed


class Odd(Dataset):
    def __init__(self, give, samples=9):
        self.give, self.samples = give, samples

    def __len__(self):
        return self.samples() if callable(self.samples) else self.samples

    def __getitem__(self, index):
        return self.give(index)


class NoLength(Dataset):
    def __getitem__(self, index):
        return INPUTS[index], TARGETS[index]


class Endless(IterableDataset):
    def __iter__(self):
        return ((INPUTS[0], TARGETS[0]) for _ in itertools.count())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (NoLength(), "train is a NoLength without a length; give it __len__, or derive it from"),
        (DataLoader(NoLength(), sampler=[1, 2]), "train is a NoLength without a length"),
        (
            Odd(None, lambda: 1 / 0),
            "the length of train fails: ZeroDivisionError: division by zero",
        ),
        (Endless(), "train gives more than 50 samples, and may have no end; give a Dataset with a"),
        (DataLoader(Endless(), batch_size=7), "train gives more than 50 samples"),
        (((INPUTS[i], 0) for i in range(3)), "train is a generator; give a pair"),
        (zip(INPUTS, TARGETS, strict=True), "train is a zip; give a pair"),
    ],
)
def test_a_source_without_length_or_end_is_refused(monkeypatch, source, message):
    monkeypatch.setattr("landscape.data.sources.MOST_READ", 50)
    with pytest.raises(InvalidValueError, match=message) as error:
        as_data(source, "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (
            lambda i: (torch.zeros(2 + i), 0),
            "reading the Dataset fails: RuntimeError: stack expects",
        ),
        (lambda i: 1 / 0, "reading the Dataset fails: ZeroDivisionError"),
        (lambda i: (INPUTS[i], INPUTS[i], 0), "gives 3 parts; each sample must be a pair"),
        (lambda i: {"x": INPUTS[i], "y": 0}, "data gives dicts with x, y; name the key"),
        (lambda i: ("a", 0), "the inputs of data are a tuple of type <U1"),
        (lambda i: None, "reading the Dataset fails: TypeError"),
    ],
)
def test_samples_that_make_no_batch_are_one_line(give, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        as_data(Odd(give)).take(torch.arange(2))
    assert "\n" not in str(error.value)


NESTED = {
    "dict": (lambda i: {"x": INPUTS[i], "labels": int(TARGETS[i])}, Split(), {"x": INPUTS}),
    "named key": (lambda i: {"x": INPUTS[i], "y": int(TARGETS[i])}, Split("y"), {"x": INPUTS}),
    "kept": (
        lambda i: {"x": INPUTS[i], "label": int(TARGETS[i])},
        Split(keep=True),
        {"x": INPUTS, "label": TARGETS},
    ),
    "two inputs": (
        lambda i: ((INPUTS[i], -INPUTS[i]), int(TARGETS[i])),
        Split(),
        (INPUTS, -INPUTS),
    ),
    "triple": (lambda i: (INPUTS[i], int(TARGETS[i]), i), Split(1), (INPUTS, torch.arange(1797))),
    "function": (
        lambda i: (int(TARGETS[i]), {"a": INPUTS[i]}),
        Split(lambda batch: (batch[1]["a"], batch[0])),
        INPUTS,
    ),
    "deep": (
        lambda i: ({"a": (INPUTS[i], {"b": INPUTS[i] + 1})}, int(TARGETS[i])),
        Split(),
        {"a": (INPUTS, {"b": INPUTS + 1})},
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_batches_of_any_structure(kind):
    give, split, expected = NESTED[kind]
    data = as_data(Odd(give), split=split)
    inputs, targets = data.take(INDICES)
    found, wanted = [*leaves(inputs)], [*leaves(part_of(expected, INDICES))]
    assert [name for name, _ in found] == [name for name, _ in wanted]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(found, wanted, strict=True))
    assert torch.equal(targets, TARGETS[INDICES])
    # The same of the tensors themselves.
    given = (expected, TARGETS)
    if kind in ("dict", "kept"):
        given = {"x": INPUTS, "labels": TARGETS}
    elif kind == "named key":
        given = {"x": INPUTS, "y": TARGETS}
    elif kind in ("triple", "function"):
        return
    own = as_data(given, split=split)
    assert torch.equal(own.take(INDICES)[1], targets)
    assert len(own.digest) == 16


@pytest.mark.parametrize(
    "samples",
    [
        [(INPUTS[i], int(TARGETS[i])) for i in range(1797)],
        [{"x": INPUTS[i], "labels": int(TARGETS[i])} for i in range(1797)],
    ],
)
def test_a_list_of_samples(samples):
    inputs, targets = as_data(samples).take(INDICES)
    found = inputs["x"] if isinstance(inputs, dict) else inputs
    assert torch.equal(found, INPUTS[INDICES])
    assert torch.equal(targets, TARGETS[INDICES])


def test_a_loader_that_pads():
    """Sequences of several lengths, padded to the longest of those that are taken together."""

    def collate(samples):
        longest = max(len(s) for s in samples)
        ids = torch.zeros(len(samples), longest, dtype=torch.int64)
        labels = torch.full((len(samples), longest), -100)
        for i, sample in enumerate(samples):
            ids[i, : len(sample)] = labels[i, : len(sample)] = torch.tensor(sample)
        return {"input_ids": ids, "labels": labels}

    loader = DataLoader([[1], [2, 3], [4, 5, 6]], batch_size=2, collate_fn=collate)
    data = as_data(loader)
    assert data.batch_size == 2
    inputs, targets = data.take(torch.tensor([1, 2]))
    assert inputs["input_ids"].tolist() == [[2, 3, 0], [4, 5, 6]]
    assert targets.tolist() == [[2, 3, -100], [4, 5, 6]]


def test_a_stream_whose_batches_differ_in_length_is_refused():
    class Growing(IterableDataset):
        def __iter__(self):
            for i in range(4):
                yield {"x": torch.zeros(1 + i // 2), "labels": 0}

    with pytest.raises(InvalidValueError, match=r"differ: inputs of .* let the collate function"):
        as_data(DataLoader(Growing(), batch_size=2))


def test_a_target_that_is_not_there():
    with pytest.raises(UnknownNameError, match="unknown target in data 'y'; choose from x, labels"):
        as_data({"x": INPUTS, "labels": TARGETS}, split=Split("y"))
    with pytest.raises(InvalidValueError, match="target is 2, and data gives 2 parts"):
        as_data((INPUTS, TARGETS), split=Split(2))
    with pytest.raises(InvalidValueError, match=r"let it give \(inputs, targets\)"):
        as_data((INPUTS, TARGETS), split=Split(lambda batch: batch[0]))


def test_targets_that_are_no_labels_keep_their_type():
    for given, dtype in (
        (TARGETS.float(), torch.float32),
        (TARGETS.double(), torch.float64),
        (LABELS.astype(np.float64), torch.float32),
        (LABELS > 4, torch.int64),
        (TARGETS.to(torch.uint8), torch.int64),
    ):
        assert as_data((INPUTS, given)).targets.dtype == dtype


def test_a_collate_function_that_gives_another_number_of_samples_is_refused():
    source = DataLoader(Digits(), collate_fn=lambda batch: (INPUTS[:3], TARGETS[:2]))
    with pytest.raises(
        InvalidValueError, match=r"5 samples .* inputs of shape \(3, 64\); give one"
    ):
        as_data(source).take(torch.arange(5))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda x, _: 1 / 0, "augment fails: ZeroDivisionError"),
        (lambda x, _: x[:2], r"augment gives a tensor of shape \(2, 64\) .* for 4 samples"),
        (lambda x, _: None, "augment gives a NoneType for 4 samples"),
    ],
)
def test_an_augmentation_that_fails_is_one_line(augment, message):
    with pytest.raises(InvalidValueError, match=message):
        TensorData(INPUTS, TARGETS, augment).take(INDICES, generator(0))


# Digests of data that is read one by one


def test_the_digest_of_a_dataset_depends_on_its_length_and_samples():
    plain = as_data(Digits())
    before = torch.get_rng_state()
    found = digest(plain)
    assert torch.equal(torch.get_rng_state(), before)
    assert found == digest(as_data(Digits()))
    assert found == digest(as_data(Digits(noise=0.0)))
    others = [Subset(Digits(), range(1796)), Subset(Digits(), [*range(1796), 0]), Digits(noise=1.0)]
    assert len({digest(as_data(each)) for each in others} | {found}) == 4


def test_data_that_is_another_each_time_has_no_digest():
    own = random.Random(0)
    restless = as_data(Odd(lambda i: (INPUTS[i] + own.random(), 0)))
    assert digest(restless) is None
    assert digest(None) is None
    steady = as_data((INPUTS, TARGETS))
    assert digest(steady, restless) == f"{digest(steady)}-unknown"
