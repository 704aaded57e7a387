"""The three scans, and why they were chosen."""

from __future__ import annotations

from typing import Any

from BrainTumorSegLib.core.sequences import Sequence

from ..guess.doubts import Impression, impressionOf
from ..guess.scans import guessScans
from ..host.translation import told
from ..host.translation import tr as _
from ..scene.frames import cloneFrame, isOneOfManyFrames
from .dialogs import errorsShown
from .looks import OneLine
from .state import PanelState


class ScansSection:
    """Selectors for T1, T1CE and FLAIR with a reason below each, and *Guess from scene*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        ui = state.ui
        self._selectors = {
            Sequence.T1: (ui.t1Selector, OneLine(ui.t1Reason, ui.t1Mark)),
            Sequence.T1CE: (ui.t1ceSelector, OneLine(ui.t1ceReason, ui.t1ceMark)),
            Sequence.FLAIR: (ui.flairSelector, OneLine(ui.flairReason, ui.flairMark)),
        }
        #: What was guessed, and why: node id or None. The user's own choice takes precedence.
        self._guessed: dict[Sequence, tuple[str | None, str]] = {}
        self._impressions: dict[tuple[Sequence, str, str], Impression] = {}
        self._studies: tuple[str, ...] = ()
        #: A frame of a sequence that was chosen, and as what.
        self._frame: tuple[Sequence, str] | None = None
        ui.guessButton.clicked.connect(self.onGuess)
        ui.studyCombo.activated.connect(self.onStudy)
        ui.frameButton.clicked.connect(self.onCloneFrame)
        state.observe(self.update)

    def onGuess(self) -> None:
        """Choose the scans from what is loaded."""
        with errorsShown():
            self.guess()

    def onStudy(self) -> None:
        """Choose the scans of one of several patients or times."""
        index = self.state.ui.studyCombo.currentIndex
        if 0 <= index < len(self._studies):
            with errorsShown():
                self.guess(self._studies[index])

    def onCloneFrame(self) -> None:
        """Choose a copy of the frame that was refused."""
        sequence, frame = self._frame[0], self._refusedFrame()
        if frame is not None:
            with errorsShown():
                setattr(self.state.parameters, sequence.value, cloneFrame(frame))
        self._frame = None
        self.state.changed()

    def guess(self, study: str | None = None) -> None:
        """Fill the selectors; what is not certain is left empty, with the reason.

        Args:
            study: title of the patient or time that is meant, where there are several.
        """
        guess = guessScans(study)
        self._frame = None
        self._offerStudies(guess.studies, guess.study)
        for sequence in Sequence:
            node = guess.chosen.get(sequence)
            reason = guess.reasons.get(sequence, "")
            self._guessed[sequence] = (node.GetID() if node is not None else None, reason)
            setattr(self.state.parameters, sequence.value, node)
        self.state.changed()

    def forget(self) -> None:
        """The scene was emptied."""
        self._guessed.clear()
        self._impressions.clear()
        self._frame = None
        self._offerStudies((), "")

    def update(self) -> None:
        """Show below each scan why it was chosen, or why it should be looked at."""
        ui = self.state.ui
        idle = not self.state.busy
        self._refuseFrames()
        ui.guessButton.enabled = idle
        ui.referenceCombo.enabled = idle
        ui.studyCombo.enabled = idle
        ui.studyCombo.visible = ui.studyComboLabel.visible = len(self._studies) > 1
        ui.frameButton.enabled = idle
        ui.frameButton.visible = self._refusedFrame() is not None
        for sequence, (selector, line) in self._selectors.items():
            selector.enabled = idle
            impression = self._impression(sequence)
            line.show(told(impression.reason), impression.doubtful)

    def _offerStudies(self, studies: tuple[str, ...], chosen: str) -> None:
        self._studies = studies
        combo = self.state.ui.studyCombo
        combo.clear()
        for title in studies:
            combo.addItem(title)
        combo.currentIndex = studies.index(chosen) if chosen in studies else -1

    def _chosen(self, sequence: Sequence) -> Any:
        node = getattr(self.state.parameters, sequence.value)
        return node if node is not None and node.GetScene() is not None else None

    def _refuseFrames(self) -> None:
        """Leave a selector empty whose volume is another image when its sequence is played."""
        for sequence in Sequence:
            node = self._chosen(sequence)
            if node is not None and isOneOfManyFrames(node):
                self._frame = (sequence, node.GetID())
                setattr(self.state.parameters, sequence.value, None)
            elif node is not None and self._frame is not None and self._frame[0] is sequence:
                self._frame = None

    def _refusedFrame(self) -> Any:
        import slicer

        return slicer.mrmlScene.GetNodeByID(self._frame[1]) if self._frame is not None else None

    def _impression(self, sequence: Sequence) -> Impression:
        node = self._chosen(sequence)
        guessedId, reason = self._guessed.get(sequence, (None, ""))
        if node is None:
            frame = self._refusedFrame()
            if frame is not None and self._frame[0] is sequence:
                text = _("“{name}” is one frame of a sequence and changes while that is played.")
                return Impression(text.format(name=frame.GetName()), True)
            return Impression(reason if guessedId is None else "", True)
        others = [s for s in Sequence if s is not sequence and self._chosen(s) is node]
        if others:
            text = _("The same volume is chosen as {sequence}.")
            return Impression(text.format(sequence=others[0].name), True)
        if node.GetID() == guessedId and reason:
            return Impression(reason)
        key = (sequence, node.GetID(), node.GetName())
        if key not in self._impressions:
            self._impressions[key] = impressionOf(node, sequence)
        return self._impressions[key]
