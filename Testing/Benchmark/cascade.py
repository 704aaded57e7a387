"""Does the cascade lose anything? The cascade against the whole ensemble on labelled real cases.

    python Testing/Benchmark/cascade.py --data DATA --work FOLDER > table.md

Every member looks at every slice from every view once; what each is needed for is kept in the
work folder, so that a second call goes on where the first ended, and all thresholds are derived
from the same looks: near tumour the cascade's answer is the whole ensemble's, elsewhere it is the
first member's first look (test_slice_preselection.py holds it to that). Two ensembles are
compared: all members, and out of fold the one member that never saw the case.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation.metrics import score_labels
from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.inference.postprocessing import (
    remove_distant_components,
    remove_small_components,
)
from BrainTumorSegLib.inference.slice_preselection import Preselection, near_tumor
from BrainTumorSegLib.inference.tta import tta_transforms
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.models.packs import ModelPack, load_pack
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.cohort import LabeledCase, read_cohort
from BrainTumorSegLib.training.volumes import load_volume

REGIONS = ("WT", "TC", "ET")
#: Slices at once.
BATCH = 4


def main() -> None:
    """Compute what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cases.tsv")
    parser.add_argument("--work", type=Path, required=True, help="folder for what was computed")
    parser.add_argument("--pack", help="model pack: a name or a folder")
    parser.add_argument("--tta", help="views (default: the pack's advice)")
    parser.add_argument("--cases", nargs="+", help="only these")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.05, 0.1, 0.2, 0.4])
    parser.add_argument("--threads", type=int, help="CPU threads")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    pack = load_pack(args.pack)
    views = args.tta or pack.advised_views
    cases = [c for c in read_cohort(args.data) if not args.cases or c.name in args.cases]
    rows = []
    for case in cases:
        path = args.work / f"{case.name}-{pack.name}-{views}-{args.precision}.npz"
        if not path.is_file():
            args.work.mkdir(parents=True, exist_ok=True)
            found = look(case, pack, views, args.precision, args.work)
            with atomic_path(path) as temporary:
                np.savez(temporary, **found)
            print(f"{case.name} is done", file=sys.stderr, flush=True)
        # A pack need not have a member for every fold.
        left_out = [n for n, m in enumerate(pack.members) if m.trained.get("fold") == case.fold]
        number = len(tta_transforms(views))
        rows += compare(case, np.load(path), args.work, args.thresholds, number, left_out)
    print(f"{len(cases)} cases, pack {pack.name}, {views}, {args.precision}.\n")
    print("\n".join((*summary(rows), "", *by_case(rows))))


def look(
    case: LabeledCase, pack: ModelPack, views_name: str, precision: str, work: Path
) -> dict[str, np.ndarray]:
    """Labels of every member's first look, of every member and of all, and where tumour is.

    Returns:
        ``first`` and ``member``: ``[member, slice, row, column]``; ``whole``; ``highest``:
        highest probability of tumour at each first look ``[member, slice]``; ``slices``: those
        that show brain.
    """
    views = tta_transforms(views_name)
    volumes = dict(
        zip(Sequence, np.array(load_volume(case, work / "Volumes").scans, np.float32), strict=True)
    )
    shape = volumes[Sequence.T1CE].shape
    plan = plan_engine("auto", "cpu", precision)
    image = (pack.network.in_channels, *shape[1:])
    engine = open_engine(plan, pack, pack.members, image).engine
    slices = np.flatnonzero([any(v[n].any() for v in volumes.values()) for n in range(shape[0])])
    first, member = (np.zeros((engine.members, *shape), np.uint8) for _ in range(2))
    highest = np.zeros((engine.members, shape[0]), np.float32)
    total = torch.zeros(shape[0], pack.network.classes, *shape[1:])
    for number in range(engine.members):
        for start in range(0, len(slices), BATCH):
            indices = slices[start : start + BATCH]
            shown = torch.from_numpy(stack_slices(volumes, pack.recipe, indices))
            own = None
            for view in views:
                seen = view.undo(engine.predict(number, view.apply(shown).contiguous()))
                if own is None:
                    own = seen.clone()
                    first[number, indices] = decode_slices(seen.numpy())
                    highest[number, indices] = seen[:, 1:].sum(dim=1).amax(dim=(1, 2))
                else:
                    own.add_(seen)
            own /= len(views)
            member[number, indices] = decode_slices(own.numpy())
            total[indices] += own / engine.members
    whole = np.zeros(shape, np.uint8)
    whole[slices] = decode_slices(total[slices].numpy())
    return {
        "first": first,
        "member": member,
        "whole": whole,
        "highest": highest,
        "slices": slices,
    }


def compare(
    case: LabeledCase,
    predict_batches: dict,
    work: Path,
    thresholds: list[float],
    views: int,
    left_out: list[int],
) -> Iterator[dict]:
    """One row a threshold and ensemble; out of fold is the first member that left it out."""
    allowed = np.asarray(load_volume(case, work / "Volumes").allowed)
    slices, members = predict_batches["slices"], len(predict_batches["first"])
    ensembles = {"all members": (0, predict_batches["whole"], members * views)}
    if left_out:
        ensembles["out of fold"] = (left_out[0], predict_batches["member"][left_out[0]], views)
    for name, (member, labels, number) in ensembles.items():
        expected = cleaned(labels)
        dice = dices(expected, allowed)
        for threshold in thresholds:
            near = near_tumor(predict_batches["highest"][member], Preselection(threshold))
            found = cleaned(np.where(near[:, None, None], labels, predict_batches["first"][member]))
            share = near[slices].mean()
            differences = {
                region: abs(dice[region] - value)
                for region, value in dices(found, allowed).items()
                if region in dice
            }
            yield {
                "case": case.name,
                "ensemble": name,
                "threshold": threshold,
                "share": share,
                "work": (1 + share * (number - 1)) / number,
                "lesions": lesions(expected)[1],
                "lost": without(expected, found),
                "new": without(found, expected),
                "voxels": int((expected != found).sum()),
                "differences": differences,
            }


def cleaned(labels: np.ndarray) -> np.ndarray:
    """Labels without specks and islands; the grid's voxels are taken for 1 mm3."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels, np.uint8))
    return sitk.GetArrayFromImage(remove_distant_components(remove_small_components(image))[0])


def lesions(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbered parts of a label map that touch by face, edge or corner, and how many."""
    image = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    return parts, int(parts.max())


def without(labels: np.ndarray, others: np.ndarray) -> int:
    """How many lesions of a label map have no voxel of tumour in another one."""
    parts, count = lesions(labels)
    return count - len(set(np.unique(parts[others > 0])) - {0})


def dices(labels: np.ndarray, allowed: np.ndarray) -> dict[str, float]:
    """Dice of the regions that the truth can tell."""
    scores = score_labels(labels, allowed, (1.0, 1.0, 1.0))
    return {region: scores[region].dice for region in REGIONS if scores[region] is not None}


def summary(rows: list[dict]) -> Iterator[str]:
    """One line an ensemble and threshold."""
    yield (
        "| ensemble | threshold | slices near tumour: mean (largest) | looks, of the whole "
        "ensemble's | lesions | lost | new | Dice changed: largest WT, TC, ET | mean WT, TC, ET |"
    )
    yield "| --- " * 9 + "|"
    for key in dict.fromkeys((r["ensemble"], r["threshold"]) for r in rows):
        those = [r for r in rows if (r["ensemble"], r["threshold"]) == key]
        share = [r["share"] for r in those]
        changes = [
            [r["differences"][region] for r in those if region in r["differences"]]
            for region in REGIONS
        ]
        largest = ", ".join(f"{max(values, default=0):.5f}" for values in changes)
        average = ", ".join(f"{np.mean(values or [0]):.6f}" for values in changes)
        counts = " | ".join(str(sum(r[what] for r in those)) for what in ("lesions", "lost", "new"))
        yield (
            f"| {key[0]} | {key[1]:g} | {np.mean(share):.2f} ({max(share):.2f}) "
            f"| {np.mean([r['work'] for r in those]):.2f} | {counts} | {largest} | {average} |"
        )


def by_case(rows: list[dict]) -> Iterator[str]:
    """Every case at the threshold of the library."""
    threshold = Preselection().threshold
    yield f"Every case with a threshold of {threshold:g}:\n"
    columns = ("near tumour", "lesions", "lost", "new", "voxels changed", "largest change of Dice")
    yield "| " + " | ".join(("case", "ensemble", *columns)) + " |"
    yield "| --- " * 8 + "|"
    for row in rows:
        if row["threshold"] == threshold:
            worst = max(row["differences"].values(), default=0.0)
            counts = " | ".join(str(row[what]) for what in ("lesions", "lost", "new", "voxels"))
            yield (
                f"| {row['case']} | {row['ensemble']} | {row['share']:.2f} | {counts} "
                f"| {worst:.5f} |"
            )


if __name__ == "__main__":
    main()
