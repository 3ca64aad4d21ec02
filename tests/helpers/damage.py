"""What goes wrong with files: a store changed at random, and what is then read of it."""

import json
import os
import shutil

import numpy as np

import landscape
from landscape import histories, store, tables
from landscape.errors import LandscapeError
from landscape.tables.summary import describe_store

ODD = (None, True, -1, 0, 2**70, 1.5, "x", "", "\x1b[31m", [], {}, [1, 2], [[]], {"a": 1})


def files(path, metadata):
    """The files of a store: those of the metadata, or the chunks."""
    found = (each for each in sorted(path.rglob("*")) if each.is_file())
    return [each for each in found if (each.name == "zarr.json") == metadata]


def pick(generator, things):
    return things[generator.integers(len(things))]


def flip(path, generator, metadata=False):
    """Turn a bit of a chunk, or of the metadata."""
    file = pick(generator, files(path, metadata))
    raw = bytearray(file.read_bytes())
    raw[generator.integers(len(raw))] ^= 1 << int(generator.integers(8))
    file.write_bytes(raw)
    return f"flip {file.relative_to(path)}"


def flip_metadata(path, generator):
    return flip(path, generator, metadata=True)


def delete(path, generator):
    file = pick(generator, files(path, metadata=False))
    file.unlink()
    return f"delete {file.relative_to(path)}"


def delete_metadata(path, generator):
    file = pick(generator, files(path, metadata=True))
    file.unlink()
    return f"delete {file.relative_to(path)}"


def truncate(path, generator):
    file = pick(generator, files(path, metadata=bool(generator.integers(2))))
    raw = file.read_bytes()
    file.write_bytes(raw[: generator.integers(len(raw))])
    return f"truncate {file.relative_to(path)}"


def replace(path, generator):
    """Put a folder, a pipe or a device where a file is."""
    file = pick(generator, files(path, metadata=bool(generator.integers(2))))
    file.unlink()
    pick(generator, (file.mkdir, lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero")))()
    return f"replace {file.relative_to(path)}"


def mutate(path, generator):
    """Set or delete a value of the metadata at random."""
    file = pick(generator, files(path, metadata=True))
    said = json.loads(file.read_text())
    within, names = said, []
    while True:
        names.append(
            pick(generator, list(within) if isinstance(within, dict) else range(len(within)))
        )
        inner = within[names[-1]]
        if not (isinstance(inner, dict | list) and inner) or generator.random() < 0.2:
            break
        within = inner
    value = pick(generator, (*ODD, "delete"))
    if value == "delete":
        del within[names[-1]]
    else:
        within[names[-1]] = value
    file.write_text(json.dumps(said))
    return f"set {file.relative_to(path)} {names} to {value!r}"


EVERY = (flip, flip_metadata, delete, delete_metadata, truncate, replace, mutate, mutate, mutate)


def numbers(dataset):
    """Name -> values of every variable, read."""
    return {name: np.asarray(each.values) for name, each in dataset.variables.items()}


def read_slices(path):
    """All that a store of slices holds, by part."""
    dataset = landscape.open(path)
    found = {"root": numbers(dataset)}
    for name in map(str, dataset["evaluation_set"].values):
        found[name] = numbers(landscape.open_samples(path, name))
    return found


def show_slices(path):
    """What tables and listings make of it; nothing is compared."""
    list(describe_store(path))
    dataset = landscape.open(path)
    tables.formats.text(tables.slice_values(dataset), "csv")
    tables.formats.text(tables.slice_statistics(dataset), "markdown")


def read_history(path):
    return {"root": numbers(histories.open_(path))}


def show_history(path):
    list(describe_store(path))
    collected = histories.collect(path)
    tables.formats.text(tables.benchmark(collected), "csv")
    tables.formats.text(tables.passes(collected), "latex")


def outcome(read, path, truth):
    """Whether a store reads "right" or "wrong", or is "refused"."""
    try:
        found = read(path)
    except LandscapeError as error:
        return "refused" if "\n" not in str(error) else "told in several lines"
    except ValueError as error:  # of per-sample values, when they are used
        if "checksum" not in str(error):
            raise
        return "refused"
    same = found.keys() == truth.keys() and all(
        found[part].keys() == truth[part].keys()
        and all(
            value.dtype == truth[part][name].dtype
            and np.array_equal(value, truth[part][name], equal_nan=value.dtype.kind == "f")
            for name, value in found[part].items()
        )
        for part in found
    )
    return "right" if same else "wrong"


def copied(path, to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(path, to)
    return to


def check(path):
    """What `landscape check` says: whether anything is damaged."""
    try:
        return bool(store.find_damage(path))
    except LandscapeError:
        return True
