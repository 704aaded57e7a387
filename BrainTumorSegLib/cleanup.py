"""Post-processing of a label map."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

#: Separate lesions smaller than this are taken for noise (mm3). Chosen on the
#: real cases: see the model card.
MIN_LESION_MM3 = 100.0


def remove_specks(labels: sitk.Image, min_mm3: float = MIN_LESION_MM3) -> sitk.Image:
    """Remove connected tumour regions below a volume.

    All four tissues together form the regions, with 26 neighbours, so that no
    tissue of a larger lesion is touched.

    Args:
        labels: unsigned 8-bit label map.
        min_mm3: smallest volume that stays.

    Returns:
        A new image with the same geometry.
    """
    voxel = float(np.prod(labels.GetSpacing()))
    regions = sitk.ConnectedComponent(labels > 0, True)
    smallest = max(1, int(np.ceil(min_mm3 / voxel)))
    kept = sitk.RelabelComponent(regions, minimumObjectSize=smallest) > 0
    return sitk.Mask(labels, kept)
