"""The volumes of a run: whether it can begin with them, and whether they stay as they were."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.models import PackChoice
from ..host.translation import later
from ..host.translation import tr as _
from ..scene.geometry import ijkToRAS, transformBetween
from ..scene.volumes import hasVoxels, sameVolumes
from .settings import RunSettings

#: Distance in mm by which a voxel may move and still count as unmoved.
_TOLERANCE_MM = 1e-3


@dataclass(frozen=True)
class WatchedVolume:
    """A volume node as it was when the run took its voxels.

    Attributes:
        title: sequence and name, for messages.
        voxels: what changes with the voxels.
        places: where a few of its voxels lay in the reference's coordinates, (n, 3), mm.
    """

    node: Any
    title: str
    voxels: tuple[Any, ...]
    places: np.ndarray


def whatIsMissing(settings: RunSettings, pack: PackChoice | None, python: str = "") -> list[str]:
    """Sentences that say what to do before a run can work; empty when it can.

    Args:
        pack: the model pack that was chosen, None when there is none.
        python: path of another Python for the computation, empty for Slicer's own.
    """
    chosen, missing = settings.scans, []
    if pack is None:
        missing.append(_("No model was found: import one, see “Check my system”."))
    needed = (Sequence.T1CE,) if pack is None else (Sequence.T1CE, *pack.needed)
    for sequence in Sequence:
        node = chosen.get(sequence)
        if node is None and sequence in needed:
            missing.append(_("Choose the {sequence} scan.").format(sequence=sequence.name))
        elif node is not None and not hasPixels(node):
            missing.append(_("{name} holds no image; load it again.").format(name=node.GetName()))
    missing += [
        _("{first} and {second} are the same volume.").format(first=first.name, second=second.name)
        for first, second in sameVolumes(chosen)
    ]
    if settings.reference not in chosen and settings.reference not in needed:
        missing.append(
            _("The reference is {sequence}, which is not chosen.").format(
                sequence=settings.reference.name
            )
        )
    if python and not (Path(python).is_file() and os.access(python, os.X_OK)):
        missing.append(
            _("{path} (other Python) is no program; correct or empty it.").format(path=python)
        )
    return missing


def hasPixels(node: Any) -> bool:
    """Whether a volume node is in the scene and holds an image."""
    return node.GetScene() is not None and hasVoxels(node)


def scanTitle(sequence: Sequence, node: Any) -> str:
    """A volume as messages name it."""
    return f"{sequence.name} “{node.GetName()}”"


def watch(scans: Mapping[Sequence, Any], reference: Any) -> tuple[WatchedVolume, ...]:
    """Remember the volume nodes as they are now."""
    return tuple(
        WatchedVolume(node, scanTitle(sequence, node), _voxels(node), _places(node, reference))
        for sequence, node in scans.items()
    )


def refuseLost(nodes: Mapping[str, Any], scene: Any) -> None:
    """Check that nodes are still in the scene.

    Raises:
        InputError: naming the first that is gone.
    """
    lost = [title for title, node in nodes.items() if not _isIn(scene, node)]
    if not lost:
        return
    if len(lost) == len(nodes) > 1:
        message = _("The scene was closed while the segmentation was going on.")
    else:
        message = _("{title} was removed from the scene while the segmentation was going on.")
    raise InputError(
        message.format(title=lost[0]),
        _("Nothing was added to the scene. Load the scans and start again."),
    )


def describeChanges(watched: tuple[WatchedVolume, ...], reference: Any) -> list[str]:
    """A warning for every volume that is not as it was."""
    warnings = []
    for volume in watched:
        if volume.voxels != _voxels(volume.node):
            text = later(
                "{title} was changed during the run; the result shows it as it was before."
            )
        elif not _same(volume.places, _places(volume.node, reference)):
            text = later("{title} was moved during the run; the result fits where it was before.")
        else:
            continue
        warnings.append(text.format(title=volume.title))
    return warnings


def _isIn(scene: Any, node: Any) -> bool:
    return node.GetScene() is not None and scene.GetNodeByID(node.GetID() or "") is node


def _voxels(node: Any) -> tuple[Any, ...]:
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    return (image, image and image.GetExtent(), scalars, scalars and scalars.GetMTime())


def _places(node: Any, reference: Any) -> np.ndarray:
    """Corners, middles of edges and faces, and centre of the volume, in mm."""
    image = node.GetImageData()
    if image is None:
        return np.empty((0, 3))
    low, high = np.array(image.GetExtent()).reshape(3, 2).T
    grid = np.array([low, (low + high) / 2, high]).T
    points = np.array([(*point, 1) for point in itertools.product(*grid)]) @ ijkToRAS(node).T
    move = transformBetween(node, reference)
    if isinstance(move, np.ndarray):
        return (points @ move.T)[:, :3]
    return np.array([move.TransformPoint(point) for point in points[:, :3].tolist()])


def _same(before: np.ndarray, now: np.ndarray) -> bool:
    return before.shape == now.shape and bool(np.allclose(before, now, rtol=0, atol=_TOLERANCE_MM))
