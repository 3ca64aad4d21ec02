"""What a file is that cannot be read as a checkpoint, and how to make one of it."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch

from landscape.errors import shown
from landscape.training.harmless import option_for

SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin", ".safetensors")
SAVE = "torch.save(model.state_dict(), path)"

# How files of other kinds begin, what they are, and what to do about them.
BEGINNINGS: Sequence[tuple[bytes, str]] = (
    (b"\x89HDF\r\n", f"is an HDF5 file; load it with what wrote it, and {SAVE}"),
    (b"\x93NUMPY", f"is one numpy array; give a state dict, {SAVE}"),
    (b"\x1f\x8b", "is packed with gzip; unpack it"),
    (b"BZh", "is packed with bzip2; unpack it"),
    (b"\xfd7zXZ", "is packed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd; unpack it"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file; fetch it, git lfs pull"),
    (b"<", "is a page of the web or other markup; download the file itself"),
)
_FOLDER = 0x10  # of a part's attributes in a zip archive
# The first bytes of what torch.save wrote before torch 1.6.
OLDER = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def explain(path: Path, error: Exception) -> str:
    """Say why a file cannot be read as a checkpoint.

    Args:
        path: an existing file.
        error: what torch raised when it read it.

    Returns:
        What the file is and what helps, to be put after its name.
    """
    with path.open("rb") as file:
        begins = file.read(512)
    kind = _archive(path) if begins.startswith(b"PK") else _known(begins)
    if kind:
        return kind
    if blocked := _blocked(path, error):
        return _classes(blocked)
    if begins.startswith((b"PK", OLDER)):
        return "is damaged or cut off; copy it again"
    if begins.startswith(b"\x80"):
        return f"is a pickle that torch.save did not write; save the state dict with torch, {SAVE}"
    return "is no checkpoint; give a file that torch.save wrote, of a state dict"


def damaged_part(path: Path) -> str | None:
    """Compare the checksums that a zip archive carries, which torch writes and does not read.

    Args:
        path: an existing file.

    Returns:
        What differs from its checksum first; None where nothing does, or there are no checksums.
    """
    try:
        archive = zipfile.ZipFile(path)
    except Exception:  # no archive, or one so damaged that torch cannot read it either
        return None
    with archive:
        # torch can be told to leave them out.
        parts = archive.infolist()
        if not any(part.CRC for part in parts):
            return None
        try:
            # One that is marked as a folder, torch takes for read, whatever lies in its memory.
            folders = [part.filename for part in parts if part.external_attr & _FOLDER]
            name = folders[0] if folders else archive.testzip()
        except Exception:  # torch may read from another place than the file's list says
            return "its directory"
    return name and shown(name)[1:-1]


def explain_folder(folder: Path) -> str | None:
    """Say what a folder is that holds one checkpoint in many files.

    Args:
        folder: an existing folder.

    Returns:
        What it is and what helps, to be put after its name; None for any other folder.
    """
    names = [file.name for file in folder.iterdir()]
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        return (
            "is a distributed checkpoint; make one file of it, "
            f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pt"
        )
    if any(name.endswith(".index.json") or is_shard(name) for name in names):
        return (
            "holds one checkpoint in several shards; load it with what wrote it, and save the "
            f"whole state dict, {SAVE}"
        )
    if {"data.pkl", "version"} <= set(names):
        return "is an unpacked checkpoint; pack the folder again, or copy the file that it was"
    return None


def is_shard(name: str) -> bool:
    """Whether a file's name says that it is one of several, as model-00001-of-00002.bin does.

    Args:
        name: the file's name, without its folder.

    Returns:
        True for a shard.
    """
    return re.search(r"\d+-of-\d+\b", name) is not None


def _blocked(path: Path, error: Exception) -> list[str]:
    """What a file holds that is no plain data, as torch names it; what it met first comes first."""
    met = re.findall(r"GLOBAL (\S+)", str(error))[:1]
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # of a format that torch lists nothing of
        found = []
    return list(dict.fromkeys([*met, *sorted(found)])) if met else []


def _classes(names: Sequence[str]) -> str:
    options = {name: option_for(name) for name in names}
    if harmful := [name for name, option in options.items() if option is None]:
        return (
            f"holds {harmful[0][:100]}, and loading that could run code; save the state dict "
            f"alone, {SAVE}"
        )
    wanted = " ".join(f"--allow {option}" for option in dict.fromkeys(options.values()))
    return (
        f"holds {', '.join(names)} beside tensors, which is harmless; take it with {wanted} "
        f"(allow= in Python), or save the state dict alone, {SAVE}"
    )


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a header, and the header.

    Args:
        path: an existing file.

    Returns:
        True for such a file, whatever its name.
    """
    with path.open("rb") as file:
        begins = file.read(9)
    return begins[8:] == b"{" and int.from_bytes(begins[:8], "little") < path.stat().st_size


def _known(begins: bytes) -> str | None:
    for bytes_, kind in BEGINNINGS:
        if begins.startswith(bytes_):
            return kind
    if begins[257:262] == b"ustar":
        return "is a tar archive; unpack it"
    return None


def _archive(path: Path) -> str | None:
    """What a zip archive holds; None for what torch.save wrote and for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a damaged archive can raise anything
        return None
    inner = [name.partition("/")[2] for name in names]
    if "constants.pkl" in inner:
        return (
            "is a TorchScript archive; torch.save(torch.jit.load(its path).state_dict(), path) "
            "makes a checkpoint"
        )
    if {"archive_format", "serialized_exported_program.json"} & {*names, *inner}:
        return (
            "is an exported program; torch.save(torch.export.load(its path).state_dict, path) "
            "makes a checkpoint"
        )
    if names and all(name.endswith(".npy") for name in names):
        return (
            "is an .npz of arrays; torch.save({name: torch.from_numpy(array) for name, array in "
            "numpy.load(its path).items()}, path) makes a checkpoint"
        )
    if "data.pkl" not in inner:
        return "is a zip archive of something else; give a file that torch.save wrote"
    return None
