"""What the sections of the panel share, and how they learn that it changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import BrainTumorSegError

from ..host.models import PackChoice, chosenPack, packChoices
from ..run.result import RunResult, findResult

if TYPE_CHECKING:
    from ..run.segmentation_run import SegmentationRun


class PanelState:
    """The one thing that a section knows beside its own widgets.

    Attributes:
        ui: the widgets by name, as `slicer.util.childWidgetVariables` gives them.
        parameters: the wrapped parameter node; None while there is no scene to work on.
        run: the latest run; None before the first.
        packs, packProblem: the models that there are, or why they cannot be listed.
        devices: graphics cards that a check of the system has found: name and title.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self.parameters: Any = None
        self.run: SegmentationRun | None = None
        self.packs: tuple[PackChoice, ...] = ()
        self.packProblem = ""
        self.devices: list[tuple[str, str]] = []
        self._observers: list[Callable[[], None]] = []
        self._result: RunResult | None = None
        self._updating = False
        self.readPacks()

    def observe(self, update: Callable[[], None]) -> None:
        """Have a section called whenever something changed; in the order of these calls."""
        self._observers.append(update)

    def changed(self) -> None:
        """Bring every section up to date."""
        import slicer

        # A section may correct a parameter, which reports a change again. Nodes of a scene that
        # is being loaded are still empty; this is called again afterwards.
        if self._updating or self.parameters is None or slicer.mrmlScene.IsImporting():
            return
        self._updating = True
        try:
            for update in self._observers:
                update()
        finally:
            self._updating = False

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.run is not None and self.run.state in ("running", "cancelling")

    @property
    def segmentation(self) -> Any:
        """The chosen segmentation; None when there is none."""
        node = self.parameters.result if self.parameters is not None else None
        return node if node is not None and node.GetScene() is not None else None

    @property
    def result(self) -> RunResult | None:
        """The chosen segmentation with all that belongs to it; None when no run has made it.

        It is the same object until another is chosen or `forgetResult` is called.
        """
        node = self.segmentation
        if node is None:
            return None
        if self._result is None or self._result.segmentationNode is not node:
            self._result = findResult(node)
        return self._result

    def forgetResult(self) -> None:
        """Look everything up again: the result was made anew."""
        self._result = None

    @property
    def pack(self) -> PackChoice | None:
        """The chosen model; None when there is none."""
        return chosenPack(self.packs, self.parameters.pack)

    def readPacks(self) -> None:
        """Look which models there are; one may have been imported meanwhile."""
        try:
            self.packs, self.packProblem = packChoices(), ""
        except BrainTumorSegError as error:
            self.packs, self.packProblem = (), str(error)

    @property
    def python(self) -> str:
        """The other Python that was named, or an empty text."""
        return self.ui.pythonEdit.currentPath.strip()
