"""The mean map of anatomy: where in a head each structure lies, and in how many heads.

Made by ``Testing/Benchmark/mean_map.py`` of the 20 label maps that SynthSeg was trained on
(Billot et al., Medical Image Analysis 2023; Apache-2.0). It has no lobes, as they have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.resources import resource_path

#: Voxels of the whole map (columns to the patient's left, rows to the back, slices upwards).
SIZE, SPACING_MM = (80, 100, 84), 2.0

#: The first column of the left half; the plane between the hemispheres is in front of it.
MIDDLE = SIZE[0] // 2

#: Structures by FreeSurfer's numbers, both sides.
STRUCTURES: Mapping[str, tuple[int, ...]] = {
    "ventricles": (4, 43, 5, 44, 14, 15),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "lentiform": (12, 51, 13, 52),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "brainstem": (16, 28, 60),
    "cerebellum": (7, 8, 46, 47),
    "cerebrum": (2, 3, 41, 42),
}

#: Further parts of the file: the brain, and the mean brightness of tissue as on T1.
BRAIN, TISSUE = "brain", "tissue"


def map_grid() -> sitk.Image:
    """An empty image of the map's voxels in LPS; its middle is the origin of space."""
    grid = sitk.Image(SIZE, sitk.sitkUInt8)
    grid.SetSpacing([SPACING_MM] * 3)
    grid.SetOrigin([-SPACING_MM * (n - 1) / 2 for n in SIZE])
    return grid


@lru_cache(maxsize=1)
def mean_map() -> Mapping[str, sitk.Image]:
    """The map by structure: share of heads that have it, 0 to 1, float32; `TISSUE` 0 to 255."""
    grid = map_grid()
    images = {}
    with np.load(resource_path("Anatomy", "mean_map.npz"), allow_pickle=False) as stored:
        for name in (*STRUCTURES, BRAIN, TISSUE):
            half = stored[name].astype(np.float32) / (1 if name == TISSUE else 255)
            image = sitk.GetImageFromArray(np.concatenate([half[:, :, ::-1], half], axis=2))
            image.CopyInformation(grid)
            images[name] = image
    return images
