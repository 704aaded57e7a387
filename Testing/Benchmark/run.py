"""Peers and BrainTumorSeg side by side: same machine, same case, same threads, turn by turn.

``python Testing/Benchmark/run.py --case FOLDER --pack PACK --peers plain nnunet-1 -o OUT``
Every run is a fresh process; see README.md for what takes part and how it is measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sidebyside.contestants import CONTESTANTS, HERE, Contestant, Task, run_measured, variant
from sidebyside.results import Run, draw, markdown, rows

from BrainTumorSegLib.core.sequences import recognize_files
from BrainTumorSegLib.evaluation.benchmark.worker import processor_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    args = _parser().parse_args(arguments)
    contestants = {**CONTESTANTS, **{one.name: one for one in map(variant, args.variant)}}
    chosen = [_chosen(text, contestants, args) for text in args.peers]
    if args.yardstick not in {one.name for one, _ in chosen}:
        chosen.insert(0, (contestants[args.yardstick], args.runs))
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        task = _task(args, Path(folder))
        if any(one.peer == "plain" for one, _ in chosen):
            _export(task)
        context = {"command": [Path(sys.argv[0]).name, *sys.argv[1:]], "machine": _machine(args)}
        runs: list[Run] = []
        for round_number, one in _turns(chosen, warm_up=not args.no_warm_up):
            warming_up = round_number == 0
            run = _run(one, task, args, f"{one.name}-{round_number}", warming_up)
            _say(f"{one.name} {'(warm-up)' if warming_up else round_number}: {run.wall_s:.1f} s")
            if warming_up:
                continue
            runs.append(run)
            # After each run, so that what was measured outlives an interruption.
            _write(args, contestants, runs, context)
    return 0


def _turns(chosen: Sequence[tuple[Contestant, int]], warm_up: bool) -> list[tuple[int, Contestant]]:
    """Round by round, every round begun by another contestant; round 0 warms up."""
    turns = [(0, one) for one, _ in chosen] if warm_up else []
    for number in range(1, max(count for _, count in chosen) + 1):
        start = (number - 1) % len(chosen)
        turns += [
            (number, one) for one, count in (*chosen[start:], *chosen[:start]) if number <= count
        ]
    return turns


def _run(one: Contestant, task: Task, args: argparse.Namespace, name: str, warming_up: bool) -> Run:
    folder = args.output / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    # Not all libraries listen to the option that every contestant is given.
    threads = {f"{library}_NUM_THREADS": str(task.threads) for library in ("OMP", "MKL")}
    cost = run_measured(
        one.command(task, folder, warming_up), folder / "log.txt", threads, args.timeout
    )
    if cost.exit_code:
        tail = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{name} failed with exit code {cost.exit_code}:\n{tail}")
    return one.read(folder, cost)


def _write(
    args: argparse.Namespace,
    contestants: dict[str, Contestant],
    runs: Sequence[Run],
    context: dict,
) -> None:
    record = {**context, "yardstick": args.yardstick, "runs": [asdict(run) for run in runs]}
    comparable = args.yardstick in {run.name for run in runs}
    if comparable:
        table = rows(runs, args.yardstick)
        record["rows"] = [asdict(row) for row in table]
        titles = {name: one.title for name, one in contestants.items()}
        text = markdown(table, titles, args.yardstick)
        about = (
            f"CPU threads: {args.threads}, views: {args.tta}, pack: {Path(args.pack).name}, "
            f"{'scans as scanned' if args.as_scanned else 'co-registered scans without skull'}; "
            f"{context['machine']['processor']}"
        )
        command = " ".join(context["command"])
        (args.output / "results.md").write_text(
            f"{about}\n\n{text}\n`{command}`\n", encoding="utf-8"
        )
        ours = {name for name, one in contestants.items() if one.peer is None}
        draw(table, titles, ours, about, args.output / "results.png")
    (args.output / "results.json").write_text(
        json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8"
    )


def _task(args: argparse.Namespace, folder: Path) -> Task:
    return Task(
        scans=_scans(args.case),
        as_scanned=args.as_scanned,
        pack=args.pack,
        views=args.tta,
        members=args.members,
        threads=args.threads,
        batch=args.batch,
        exported=folder / "members",
        peers_python=args.peers_python,
    )


def _scans(folder: Path) -> dict[str, Path]:
    """The case's files by sequence, recognised by their names."""
    chosen = recognize_files(sorted(folder.glob("*.nii*"))).chosen
    scans = {sequence.value: path for sequence, path in chosen.items()}
    if missing := {"t1", "t1ce", "flair"} - scans.keys():
        raise SystemExit(f"{folder}: no file is beyond doubt the {', '.join(sorted(missing))}.")
    return scans


def _export(task: Task) -> None:
    """In a process of its own, so that this one stays small: its size would be inherited."""
    command = [sys.executable, str(HERE / "export_members.py"), task.pack, str(task.exported)]
    command += ["--tta", task.views]
    command += ["--members", str(task.members)] if task.members else []
    subprocess.run(command, check=True)


def _chosen(
    text: str, contestants: dict[str, Contestant], args: argparse.Namespace
) -> tuple[Contestant, int]:
    """A contestant and its number of runs, from ``NAME[:RUNS[:PASSES]]``."""
    name, *numbers = text.split(":")
    if name not in contestants or len(numbers) > 2 or not all(n.isdigit() for n in numbers):
        raise SystemExit(f"{text!r}: known are {', '.join(contestants)}, as NAME:RUNS:PASSES.")
    runs, passes = [*map(int, numbers), *(args.runs, args.passes)[len(numbers) :]]
    return replace(contestants[name], passes=passes), runs


def _machine(args: argparse.Namespace) -> dict[str, object]:
    return {"processor": processor_name(), "system": platform.platform(), "threads": args.threads}


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, required=True, help="folder with T1, T1CE, FLAIR")
    parser.add_argument("--pack", required=True, help="model pack: a name or a folder")
    parser.add_argument(
        "--peers",
        nargs="+",
        required=True,
        metavar="NAME[:RUNS[:PASSES]]",
        help=f"who, how often, cut short after so many passes; known are {', '.join(CONTESTANTS)}",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for results")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each (default: 3)")
    parser.add_argument(
        "--yardstick", default="ours-openvino", help="ratios are to this one (default: %(default)s)"
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help="ourselves with other options of brain-tumor-seg segment; repeatable",
    )
    parser.add_argument("--peers-python", default=sys.executable, help="the Python with the peers")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of every contestant")
    parser.add_argument("--tta", default="tta1", help="views of ours and of the plain loop")
    parser.add_argument("--members", type=int, help="members of the pack (default: all)")
    parser.add_argument("--batch", type=int, default=8, help="slices at once in the plain loop")
    parser.add_argument(
        "--passes",
        type=int,
        help="peers compute so many calls of their network; the rest is extrapolated, and says so",
    )
    parser.add_argument(
        "--as-scanned",
        action="store_true",
        help="the scans still have their skull and lie on grids of their own",
    )
    parser.add_argument("--no-warm-up", action="store_true", help="measure the first runs too")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for one run")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
