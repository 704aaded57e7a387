"""Choices, stages, times and volumes in words."""

from __future__ import annotations

from enum import Enum

from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.sequences import Sequence

from ..host.translation import tr as _
from ..run.progress import duration


def choiceTitle(choice: Enum) -> str:
    """What the panel shows for a choice; its name where that says enough.

    Args:
        choice: of one of the module's enumerations.
    """
    return {
        "ReferenceScan.T1CE": _("T1CE (after contrast agent)"),
        "Registration.BRAINSFIT": _("BRAINSFit, part of 3D Slicer"),
        "Registration.SIMPLEITK": _("SimpleITK"),
        "Registration.NONE": _("None: the scans are aligned already"),
        "Views.ADVISED": _("As the model advises"),
        "Views.NONE": _("As they are (none)"),
        "Views.TTA1": _("With mirror image (TTA1)"),
        "Views.TTA2": _("With both mirror images (TTA2), advised for neurinoma"),
        "Views.TTA3": _("With mirror images and quarter turns (TTA3)"),
        "Brain.AUTO": _("Automatic"),
        "Brain.STRIPPED": _("Scans show the brain only"),
        "Brain.DEEPBET": _("Find it with deepbet"),
        "Brain.HDBET": _("Find it with HD-BET"),
        "Shading.AUTO": _("Automatic"),
        "Shading.N4": _("Correct it with N4"),
        "Shading.OFF": _("Leave it"),
    }.get(str(choice), choice.name)


def stageTitle(stage: str) -> str:
    """The title of a stage of `core.stages.STAGES` or of `run.progress`."""
    return {
        "": _("Starting"),
        "export": _("Handing over the scans"),
        "read": _("Reading the scans"),
        "register": _("Aligning the scans"),
        "brain": _("Finding the brain"),
        "prepare": _("Preparing the slices"),
        "segment": _("Looking for the tumour"),
        "restore": _("Putting the result onto the reference"),
        "write": _("Writing the result"),
        "import": _("Loading the result"),
        "done": _("Done"),
    }.get(stage, stage)


def timeLeft(seconds: float | None) -> str:
    """About how long it still takes; empty when that is not known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    # As exact as it can be known.
    step = 5 if seconds < 180 else 60
    return _("about {time} left").format(time=duration(step * round(seconds / step)))


def caseState(state: str, run: bool = True) -> str:
    """Where one of many cases stands, in words.

    Args:
        state: as `FoundCase` has it.
        run: whether it would be segmented again.
    """
    return {
        "waiting": _("waiting"),
        "running": _("running"),
        "done": _("done"),
        "stale": _("to do again") if run else _("changed by hand"),
        "failed": _("failed"),
        "unusable": _("cannot run"),
    }.get(state, state)


def costOfMissing(sequence: Sequence) -> str:
    """What a run without T1 or FLAIR costs, in figures of ``Resources/Experiments/packs.md``."""
    return {
        Sequence.T1: _(
            "T1 is not chosen: the tumour core becomes less exact. In 6 test cases of glioma-sx50 "
            "its Dice was 0.66 instead of 0.70."
        ),
        Sequence.FLAIR: _(
            "FLAIR is not chosen: edema can only be guessed. In 6 test cases of glioma-sx50 the "
            "Dice of the whole tumour was 0.60 instead of 0.86."
        ),
    }[sequence]


def progressText(event: ProgressEvent) -> str:
    """Stage, step and time left in one line."""
    parts = [stageTitle(event.stage)]
    if event.total > 1:
        step = min(event.total, event.step + 1)
        parts.append(_("step {step} of {total}").format(step=step, total=event.total))
    left = timeLeft(event.seconds_left)
    return " · ".join([*parts, left] if left else parts)


def millilitres(volume: float) -> str:
    """A volume in mL with sensible digits: one below 100 mL, none above."""
    return f"{volume:.0f}" if volume >= 100 else f"{volume:.1f}"
