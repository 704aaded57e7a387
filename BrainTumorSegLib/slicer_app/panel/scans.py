"""The three scans, and why they were chosen."""

from __future__ import annotations

from typing import Any

from BrainTumorSegLib.core.sequences import Sequence

from ..guess.scans import guessScans, reasonFor
from ..host.translation import tr as _
from .dialogs import errorsShown
from .state import PanelState


class ScansSection:
    """Selectors for T1, T1CE and FLAIR with a reason below each, and *Guess from scene*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        ui = state.ui
        self._selectors = {
            Sequence.T1: (ui.t1Selector, ui.t1Reason),
            Sequence.T1CE: (ui.t1ceSelector, ui.t1ceReason),
            Sequence.FLAIR: (ui.flairSelector, ui.flairReason),
        }
        #: What was guessed, and why: node id or None. The user's own choice takes precedence.
        self._guessed: dict[Sequence, tuple[str | None, str]] = {}
        self._reasons: dict[tuple[str, str], str] = {}
        self._studies: tuple[str, ...] = ()
        ui.guessButton.clicked.connect(self.onGuess)
        ui.studyCombo.activated.connect(self.onStudy)
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

    def guess(self, study: str | None = None) -> None:
        """Fill the selectors; what is not certain is left empty, with the reason.

        Args:
            study: title of the patient or time that is meant, where there are several.
        """
        guess = guessScans(study)
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
        self._reasons.clear()
        self._offerStudies((), "")

    def update(self) -> None:
        """Show below each scan why it was chosen."""
        ui = self.state.ui
        idle = not self.state.busy
        ui.guessButton.enabled = idle
        ui.referenceCombo.enabled = idle
        ui.studyCombo.enabled = idle
        ui.studyCombo.visible = ui.studyComboLabel.visible = len(self._studies) > 1
        for sequence, (selector, label) in self._selectors.items():
            selector.enabled = idle
            text = self._reason(sequence)
            label.text = text
            label.visible = bool(text)

    def _offerStudies(self, studies: tuple[str, ...], chosen: str) -> None:
        self._studies = studies
        combo = self.state.ui.studyCombo
        combo.clear()
        for title in studies:
            combo.addItem(title)
        combo.currentIndex = studies.index(chosen) if chosen in studies else -1

    def _chosen(self, sequence: Sequence) -> Any:
        return getattr(self.state.parameters, sequence.value)

    def _reason(self, sequence: Sequence) -> str:
        node = self._chosen(sequence)
        guessedId, reason = self._guessed.get(sequence, (None, ""))
        if node is None or node.GetScene() is None:
            return reason if guessedId is None else ""
        others = [s for s in Sequence if s is not sequence and self._chosen(s) is node]
        if others:
            return _("The same volume is chosen as {sequence}.").format(sequence=others[0].name)
        if node.GetID() == guessedId and reason:
            return reason
        key = (node.GetID(), node.GetName())
        if key not in self._reasons:
            self._reasons[key] = reasonFor(node)
        return self._reasons[key]
