"""What is known of a case, on the disk, and whether its results still are what they should be.

A case is done when its outputs stand as they were written, and its inputs, the pack and the
options are those that they were made with. Everything is told by SHA-256; a file whose size and
time of change are as they were is not read again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.io.headers import detached_data
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.packs.manifest import MANIFEST, ModelPack

from .cases import STATE_FOLDER, CohortCase

#: Of the file that an engine holds, beside the file of the state.
LEASE_SUFFIX = ".lease"

SCHEMA = "brain-tumor-seg-cohort-case/1"


class State(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STALE = "stale"
    FAILED = "failed"
    UNUSABLE = "unusable"


def state_path(output: Path, case: CohortCase) -> Path:
    """The file with the state of a case."""
    return output / STATE_FOLDER / f"{case.key}.json"


def lease_path(output: Path, case: CohortCase) -> Path:
    """The file that an engine holds while it works on a case."""
    return state_path(output, case).with_suffix(LEASE_SUFFIX)


def log_path(output: Path, case: CohortCase) -> Path:
    """The file with everything that was printed while a case was computed."""
    return output / "logs" / f"{case.key}.log"


def read_state(path: Path) -> dict[str, Any]:
    """What is known of a case; empty where nothing is, or what is there cannot be used."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    usable = isinstance(state, dict) and state.get("schema") == SCHEMA
    return state if usable and state.get("state") in list(State) else {}


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write what is known of a case, in one stroke.

    Raises:
        OutputError: when it cannot be written.
    """
    state = {"schema": SCHEMA, "version": __version__, **state}
    write_text(path, json.dumps(state, indent=1), overwrite=True)


def inputs_of(case: CohortCase, mask: Path | None = None) -> dict[str, Path]:
    """Every file or folder that a case is made from, by sequence, ``dicom`` or ``brain_mask``."""
    inputs: dict[str, Path] = {s.value: path for s, path in case.scans.items()}
    inputs |= {"dicom": case.dicom} if case.dicom is not None else {}
    return inputs | ({"brain_mask": mask} if mask is not None else {})


def stamp(path: Path) -> dict[str, Any]:
    """What a file or folder is: its name without its folders, size, time of change and SHA-256.

    Raises:
        InputError: when it cannot be read.
    """
    return {"file": path.name, **_seen(path), "sha256": _sha256(path)}


def is_unchanged(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether a file or folder still is what its stamp says; it is read only if it must be.

    Raises:
        InputError: when it cannot be read.
    """
    seen = _seen(path)
    if all(known.get(key) == value for key, value in seen.items()):
        return True
    return known.get("size") == seen["size"] and known.get("sha256") == _sha256(path)


def pack_stamp(pack: ModelPack) -> dict[str, str]:
    """What a pack is: the hash of its manifest, which holds those of its members."""
    return {
        "name": pack.name,
        "version": pack.version,
        "sha256": file_sha256(pack.folder / MANIFEST),
    }


def changed_inputs(case: CohortCase, known: Mapping[str, Any], mask: Path | None = None) -> str:
    """What is other than when a case was computed; empty when nothing is."""
    inputs = inputs_of(case, mask)
    stamps = known.get("inputs") or {}
    if stamps.keys() != inputs.keys():
        had, has = (", ".join(names) or "nothing" for names in (stamps, inputs))
        return f"it was made from {had} and now has {has}"
    for key, path in inputs.items():
        try:
            if not is_unchanged(path, stamps[key]):
                return f"the input {path.name} ({key}) has changed"
        except InputError as error:
            return f"an input cannot be read: {error.message}"
    return ""


def changed_settings(
    known: Mapping[str, Any], pack: Mapping[str, str], options: Mapping[str, Any]
) -> str:
    """What was chosen otherwise when a case was computed; empty when nothing was."""
    before = known.get("pack") or {}
    if before != pack:
        names = [f"{p.get('name')} {p.get('version')}" for p in (before, pack)]
        if names[0] == names[1]:
            return f"the model pack {names[1]} has changed"
        return f"it was made with the model pack {names[0]}, not {names[1]}"
    made = known.get("options") or {}
    for name, value in options.items():
        if made.get(name) != value:
            return f"it was made with {name} {made.get(name)}, not {value}"
    return ""


def changed_outputs(
    output: Path, known: Mapping[str, Any], wanted: Iterable[str]
) -> tuple[str, str]:
    """What is not as it was written: what is missing, and what somebody has changed.

    Args:
        output: folder of all results.
        known: state of the case.
        wanted: kinds of output.

    Returns:
        Two texts, empty when there is nothing of it.
    """
    stamps = known.get("outputs") or {}
    missing, changed = [], []
    for kind in wanted:
        file = output / stamps[kind]["file"] if kind in stamps else None
        if file is None or not file.is_file():
            missing.append(file.name if file else kind)
        elif not is_unchanged(file, stamps[kind]):
            changed.append(file.name)
    return (
        f"{', '.join(missing)} is missing" if missing else "",
        f"{', '.join(changed)} was changed after it was made" if changed else "",
    )


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for place, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(place, name) for name in sorted(names))
        return
    yield path
    detached = detached_data(path)
    if detached is not None:
        yield detached


def _seen(path: Path) -> dict[str, int]:
    """Size in bytes, and the latest time of change, of all files together."""
    try:
        stats = [file.stat() for file in _files(path)]
    except OSError as error:
        raise InputError(
            f"{error.filename or path} cannot be read: {error.strerror}.",
            "Check the path and your rights.",
        ) from error
    return {
        "size": sum(s.st_size for s in stats),
        "files": len(stats),
        "mtime_ns": max((s.st_mtime_ns for s in stats), default=0),
    }


def _sha256(path: Path) -> str:
    if not path.is_dir():
        return file_sha256(path)
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()
