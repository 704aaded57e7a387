"""What a chosen volume looks like, and what should be asked before a run on it begins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from BrainTumorSegLib.core.mix_ups import contradiction
from BrainTumorSegLib.core.sequences import Sequence, Verdict

from ..host.translation import told
from ..host.translation import tr as _
from ..scene.geometry import voxels
from ..scene.provenance import ROLE, registeredRole
from ..scene.scene_scans import whyNoScan
from .scans import recognizeNode

#: Where T1 is meant, a word about contrast agent that speaks against it, and so on.
_CONTRADICTS = {(Sequence.T1, "given"), (Sequence.T1CE, "none")}


@dataclass(frozen=True)
class Impression:
    """What a volume that was chosen as a sequence looks like.

    Attributes:
        reason: a sentence for a radiologist.
        doubtful: whether somebody should look at it before a run.
        wrong: whether a run on it will probably be wrong.
        found: the sequence that it looks like; None where nothing tells.
    """

    reason: str
    doubtful: bool = False
    wrong: bool = False
    found: Sequence | None = None


def impressionOf(node: Any, sequence: Sequence) -> Impression:
    """Judge one volume node by its name, file and header, not by its voxels."""
    refusal = whyNoScan(node)
    if refusal is not None:
        # A registered copy of the right sequence is as good as the scan itself.
        return Impression(refusal, True, node.GetAttribute(ROLE) != registeredRole(sequence))
    found = recognizeNode(node)
    wrong = contradiction("", sequence, found) is not None
    doubtful = (
        wrong
        or found.verdict is Verdict.AMBIGUOUS
        or found.sequence not in (sequence, None)
        or (sequence, found.contrast) in _CONTRADICTS
    )
    return Impression(found.reason, doubtful, wrong, found.sequence)


def doubtsAbout(scans: Mapping[Sequence, Any]) -> list[str]:
    """Sentences that say why a run on these volumes will probably be wrong; empty if it will not.

    Args:
        scans: volume node of each sequence that was chosen, each with an image.
    """
    seen = {sequence: impressionOf(node, sequence) for sequence, node in scans.items()}
    doubts, swapped = [], set()
    for first, second in itertools.combinations(seen, 2):
        if (seen[first].found, seen[second].found) == (second, first):
            swapped |= {first, second}
            text = _(
                "{first} and {second} seem to be swapped. “{name}” is chosen as {first}. {reason}"
            )
            name, reason = scans[first].GetName(), told(seen[first].reason)
            doubts.append(
                text.format(first=first.name, second=second.name, name=name, reason=reason)
            )
    doubts += [
        _("“{name}” is chosen as {sequence}. {reason}").format(
            name=scans[sequence].GetName(), sequence=sequence.name, reason=told(impression.reason)
        )
        for sequence, impression in seen.items()
        if impression.wrong and sequence not in swapped
    ]
    doubts += [
        _("“{first}” and “{second}” hold the same image.").format(
            first=scans[first].GetName(), second=scans[second].GetName()
        )
        for first, second in itertools.combinations(scans, 2)
        if _sameImage(scans[first].GetImageData(), scans[second].GetImageData())
    ]
    return doubts


def _sameImage(first: Any, second: Any) -> bool:
    return first.GetDimensions() == second.GetDimensions() and np.array_equal(
        voxels(first), voxels(second)
    )
