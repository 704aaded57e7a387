"""Small questions about binary masks that several rooms ask."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def mask_volume_ml(mask: sitk.Image) -> float:
    """Volume of everything above zero, in mL."""
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    return voxels * float(np.prod(mask.GetSpacing())) / 1000.0


def largest_piece(mask: sitk.Image) -> sitk.Image:
    """The largest connected piece of a mask as an unsigned 8-bit mask."""
    pieces = sitk.RelabelComponent(sitk.ConnectedComponent(mask), sortByObjectSize=True)
    return sitk.Cast(pieces == 1, sitk.sitkUInt8)
