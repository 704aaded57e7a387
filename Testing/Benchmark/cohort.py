"""Cases an hour: the local engine of `cohort` against a shell loop over `segment`.

    python Testing/Benchmark/cohort.py --data SCANS --work FOLDER --cases 6 > cohort.md

The machine must have nothing else to do. Arms take turns with the same cases; networks were
converted before (a first case, not counted). Labels of all arms must be the same.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import SimpleITK as sitk

from BrainTumorSegLib.cohort.cases import CohortCase
from BrainTumorSegLib.cohort.finding import find_cases

PROGRAM = [sys.executable, "-m", "BrainTumorSegLib"]

#: Workers and threads of the local engine.
ARMS = {"1 worker of 2 threads": (1, 2), "2 workers of 1 thread": (2, 1)}


def main() -> None:
    """Run every arm on the same cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="as INPUT of cohort")
    parser.add_argument("--work", type=Path, required=True, help="folder for results; emptied")
    parser.add_argument("--cases", type=int, default=6, help="how many (default: 6)")
    parser.add_argument("--pack", default="glioma-lite")
    args = parser.parse_args()
    cases = [case for case in find_cases(args.data) if case.problem is None][: args.cases]
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    shell_loop(cases[:1], args.work / "warm-up", args.pack)
    rows = [("shell loop over segment", shell_loop(cases, args.work / "loop", args.pack), 0)]
    for name, (workers, threads) in ARMS.items():
        output = args.work / name.replace(" ", "-")
        seconds = cohort(args.data, cases, output, args.pack, workers, threads)
        rows.append((f"cohort, {name}", seconds, peak_mb(output)))
        compare_labels(args.work / "loop", output, cases)
    print("| how | cases | seconds | cases an hour | times the loop | peak memory a case, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, seconds, memory in rows:
        hourly, times = 3600 * len(cases) / seconds, rows[0][1] / seconds
        print(
            f"| {name} | {len(cases)} | {seconds:.0f} | {hourly:.0f} | {times:.2f} | "
            f"{memory or '–'} |"
        )
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    print(f"\n{os.cpu_count()} cores, pack {args.pack}, load average afterwards {load}.")


def shell_loop(cases: list[CohortCase], output: Path, pack: str) -> float:
    """Seconds for the cases one after the other, each with all cores."""
    began = time.perf_counter()
    for case in cases:
        place = output / case.folder
        place.mkdir(parents=True)
        scans = [f"--{sequence.value}={path}" for sequence, path in case.scans.items()]
        words = [*scans, f"--output={place / case.stem}.seg.nrrd", f"--pack={pack}"]
        words += [f"--report={place / case.stem}.json", f"--picture={place / case.stem}.png"]
        subprocess.run([*PROGRAM, "segment", *words, "--progress=none"], check=True)
    return time.perf_counter() - began


def cohort(
    data: Path, cases: list[CohortCase], output: Path, pack: str, workers: int, threads: int
) -> float:
    """Seconds for the same cases by the local engine, start and tables included."""
    words = [*(f"--only={case.name}" for case in cases), f"--pack={pack}", "--progress=none"]
    words += [f"--workers={workers}", f"--threads={threads}"]
    began = time.perf_counter()
    subprocess.run([*PROGRAM, "cohort", data, f"--output={output}", *words], check=True)
    return time.perf_counter() - began


def peak_mb(output: Path) -> int:
    """The largest peak of a case."""
    with (output / "cohort.tsv").open(encoding="utf-8", newline="") as stream:
        known = (row["peak_memory_mb"] for row in csv.DictReader(stream, delimiter="\t"))
        return max(int(memory) for memory in known if memory)


def compare_labels(one: Path, other: Path, cases: list[CohortCase]) -> None:
    """Say where the arms did not come to the same labels."""
    for case in cases:
        files = [folder / case.folder / f"{case.stem}.seg.nrrd" for folder in (one, other)]
        first, second = (sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in files)
        if hashlib.sha256(first).digest() != hashlib.sha256(second).digest():
            print(
                f"Labels of {case.name} differ: {(first != second).sum()} voxels", file=sys.stderr
            )


if __name__ == "__main__":
    main()
