"""What the module's own test needs in the application: a case, and the scene described.

The demonstration case is made and segmented by the command line, so that its labels can
be compared with those of the module.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence

from .host.application import runFolder
from .host.host import processEvents
from .review.reviews import readReviews
from .scene.scene import referencesOf
from .scene.segments import labelImage
from .worker.worker import finishedWorker

#: Quick choices: two networks, so that they can disagree, each slice once, scans as they lie.
QUICK: Mapping[str, Any] = {"members": 2, "tta": "none", "registration": "none", "device": "cpu"}

#: Longest time in seconds that a slow computer may take for a case.
TIME_LIMIT_S = 900


@dataclass(frozen=True)
class Demonstration:
    """The case on disk.

    Attributes:
        scans: its files.
        labels: what the command line made of it with the `QUICK` choices.
    """

    scans: Mapping[Sequence, Path]
    labels: Path


@functools.cache
def demonstration() -> Demonstration:
    """Make the case once for all tests of this session.

    Raises:
        BrainTumorSegError: when the command line fails.
    """
    arguments = [
        *("demo", "--output", "demo", "--progress", "json", "--members", str(QUICK["members"])),
        *("--tta", QUICK["tta"], "--registration", QUICK["registration"]),
        *("--device", QUICK["device"]),
    ]
    with finishedWorker(arguments, timeout=TIME_LIMIT_S) as (worker, events):
        if worker.exitCode != 0:
            failures = [event for event in events if event.get("kind") == "error"]
            raise worker.failure(failures[-1] if failures else None)
        folder = runFolder()
        shutil.copytree(worker.folder / "demo", folder, dirs_exist_ok=True)
    scans = {s: folder / "scans" / f"demo_{s.value}.nii.gz" for s in Sequence}
    return Demonstration(scans, folder / "demo.seg.nrrd")


def loadScans() -> dict[str, Any]:
    """Load the demonstration case; volume nodes as the keyword arguments of the logic."""
    import slicer

    names = {Sequence.T1: "Head T1 native", Sequence.T1CE: "Head T1 post contrast"}
    return {
        sequence.value: slicer.util.loadVolume(
            str(path), properties={"name": names.get(sequence, "Head FLAIR"), "show": False}
        )
        for sequence, path in demonstration().scans.items()
    }


def differingVoxels(segmentationNode: Any, reference: Any) -> int:
    """Voxels in which a segmentation differs from the command line's."""
    mine = sitk.GetArrayFromImage(labelImage(segmentationNode, reference))
    import slicer

    other = slicer.util.loadSegmentation(str(demonstration().labels))
    try:
        theirs = sitk.GetArrayFromImage(labelImage(other, reference))
    finally:
        slicer.mrmlScene.RemoveNode(other)
    if not theirs.any():
        raise AssertionError("The command line found no tumour.")
    return int(np.count_nonzero(mine != theirs))


def sceneState() -> dict[str, tuple]:
    """Class, name, attributes and references of every node, selection and transforms included."""
    import slicer

    state = {}
    for index in range(slicer.mrmlScene.GetNumberOfNodes()):
        node = slicer.mrmlScene.GetNthNode(index)
        references = {role: ids for role, ids in referencesOf(node).items() if any(ids)}
        attributes = [(name, node.GetAttribute(name)) for name in node.GetAttributeNames()]
        state[node.GetID()] = (node.GetClassName(), node.GetName(), attributes, references)
    return state


def waitFor(happened: Any, seconds: float) -> bool:
    """Let the application live until something has happened; False when it did not in time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        processEvents()
        time.sleep(0.01)
    return True


def killWorker(run: Any) -> None:
    """End a run's child from outside, as the system does when memory is short."""
    if not waitFor(run.processes, TIME_LIMIT_S):
        raise AssertionError("The worker was never started.")
    # The launcher with which Slicer starts Python, and the child itself.
    for process in run.processes():
        os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def checkLooking(case: Any, widget: Any) -> None:
    """Press the buttons by which one looks at a result.

    Args:
        case: the `unittest.TestCase` that complains.
        widget: the module's, with a result.
    """
    import slicer

    ui, display = widget.ui, widget.panel.state.segmentation.GetDisplayNode()
    ui.resultButton.collapsed = False
    ui.showButton.click()
    for shown in (True, False):
        ui.threeDButton.click()
        case.assertEqual(bool(display.GetVisibility3D()), shown)
    for shown in (False, True):
        ui.hideButton.click()
        case.assertEqual(bool(display.GetVisibility()), shown)
    ui.opacitySlider.value = 40
    case.assertAlmostEqual(display.GetOpacity(), 0.4)
    if slicer.app.layoutManager() is not None:
        for filled in (False, True):
            ui.readingButton.click()
            case.assertEqual(bool(display.GetVisibility2DFill()), filled)


def checkAlignment(case: Any, widget: Any) -> None:
    """The check begins and ends; a doubtful region is marked, described and left."""
    ui, display = widget.ui, widget.panel.state.segmentation.GetDisplayNode()
    ui.alignmentButton.click()
    case.assertFalse(display.GetVisibility())
    for index in (1, 0):
        ui.compareCombo.currentIndex = index
        ui.compareCombo.activated(index)
        case.assertEqual(bool(ui.blendSlider.enabled), index == 0)
    ui.alignmentButton.click()
    case.assertTrue(display.GetVisibility())
    case.assertFalse(ui.alignmentButton.checked or ui.blendSlider.enabled)
    if ui.nextDoubtButton.enabled:
        ui.nextDoubtButton.click()
        ui.previousDoubtButton.click()
        case.assertIn("%", ui.doubtLabel.text)
        ui.endDoubtButton.click()
        case.assertFalse(ui.endDoubtButton.enabled)


def checkTwoReaders(case: Any, widget: Any) -> None:
    """The second reader sees nothing of the first until both have recorded."""
    ui, state = widget.ui, widget.panel.state
    ui.reviewButton.collapsed = False
    first = ui.readerEdit.text = "Reader One"
    ui.recordButton.click()
    case.assertIn(first, ui.reviewsLabel.text)
    ui.secondReadingButton.click()
    case.assertEqual(readReviews(state.segmentation), [])
    case.assertNotIn(first, ui.reviewsLabel.text + ui.readerEdit.text)
    ui.readerEdit.text = "Reader Two"
    ui.recordButton.click()
    case.assertEqual(len(readReviews(state.segmentation)), 2)
    case.assertIn(first, ui.reviewsLabel.text)
