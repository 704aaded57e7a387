"""The sections of the panel put together, and what they share."""

from __future__ import annotations

from typing import Any, Protocol

from BrainTumorSegLib.slicer_app.panel.alignment import AlignmentSection
from BrainTumorSegLib.slicer_app.panel.doubt import DoubtSection
from BrainTumorSegLib.slicer_app.panel.log import LogSection
from BrainTumorSegLib.slicer_app.panel.result import ResultSection
from BrainTumorSegLib.slicer_app.panel.review import ReviewSection
from BrainTumorSegLib.slicer_app.panel.run import RunSection
from BrainTumorSegLib.slicer_app.panel.saving import SavingSection
from BrainTumorSegLib.slicer_app.panel.scans import ScansSection
from BrainTumorSegLib.slicer_app.panel.settings import SettingsSection
from BrainTumorSegLib.slicer_app.panel.system import SystemSection


class Section(Protocol):
    """One part of the panel."""

    def update(self) -> None:
        """Show the present state of parameters, scene and run."""


class Panel:
    """What the module's widget delegates to.

    Attributes:
        ui: the widgets by name, as `slicer.util.childWidgetVariables` gives them.
        parameters: the wrapped parameter node; None while there is no scene to work on.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self.parameters: Any = None
        self._updating = False
        self.log = LogSection(self)
        self.scans = ScansSection(self)
        self.settings = SettingsSection(self)
        self.run = RunSection(self)
        self.result = ResultSection(self)
        self.alignment = AlignmentSection(self)
        self.doubt = DoubtSection(self)
        self.review = ReviewSection(self)
        self.saving = SavingSection(self)
        self.system = SystemSection(self)
        self.sections: tuple[Section, ...] = (
            *(self.scans, self.settings, self.run, self.result, self.alignment),
            *(self.doubt, self.review, self.saving, self.system, self.log),
        )

    @property
    def segmentation(self) -> Any:
        """The result that is looked at; None when there is none."""
        node = self.parameters.result if self.parameters is not None else None
        return node if node is not None and node.GetScene() is not None else None

    def setParameters(self, parameters: Any) -> None:
        """Work on another parameter node, or on none."""
        self.parameters = parameters
        self.update()

    def enter(self) -> None:
        """The panel is shown again; the world may have changed meanwhile."""
        self.settings.readPacks()
        self.update()

    def exit(self) -> None:
        """Another module is shown; a run goes on."""
        self.alignment.end()

    def sceneCloses(self) -> None:
        """The scene is about to be emptied: nothing may be put into it any more."""
        self.run.cancel()
        self.saving.abandon()
        self.scans.forget()
        self.setParameters(None)

    def close(self) -> None:
        """The application ends, or the module is loaded anew."""
        self.run.abandon()
        self.saving.abandon()
        self.system.cancel()
        self.parameters = None

    def update(self) -> None:
        """Bring every section up to date; called after each change of a parameter."""
        import slicer

        # A section may correct a parameter, which reports a change again. Nodes of a scene that
        # is being loaded are still empty; this is called again afterwards.
        if self._updating or self.parameters is None or slicer.mrmlScene.IsImporting():
            return
        self._updating = True
        try:
            for section in self.sections:
                section.update()
        finally:
            self._updating = False
