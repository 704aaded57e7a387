"""The sections of the panel put together."""

from __future__ import annotations

from typing import Any

from ..viewing.ending import endLooking
from .comparing import ComparingSection
from .dialogs import errorsShown
from .diameters import DiametersSection
from .many import ManySection
from .result import ResultSection
from .review import ReviewSection
from .run import RunSection
from .saving import SavingSection
from .scans import ScansSection
from .settings import SettingsSection
from .state import PanelState
from .system import SystemSection
from .viewing import AlignmentSection, LookingSection, UncertaintySection


class Panel:
    """What the module's widget delegates to; see `PanelState` for the widgets ``ui``."""

    def __init__(self, ui: Any) -> None:
        self.state = state = PanelState(ui)
        self.scans = ScansSection(state)
        self.settings = SettingsSection(state)
        self.run = RunSection(state)
        self.many = ManySection(state)
        self.result = ResultSection(state)
        self.diameters = DiametersSection(state)
        self.looking = LookingSection(state)
        self.alignment = AlignmentSection(state)
        self.uncertainty = UncertaintySection(state)
        self.review = ReviewSection(state)
        self.comparing = ComparingSection(state)
        self.saving = SavingSection(state)
        self.system = SystemSection(state)

    @property
    def parameters(self) -> Any:
        """The wrapped parameter node; None while there is no scene to work on."""
        return self.state.parameters

    def setParameters(self, parameters: Any) -> None:
        """Work on another parameter node, or on none."""
        self.state.parameters = parameters
        self.state.changed()

    def removalOf(self, node: Any) -> None:
        """A node is about to be removed from the scene."""
        self.state.removalOf(node)

    def enter(self) -> None:
        """The panel is shown again; the world may have changed meanwhile."""
        self.state.readPacks()
        self.state.show(True)

    def exit(self) -> None:
        """Another module is shown; a run goes on."""
        with errorsShown():
            endLooking(layout=False, mark=False)
        self.state.show(False)

    def sceneCloses(self) -> None:
        """The scene is about to be emptied: nothing may be put into it any more."""
        self.run.cancel()
        self.run.forget()
        self.comparing.abandon()
        self.saving.abandon()
        self.scans.forget()
        self.state.opened = None
        with errorsShown():
            endLooking()
        self.setParameters(None)

    def close(self) -> None:
        """The application ends, or the module is loaded anew."""
        self.run.abandon()
        self.many.abandon()
        self.comparing.abandon()
        self.saving.abandon()
        self.system.cancel()
        self.looking.close()
        self.diameters.close()
        self.state.parameters = None
        self.state.show(False)
