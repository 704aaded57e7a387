"""Who can take part, the command that each one is started with, and what it costs. POSIX only."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sidebyside.results import Run, missing_time

HERE = Path(__file__).resolve().parents[1]

#: What ru_maxrss counts in.
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024

#: The stage of our own report that a peer's network stage is compared with.
OUR_NETWORK_STAGE = "segment"


@dataclass(frozen=True)
class Task:
    """What all contestants are given.

    Attributes:
        scans: files by sequence: ``t1``, ``t1ce``, ``flair``.
        as_scanned: whether the scans still have to be registered and freed of the skull.
        pack: name or folder of our model pack.
        views: ``none``, ``tta1``, ``tta2`` or ``tta3``.
        members: how many members of the pack; None for all.
        threads: CPU threads.
        batch: slices at once in the plain loop.
        exported: folder with the members as the plain loop reads them.
        peers_python: the Python that has the peers.
    """

    scans: Mapping[str, Path]
    as_scanned: bool
    pack: str
    views: str
    members: int | None
    threads: int
    batch: int
    exported: Path
    peers_python: str

    @property
    def scan_options(self) -> list[str]:
        return [word for name, path in self.scans.items() for word in (f"--{name}", str(path))]


@dataclass(frozen=True)
class Cost:
    """What a process and all its children took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time of all threads and of children that have ended.
        peak_bytes: the largest resident size of a single one of its processes.
        exit_code: 0 for success.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int


@dataclass(frozen=True)
class Contestant:
    """A program that segments the case.

    Attributes:
        name: as given on the command line.
        title: for tables.
        options: added to its command.
        peer: the name that `peers/start.py` knows; None for ourselves.
        passes: a peer computes so many calls of its network, and the rest is
            extrapolated; None for all.
    """

    name: str
    title: str
    options: tuple[str, ...] = field(default=())
    peer: str | None = None
    passes: int | None = None

    def command(self, task: Task, folder: Path, warming_up: bool = False) -> list[str]:
        """What to start; results go into ``folder``. Warming up, a peer computes one pass."""
        shared = [*task.scan_options, "-o", str(folder / "labels.nii.gz")]
        shared += ["--threads", str(task.threads)]
        if self.peer is None:
            return [
                *(sys.executable, "-m", "BrainTumorSegLib", "segment", *shared),
                *("--report", str(folder / "notes.json"), "--overwrite", "--progress", "none"),
                *("--pack", task.pack, "--tta", task.views, "--device", "cpu"),
                *(["--members", str(task.members)] if task.members else []),
                *("--registration", "simpleitk" if task.as_scanned else "none"),
                *self.options,
            ]
        passes = 1 if warming_up else self.passes
        return [
            *(task.peers_python, str(HERE / "peers" / "start.py"), self.peer, *shared),
            *("--notes", str(folder / "notes.json")),
            *("--members", str(task.exported), "--batch", str(task.batch)),
            *(["--passes", str(passes)] if passes else []),
            *(["--as-scanned"] if task.as_scanned else []),
            *self.options,
        ]

    def read(self, folder: Path, cost: Cost) -> Run:
        """The run that left its notes in ``folder``."""
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        if self.peer is None:
            network = notes["timings_s"][OUR_NETWORK_STAGE]
            return Run(self.name, cost.wall_s, cost.cpu_s, network, cost.peak_bytes)
        passes = notes["passes"]
        wall, cpu = missing_time(passes)
        timed = sum(one["items"] for one in passes["timed"])
        return Run(
            name=self.name,
            wall_s=cost.wall_s + wall,
            cpu_s=cost.cpu_s + cpu,
            network_s=notes["stages"]["network"]["wall_s"] + wall,
            peak_bytes=cost.peak_bytes,
            timed_items=timed,
            all_items=timed + passes["skipped_items"],
        )


#: What a pack may advise and the others do not have: they look at all slices, in float32.
_ALIKE = ("--precision", "fp32", "--cascade", "off")

_KNOWN = (
    Contestant("ours-openvino", "BrainTumorSeg, OpenVINO", ("--engine", "openvino", *_ALIKE)),
    Contestant("ours-torch", "BrainTumorSeg, torch", ("--engine", "torch", *_ALIKE)),
    Contestant("plain", "plain loop, same members and views", (), "plain"),
    Contestant("nnunet-1", "nnU-Net v2, 3D full resolution, 1 fold", ("--folds", "1"), "nnunet"),
    Contestant("nnunet-5", "nnU-Net v2, 3D full resolution, 5 folds", ("--folds", "5"), "nnunet"),
    Contestant("segresnet", "MONAI SegResNet, BraTS bundle", (), "segresnet"),
)

CONTESTANTS: Mapping[str, Contestant] = {one.name: one for one in _KNOWN}


def variant(text: str) -> Contestant:
    """Ourselves with other options, from ``NAME=OPTIONS``.

    Raises:
        ValueError: when the text is something else, or the name is taken.
    """
    name, equals, options = text.partition("=")
    if not (name and equals) or name in CONTESTANTS:
        raise ValueError(f"{text!r} is not a new name, an equals sign and options")
    return Contestant(name, f"BrainTumorSeg, {options}", tuple(shlex.split(options)))


def run_measured(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Cost:
    """Run a command to its end; what it prints goes to ``log``.

    Raises:
        TimeoutError: when it was stopped for taking too long.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        too_late = threading.Event()

        def stop() -> None:
            too_late.set()
            process.kill()

        timer = threading.Timer(timeout_s, stop) if timeout_s else None
        if timer:
            timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if timer:
            timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if too_late.is_set():
        raise TimeoutError(f"stopped after {timeout_s:.0f} s: {' '.join(command)}")
    return Cost(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * _MAXRSS_BYTES,
        exit_code=process.returncode,
    )
