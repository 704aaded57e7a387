"""Running the arms in turns, each run in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import BrainTumorSegLib
from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.resources import CACHE_VARIABLE
from BrainTumorSegLib.core.sequences import Sequence, recognize_files
from BrainTumorSegLib.io.folders import READABLE_SUFFIXES, visible_files
from BrainTumorSegLib.training.case_files import is_label_file

from .plan import SIZES, WHOLE_CASE, Arm, Measured, Plan
from .worker import Order

#: How much of the output of a crashed run is kept, in characters.
_KEPT_OUTPUT = 600


@dataclass(frozen=True)
class Inputs:
    """What the runs work on.

    Attributes:
        cases: by `WHOLE_CASE` or size the ``scans``, file by sequence key, and of sizes the
            ``mask`` of the brain.
        folder: for temporary files; what a run leaves there is removed after it.
        threads: CPU threads; None for the libraries' own choice.
    """

    cases: Mapping[str, Mapping[str, Any]]
    folder: Path
    threads: int | None = None


class RunFailed(BrainTumorSegError):
    """A run ended without a result."""


def case_scans(paths: SequenceOf[Path]) -> dict[Sequence, Path]:
    """The file of each sequence, in a folder or among files; labels are left alone.

    Raises:
        InputError: when a path is not there, or names do not tell which scan is which.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist.", "Give a folder with scans, or their files.")
        files += visible_files(path) if path.is_dir() else [path]
    scans = [p for p in files if p.name.lower().endswith(READABLE_SUFFIXES)]
    found = recognize_files([p for p in scans if not is_label_file(p)])
    if found.ambiguities:
        raise InputError(
            f"The scans cannot be told apart: {found.ambiguities[0].reason}",
            "Give --case exactly three files, named like x_t1, x_t1ce, x_flair.",
        )
    if Sequence.T1CE not in found.chosen:
        raise InputError(
            f"No contrast-enhanced T1 scan was found in {', '.join(map(str, paths))}.",
            "Name it like x_t1ce.nii.gz.",
        )
    return dict(found.chosen)


def prepare(
    plan: Plan, scans: Mapping[Sequence, Path], folder: Path, threads: int | None
) -> tuple[Inputs, dict[str, Any]]:
    """Run once without timing, so that the files are in memory and all networks converted.

    Returns:
        What the runs work on, and the answer of the worker: machine, scans, work.

    Raises:
        RunFailed: when the case cannot be segmented at all.
    """
    runs = [arm for arm in plan.arms.values() if arm.kind == "segment"]
    engine = ("engine", "device", "precision")
    engines = sorted({tuple(arm.options[key] for key in engine) for arm in runs})
    given = {key.value: str(path.resolve()) for key, path in scans.items()}
    order = Order(
        kind="prepare",
        # Not the engine of the arm: should that fail, the other arms still have their case.
        options={**plan.arms[plan.base].options, "engine": "auto", "precision": "auto"},
        scans=given,
        threads=threads,
        sizes={arm.case: SIZES[arm.case] for arm in runs if arm.case != WHOLE_CASE},
        engines=tuple(dict(zip(engine, values, strict=True)) for values in engines),
    )
    answer = run_order(order, folder / "prepared")
    return Inputs({WHOLE_CASE: {"scans": given}, **answer["sizes"]}, folder, threads), answer


def measure(
    arms: Mapping[str, Arm],
    rounds: int,
    inputs: Inputs,
    progress: Progress,
    after_round: Callable[[Mapping[str, Measured]], None],
) -> dict[str, Measured]:
    """Run all arms in turns: every arm once, then every arm once again.

    Each round begins with another arm, so that no arm always follows the same one. An arm
    that fails is left out from then on; the others go on.

    Args:
        arms: by name.
        rounds: how often.
        inputs: what they work on.
        progress: advanced once a run, in a stage of its own.
        after_round: is given what there is after each round.
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
                    found.runs.append({"round": number, **run_arm(found.arm, inputs)})
                except RunFailed as error:
                    found.failure = {"message": error.message, "remedy": error.remedy}
                    progress.warn(f"{name}: {error.message}")
            progress.advance(1, name)
        after_round(measured)
    return measured


def run_arm(arm: Arm, inputs: Inputs) -> dict[str, Any]:
    """One run of one arm; the result of the worker with ``wall_s``, from start to exit.

    Raises:
        RunFailed: with what is known about it.
    """
    if arm.case not in inputs.cases:
        raise RunFailed(f"The case could not be brought to the size {arm.case!r}.")
    cropped = {} if arm.case == WHOLE_CASE else {"registration": "none"}
    order = Order(
        kind=arm.kind,
        options={**arm.options, **cropped},
        cases=arm.cases,
        threads=inputs.threads,
        **inputs.cases[arm.case],
    )
    # Processes that wanted to run during the last minute; Windows does not tell.
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    with TemporaryDirectory(dir=inputs.folder) as place:
        return {"load_average": load, **run_order(order, Path(place), arm.empty_cache)}


def run_order(order: Order, place: Path, empty_cache: bool = False) -> dict[str, Any]:
    """Have a fresh process carry out an order, with all of its files in ``place``.

    Raises:
        RunFailed: when it ended without a result.
    """
    (place / "out").mkdir(parents=True)
    checkout = str(Path(BrainTumorSegLib.__file__).parents[1])
    paths = filter(None, [checkout, os.environ.get("PYTHONPATH")])
    variables = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(paths)}
    if empty_cache:
        variables[CACHE_VARIABLE] = str(place / "cache")
    given = {**asdict(order), "folder": str(place / "out"), "started": time.time()}
    (place / "order.json").write_text(json.dumps(given), encoding="utf-8")
    answer, log = place / "answer.json", place / "log.txt"
    command = [sys.executable, "-m", f"{__package__}.worker", str(place / "order.json")]
    begin = time.perf_counter()
    code = _run_to_end([*command, str(answer)], variables, log)
    wall = time.perf_counter() - begin
    if not answer.is_file():
        output = log.read_text(encoding="utf-8", errors="replace").strip()[-_KEPT_OUTPUT:]
        raise RunFailed(f"The run ended with code {code} and no result. {output}".rstrip())
    found = json.loads(answer.read_text(encoding="utf-8"))
    if "failure" in found:
        raise RunFailed(found["failure"]["message"], found["failure"]["remedy"])
    return {"wall_s": wall, **found["result"]}


def _run_to_end(command: list[str], variables: dict[str, str], log: Path) -> int:
    """Exit code; whatever stops us stops the process, and programs that it started, too."""
    import psutil

    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # An interrupt at the terminal is ours to pass on.
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()
            raise
