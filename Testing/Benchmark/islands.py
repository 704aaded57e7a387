"""How often a small part far from a tumour is part of it after all.

Label maps of real tumours, one file each, any values but 0 being tumour:

    python Testing/Benchmark/islands.py --labels DATA/msd_tumour_labels > islands.md

Parts of a tumour that hang together nowhere with its largest part are counted where they have
100 mm3 at least, the smallest lesion that the program keeps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk

from BrainTumorSegLib.core.options import MIN_LESION_MM3
from BrainTumorSegLib.inference.postprocessing import (
    remove_distant_components,
    remove_small_components,
)
from BrainTumorSegLib.io.folders import image_files
from BrainTumorSegLib.io.volumes import read_image

SHARES, DISTANCES_MM = (0.02, 0.05, 0.1), (0.0, 10.0, 20.0)


class Row(NamedTuple):
    """What one rule would lose of all label maps: parts, cases that have such, and mL."""

    share: float
    distance_mm: float
    parts: int
    cases: int
    ml: float


def main() -> int:
    """Count and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, required=True, help="folder of label maps")
    args = parser.parse_args()
    paths = image_files(args.labels)
    if not paths:
        parser.error(f"{args.labels} holds no label map")
    tumors = [remove_small_components(read_image(path) > 0) for path in paths]
    others = sum(max(0, parts(tumor) - 1) for tumor in tumors)
    told = f"parts of {MIN_LESION_MM3:g} mm3 and more beside the largest"
    print(f"{len(tumors)} label maps, {others} {told}.\n")
    print("| below, of the largest | further than | parts lost | in cases | mL in all |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows(tumors):
        print(
            f"| {100 * row.share:.0f} % | {row.distance_mm:.0f} mm | {row.parts} | {row.cases} "
            f"| {row.ml:.1f} |"
        )
    return 0


def rows(tumors: list[sitk.Image]) -> Iterator[Row]:
    """One a rule."""
    for share in SHARES:
        for distance in DISTANCES_MM:
            lost = [remove_distant_components(tumor, share, distance)[1] for tumor in tumors]
            yield Row(
                share,
                distance,
                sum(islands.removed for islands in lost),
                sum(islands.removed > 0 for islands in lost),
                sum(islands.ml for islands in lost),
            )


def parts(tumor: sitk.Image) -> int:
    """Number of parts that touch nowhere."""
    found = sitk.ConnectedComponent(tumor, True)
    minimum_maximum = sitk.MinimumMaximumImageFilter()
    minimum_maximum.Execute(found)
    return int(minimum_maximum.GetMaximum())


if __name__ == "__main__":
    sys.exit(main())
