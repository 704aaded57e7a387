"""The journal of a study: who did what and when, and the SHA-256 of what it touched.

Everybody appends to a file of their own, ``journal/<host>-<user>.jsonl``, so that two people on a
network share never write to one file. A line that was cut off by a crash is passed over.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.io.atomic import explain_write_failure, make_folder
from BrainTumorSegLib.io.digests import sha256_of

from .layout import CaseName, Layout


class Event(StrEnum):
    """What can happen to a case, or to the study.

    Readings: ``saved`` is an interim result, ``read`` a finished one (``reader``, ``verdict``),
    ``reopened`` takes a finished one back. ``disputed`` and ``agreed`` say how two finished
    readings compare, ``adjudicated`` that all disputed regions were decided.
    """

    CREATED = "created"
    RECEIVED = "received"
    ANONYMISED = "anonymised"
    REGISTERED = "registered"
    SEGMENTED = "segmented"
    FAILED = "failed"
    REGISTRY = "registry"
    ASSIGNED = "assigned"
    OPENED = "opened"
    SAVED = "saved"
    READ = "read"
    REOPENED = "reopened"
    DISPUTED = "disputed"
    AGREED = "agreed"
    ADJUDICATED = "adjudicated"
    APPROVED = "approved"
    EXCLUDED = "excluded"
    INCLUDED = "included"
    EXPORTED = "exported"


@dataclass(frozen=True)
class Entry:
    """A line of the journal.

    Attributes:
        time: UTC, ISO 8601, with microseconds, so that texts sort by time.
        who: ``<host>-<user>``.
        what: what happened.
        case: to which case; None for the study.
        version: of the program.
        files: SHA-256 of the files that were touched, by path relative to the study.
        more: what else is to be known, plain JSON types.
    """

    time: str
    who: str
    what: Event
    case: CaseName | None = None
    version: str = __version__
    files: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def author() -> str:
    """Whose journal this process writes: ``<host>-<user>``, in letters that file names may have."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in containers
        user = "unknown"
    return re.sub(r"[^\w.-]+", "_", f"{socket.gethostname()}-{user}")


def append(
    layout: Layout,
    what: Event,
    case: CaseName | None = None,
    files: Iterable[Path] = (),
    **more: Any,
) -> Entry:
    """Append a line, which the disk keeps when this returns.

    Args:
        layout: of the study.
        what: happened.
        case: to which case.
        files: that were touched, below the study's folder; a file that is gone is left out.
        more: plain JSON types.

    Raises:
        OutputError: when it cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    entry = Entry(now, author(), what, case, __version__, _digests(layout, files), more)
    line = {
        **{"time": entry.time, "who": entry.who, "what": what, "version": entry.version},
        **({"case": str(case)} if case else {}),
        **({"files": dict(entry.files)} if entry.files else {}),
        **more,
    }
    make_folder(layout.journal)
    path = layout.journal / f"{entry.who}.jsonl"
    text = json.dumps(line, ensure_ascii=False)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            # After a line that was cut off a new one begins. One write: whole between others.
            os.write(descriptor, f"{_line_end(descriptor)}{text}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise explain_write_failure(path, error) from error
    return entry


def read_journal(layout: Layout, case: CaseName | None = None) -> list[Entry]:
    """The lines of everybody, in order of time; of one case, or all.

    A line that cannot be read is passed over: it was cut off by a crash.
    """
    entries = []
    for path in sorted(layout.journal.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            entry = _entry(line)
            if entry is not None and (case is None or entry.case == case):
                entries.append(entry)
    return sorted(entries, key=lambda entry: entry.time)


def entries_by_case(layout: Layout) -> dict[CaseName, list[Entry]]:
    """The lines of everybody about each case, in order of time; a case without any has none."""
    found: defaultdict[CaseName, list[Entry]] = defaultdict(list)
    for entry in read_journal(layout):
        if entry.case is not None:
            found[entry.case].append(entry)
    return found


def _entry(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
        time, who, what = (str(found.pop(key)) for key in ("time", "who", "what"))
        case = found.pop("case", None)
        return Entry(
            time,
            who,
            Event(what),
            CaseName.parse(case) if case else None,
            str(found.pop("version", "")),
            found.pop("files", {}),
            found,
        )
    except Exception:  # whatever stands there, the rest of the journal counts
        return None


def _line_end(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    if size == 0:
        return ""
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return "" if os.read(descriptor, 1) == b"\n" else "\n"


def _digests(layout: Layout, files: Iterable[Path]) -> dict[str, str]:
    return {
        path.relative_to(layout.folder).as_posix(): sha256_of(path)
        for path in files
        if path.is_file()
    }
