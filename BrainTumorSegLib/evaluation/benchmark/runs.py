"""Running the arms in turns, each run in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import BrainTumorSegLib
from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.evaluation.benchmark.arms import WHOLE_CASE, Arm
from BrainTumorSegLib.evaluation.benchmark.machine import load_average
from BrainTumorSegLib.evaluation.benchmark.worker import Order
from BrainTumorSegLib.inference.engines.model_cache import CACHE_VARIABLE

#: How much of what a crashed run has said is kept.
_SAID = 600


@dataclass(frozen=True)
class Material:
    """What the runs work on.

    Attributes:
        scans: file by sequence key, by `WHOLE_CASE` or size.
        masks: brain mask by size; the whole case has none.
        threads: CPU threads; None for the libraries' own choice.
        folder: for temporary files; what a run leaves there is removed after it.
    """

    scans: Mapping[str, Mapping[str, str]]
    folder: Path
    masks: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None


@dataclass
class Measured:
    """What was measured of one arm.

    Attributes:
        arm: which.
        runs: one a round, in their order.
        failure: ``message`` and ``remedy`` of the run that failed; none was tried after it.
    """

    arm: Arm
    runs: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, Any] | None = None


class RunFailed(BrainTumorSegError):
    """A run ended without a result."""


def measure(
    arms: Mapping[str, Arm],
    rounds: int,
    material: Material,
    progress: Progress,
    after_round: Callable[[Mapping[str, Measured]], None],
) -> dict[str, Measured]:
    """Run all arms in turns: every arm once, then every arm once again.

    Each round begins with another arm, so that no arm always follows the same one. An arm
    that fails is left out from then on; the others go on.

    Args:
        arms: by name.
        rounds: how often.
        material: see `Material`.
        progress: advanced once a run, in a stage of its own.
        after_round: told what there is after each round.
    """
    measured = {name: Measured(arm) for name, arm in arms.items()}
    progress.stage("measure", rounds * len(arms))
    names = list(arms)
    for number in range(rounds):
        first = number * max(1, len(names) // rounds) % max(1, len(names))
        for name in names[first:] + names[:first]:
            found = measured[name]
            if found.failure is None:
                try:
                    found.runs.append({"round": number, **run_arm(found.arm, material)})
                except RunFailed as error:
                    found.failure = {"message": error.message, "remedy": error.remedy}
                    progress.warn(f"{name}: {error.message}")
            progress.advance(1, name)
        after_round(measured)
    return measured


def run_arm(arm: Arm, material: Material) -> dict[str, Any]:
    """One run of one arm; the result of the worker with ``wall_s``, from start to exit.

    Raises:
        RunFailed: with what is known about it.
    """
    scans = material.scans.get(arm.case)
    if scans is None:
        raise RunFailed(f"The case could not be brought to the size {arm.case!r}.")
    options = dict(arm.options)
    if arm.case != WHOLE_CASE:
        options["registration"] = "none"
    order = Order(
        kind=arm.kind,
        options=options,
        scans=scans,
        folder="",
        started=0.0,
        mask=material.masks.get(arm.case),
        cases=arm.cases,
        threads=material.threads,
    )
    load = load_average()
    return {"load_average": load, **run_order(order, material.folder, arm.empty_cache)}


def run_order(order: Order, folder: Path, empty_cache: bool = False) -> dict[str, Any]:
    """Have a fresh process carry out an order; with ``prepare`` its files are kept.

    Raises:
        RunFailed: when it ended without a result.
    """
    with _emptied(folder / "run", keep=order.kind == "prepare") as place:
        (place / "out").mkdir()
        variables = {**os.environ, "TMPDIR": str(place)}
        checkout = str(Path(BrainTumorSegLib.__file__).parents[1])
        variables["PYTHONPATH"] = os.pathsep.join(
            filter(None, [checkout, os.environ.get("PYTHONPATH")])
        )
        if empty_cache:
            variables[CACHE_VARIABLE] = str(place / "cache")
        started = time.time()
        given = {**asdict(order), "folder": str(place / "out"), "started": started}
        (place / "order.json").write_text(json.dumps(given), encoding="utf-8")
        command = [sys.executable, "-m", "BrainTumorSegLib.evaluation.benchmark.worker"]
        command += [str(place / "order.json"), str(place / "answer.json")]
        begin = time.perf_counter()
        code, said = _run_to_end(command, variables, place / "said.txt")
        wall = time.perf_counter() - begin
        answer = place / "answer.json"
        if not answer.is_file():
            raise RunFailed(f"The run ended with code {code} and no result. {said}".rstrip())
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "failure" in found:
        raise RunFailed(found["failure"]["message"], found["failure"]["remedy"])
    return {"wall_s": wall, **found["result"]}


def _run_to_end(command: list[str], variables: dict[str, str], log: Path) -> tuple[int, str]:
    """Exit code and the end of what was said; whatever stops us stops the process too."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # With a session of its own, programs that it started can be stopped with it.
            start_new_session=os.name == "posix",
        )
        try:
            code = process.wait()
        except BaseException:
            _stop(process)
            raise
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    return code, text[-_SAID:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if os.name != "posix":
        process.kill()
    elif process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _emptied(folder: Path, keep: bool) -> Iterator[Path]:
    """An empty folder, removed afterwards unless it is to be kept under another name."""
    import shutil

    if keep:
        folder = folder.with_name("prepared")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
