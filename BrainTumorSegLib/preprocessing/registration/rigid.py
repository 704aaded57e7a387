"""Rigid transforms as matrices, and back."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def matrix_and_offset(transform: sitk.Transform) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3x3) and offset (3) of a linear transform: ``moved = matrix @ point + offset``."""
    offset = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(axis)) - offset for axis in np.eye(3).tolist()]
    return np.stack(columns, axis=1), offset


def rigid_from_matrix(
    matrix: np.ndarray, offset: np.ndarray, center: np.ndarray
) -> sitk.VersorRigid3DTransform:
    """The rigid transform ``matrix @ point + offset``, stated about a centre of rotation."""
    u, _, vt = np.linalg.svd(matrix)
    exact = u @ vt
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(center.tolist())
    transform.SetMatrix(exact.ravel().tolist())
    transform.SetTranslation((matrix @ center + offset - center).tolist())
    return transform


def rotation_deg(transform: sitk.Transform) -> float:
    """Angle of a rigid transform's rotation in degrees."""
    matrix, _ = matrix_and_offset(transform)
    # The antisymmetric part stays exact near zero, where the trace does not.
    axis = matrix - matrix.T
    sine = 0.5 * np.linalg.norm([axis[2, 1], axis[0, 2], axis[1, 0]])
    return float(np.degrees(np.arctan2(sine, 0.5 * (np.trace(matrix) - 1.0))))
