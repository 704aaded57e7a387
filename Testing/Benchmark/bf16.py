"""Does bf16 cost quality? One pack in bf16 against itself in fp32, on labelled real cases.

    python Testing/Benchmark/bf16.py --data DATA --work FOLDER > table.md

Each case is seen by the one member that never saw it, through the OpenVINO engine, every slice,
and cleaned up as in a run. The last line is what the pack's manifest may say: a run takes bf16 by
itself only for packs whose figure is small enough (`packs.manifest.BF16_LIMIT`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from cascade import BATCH, REGIONS, cleaned, dices

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.inference.tta import tta_transforms
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.models.packs import ModelPack, load_pack
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.cohort import LabeledCase, read_cohort
from BrainTumorSegLib.training.volumes import load_volume

PRECISIONS = ("fp32", "bf16")


def main() -> None:
    """Compute what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cases.tsv")
    parser.add_argument("--work", type=Path, required=True, help="folder for what was computed")
    parser.add_argument("--pack", help="model pack: a name or a folder")
    parser.add_argument("--tta", default="none", help="views (default: none, the strictest)")
    parser.add_argument("--cases", nargs="+", help="only these")
    parser.add_argument("--threads", type=int, help="CPU threads")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    pack = load_pack(args.pack)
    # A pack need not have a member for every fold.
    folds = {member.trained.get("fold") for member in pack.members}
    cases = [
        case
        for case in read_cohort(args.data)
        if case.fold in folds and (not args.cases or case.name in args.cases)
    ]
    args.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in cases:
        path = args.work / f"{case.name}-{pack.name}-{args.tta}-bf16-check.npz"
        if not path.is_file():
            found = both_labels(case, pack, args.tta, args.work)
            with atomic_path(path) as temporary:
                np.savez(temporary, **found)
            print(f"{case.name} is done", file=sys.stderr, flush=True)
        allowed = np.asarray(load_volume(case, args.work / "Volumes").allowed)
        rows.append(compare(case.name, np.load(path), allowed))
    print(f"{len(cases)} cases, pack {pack.name} {pack.version}, views {args.tta}.\n")
    print("\n".join((*by_case(rows), "", *summary(rows))))
    command = "python Testing/Benchmark/bf16.py --data DATA --work FOLDER --pack " + pack.name
    figure = {
        # Rounded up, so that no change is told smaller than it is.
        "dice_change": rounded_up(abs(change) for change in mean_changes(rows).values()),
        "case_change": rounded_up(abs(change) for row in rows for change in changes(row).values()),
        "cases": len(rows),
        "data": f"real labelled cases, each by the member that never saw it, views {args.tta}",
        "command": command if args.tta == "none" else f"{command} --tta {args.tta}",
    }
    print(f'\nFor the manifest: "bf16": {json.dumps(figure)}')


def both_labels(
    case: LabeledCase, pack: ModelPack, views_name: str, work: Path
) -> dict[str, np.ndarray]:
    """Labels ``[slice, row, column]`` in both precisions, and how many voxels show brain."""
    scans = np.array(load_volume(case, work / "Volumes").scans, np.float32)
    volumes = dict(zip(Sequence, scans, strict=True))
    member = next(m for m in pack.members if m.trained.get("fold") == case.fold)
    image = (pack.network.in_channels, *scans.shape[2:])
    slices = np.flatnonzero(scans.any(axis=(0, 2, 3)))
    views = tta_transforms(views_name)
    found = {"brain": np.array((scans != 0).any(axis=0).sum())}
    for precision in PRECISIONS:
        plan = plan_engine("openvino", "cpu", precision)
        engine = open_engine(plan, pack, (member,), image).engine
        labels = np.zeros(scans.shape[1:], np.uint8)
        for start in range(0, len(slices), BATCH):
            indices = slices[start : start + BATCH]
            shown = torch.from_numpy(stack_slices(volumes, pack.recipe, indices))
            seen = sum(v.undo(engine.predict(0, v.apply(shown).contiguous())) for v in views)
            labels[indices] = decode_slices((seen / len(views)).numpy())
        found[precision] = labels
    return found


def compare(name: str, labels: dict[str, np.ndarray], allowed: np.ndarray) -> dict:
    """One row: Dice with the truth in both precisions, and the share of voxels that differ."""
    found = {precision: cleaned(labels[precision]) for precision in PRECISIONS}
    return {
        "case": name,
        "differing": float((found["fp32"] != found["bf16"]).sum() / labels["brain"]),
        **{precision: dices(found[precision], allowed) for precision in PRECISIONS},
    }


def changes(row: dict) -> dict[str, float]:
    """By region that the truth can tell: the Dice in bf16 minus that in fp32."""
    return {region: row["bf16"][region] - before for region, before in row["fp32"].items()}


def mean_changes(rows: list[dict]) -> dict[str, float]:
    """By region: the mean of the `changes` over the cases that have it."""
    found = {region: [c[region] for c in map(changes, rows) if region in c] for region in REGIONS}
    return {region: float(np.mean(values)) for region, values in found.items() if values}


def rounded_up(values: Iterable[float]) -> float:
    """The largest, to five digits behind the point."""
    return math.ceil(1e5 * max(values)) / 1e5


def by_case(rows: list[dict]) -> Iterator[str]:
    """One line a case."""
    yield (
        "| case | voxels that differ | " + " | ".join(f"{r}: fp32, change" for r in REGIONS) + " |"
    )
    yield "| --- " * (2 + len(REGIONS)) + "|"
    for row in rows:
        found = changes(row)
        cells = [f"{row['fp32'][r]:.4f}, {found[r]:+.4f}" if r in found else "" for r in REGIONS]
        yield f"| {row['case']} | {1e6 * row['differing']:.0f} in a million | {' | '.join(cells)} |"


def summary(rows: list[dict]) -> Iterator[str]:
    """One line a region."""
    yield "| region | mean Dice in fp32 | in bf16 | change | largest change in a case |"
    yield "| --- " * 5 + "|"
    for region, change in mean_changes(rows).items():
        those = [row for row in rows if region in row["fp32"]]
        mean = np.mean([row["fp32"][region] for row in those])
        worst = max(those, key=lambda row: abs(changes(row)[region]))
        yield (
            f"| {region} | {mean:.5f} | {mean + change:.5f} | {change:+.5f} "
            f"| {changes(worst)[region]:+.5f} ({worst['case']}) |"
        )


if __name__ == "__main__":
    main()
