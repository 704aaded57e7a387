"""The reading layout: T1, T1CE and FLAIR side by side, axial and linked, the tumour as outline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.host import inApplication, processEvents
from ..host.translation import tr as _
from ..run.result import RunResult
from ..scene import provenance
from ..scene.registered import registeredCopy
from ..scene.scene import SceneEdit, nodesOfClass
from .alignment import endAlignmentCheck, setLayers
from .brightness import showBrain
from .display import READING_VIEW, centerViews, fitSlices, tumorCenter
from .meanwhile import recall, recalled, remember, unwatchSaving, watchSaving

#: Number of the layout among Slicer's, whose own end at 100 and which extensions share.
LAYOUT = 7461

#: Views that are linked with each other and with no other view.
_VIEW_GROUP = 7461

#: From left to right.
ORDER = (Sequence.T1, Sequence.T1CE, Sequence.FLAIR)

_COLORS = {Sequence.T1: "#7DB3E8", Sequence.T1CE: "#F34A33", Sequence.FLAIR: "#EDD54C"}

#: On the layout and on displays while one reads: what was before.
_BEFORE = provenance.PREFIX + "ReadingBefore"


def showReadingLayout(result: RunResult) -> None:
    """Show the scans of a result side by side, axial, linked, with the tumour as outline.

    Each lies as it was aligned, in the plane of the reference's slices that is nearest to
    axial. Brightness and contrast follow the brain. `endReadingLayout` brings back what was.

    Raises:
        InputError: when the record or a scan is gone, or there are no views.
    """
    node = result.segmentationNode
    scene = node.GetScene()
    endAlignmentCheck(scene)
    layout = layoutNode(scene)
    if layout is None:
        raise InputError(
            _("There are no views to show the scans in."), _("Start Slicer with its main window.")
        )
    shown = _scans(result)
    _register(layout, list(shown))
    modifying = layout.StartModify()  # one event, when the layout is there
    remember(layout, _BEFORE, {"layout": layout.GetViewArrangement()})
    # The number means nothing to a Slicer without this module: it is not for saved scenes.
    layout.SetSaveWithScene(False)
    layout.SetViewArrangement(LAYOUT)
    layout.EndModify(modifying)
    processEvents()  # views that were made just now get their size
    showBrain(node, shown.values(), again=True)
    for sequence, volume in shown.items():
        _prepareView(scene, sequence, volume, node)
    _outlineOnly(node)
    names = [READING_VIEW + sequence.name for sequence in shown]
    _narrow(names)
    fitSlices(scene, names)
    center = tumorCenter(node)
    if center is not None:
        centerViews(scene, center)
    unwatchSaving(_BEFORE)
    watchSaving(scene, _BEFORE, lambda: _restoreFill(scene), lambda: _outlineOnly(node))


def endReadingLayout(scene: Any | None = None) -> bool:
    """Go back to the layout of before; whether the reading layout was there.

    Where a person has chosen another layout meanwhile, that one stays.
    """
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    unwatchSaving(_BEFORE)
    ended = _restoreFill(scene)
    layout = layoutNode(scene)
    before = recall(layout, _BEFORE) if layout is not None else None
    if before is not None:
        layout.SetSaveWithScene(True)
        if layout.GetViewArrangement() == LAYOUT:
            layout.SetViewArrangement(before["layout"])
        ended = True
    return ended


def isReading(scene: Any | None = None) -> bool:
    """Whether the reading layout is shown."""
    import slicer

    layout = layoutNode(scene if scene is not None else slicer.mrmlScene)
    return layout is not None and layout.GetViewArrangement() == LAYOUT


def watchLayout(scene: Any, changed: Callable[[], None]) -> Callable[[], None] | None:
    """Have something called when a layout is chosen; how to end that, None without views."""
    import vtk

    layout = layoutNode(scene)
    if layout is None:
        return None
    tag = layout.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: changed())
    return lambda: layout.RemoveObserver(tag)


def layoutNode(scene: Any) -> Any | None:
    """The node by which views are laid out; None without views."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def _scans(result: RunResult) -> dict[Sequence, Any]:
    """The scans that were given, as they were aligned, in the order of the views."""
    given = {entry["sequence"] for entry in result.report["case"]["inputs"]}
    with SceneEdit(result.segmentationNode.GetScene()) as edit:
        return {s: registeredCopy(result, s, edit) for s in ORDER if s.value in given}


def _register(layout: Any, sequences: list[Sequence]) -> None:
    description = _description(sequences)
    if not layout.AddLayoutDescription(LAYOUT, description):
        layout.SetLayoutDescription(LAYOUT, description)


def _description(sequences: list[Sequence]) -> str:
    """A row of slice views, as Slicer describes layouts."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{READING_VIEW}{sequence.name}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{sequence.name}</property>'
        f'<property name="viewcolor" action="default">{_COLORS[sequence]}</property>'
        f'<property name="viewgroup" action="default">{_VIEW_GROUP}</property>'
        "</view></item>"
        for sequence in sequences
    )
    return f'<layout type="horizontal" split="true">{views}</layout>'


def _prepareView(scene: Any, sequence: Sequence, volume: Any, segmentationNode: Any) -> None:
    name = READING_VIEW + sequence.name
    composite = _named(scene, "vtkMRMLSliceCompositeNode", name)
    if composite is None:  # the application makes it with the view
        composite = scene.CreateNodeByClass("vtkMRMLSliceCompositeNode")
        composite.UnRegister(None)
        composite.SetName(name)
        composite.SetLayoutName(name)
        composite = scene.AddNode(composite)
    setLayers(composite, volume, None, 0.0)
    composite.SetCompositing(composite.Alpha)
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)
    view = _named(scene, "vtkMRMLSliceNode", name)
    if view is not None:
        view.SetOrientation("Axial")
        view.RotateToVolumePlane(volume)
    for node in (composite, view):
        if node is not None:
            node.SetSaveWithScene(False)


def _narrow(names: list[str]) -> None:
    """Name the views in full, and drop the millimetres: three must fit a laptop's screen."""
    if not inApplication():
        return
    import slicer

    for name in names:
        widget = slicer.app.layoutManager().sliceWidget(name)
        if widget is None:
            continue
        controller = widget.sliceController()
        controller.sliceOffsetSlider().spinBoxVisible = False
        for label in slicer.util.findChildren(controller, name="ViewLabel"):
            label.setMinimumWidth(label.sizeHint.width())
    processEvents()


def _named(scene: Any, className: str, layoutName: str) -> Any | None:
    nodes = nodesOfClass(scene, className)
    return next((node for node in nodes if node.GetLayoutName() == layoutName), None)


def _outlineOnly(segmentationNode: Any) -> None:
    segmentationNode.CreateDefaultDisplayNodes()
    display = segmentationNode.GetDisplayNode()
    remember(display, _BEFORE, {"fill": bool(display.GetVisibility2DFill())})
    display.SetVisibility(True)
    display.SetVisibility2DFill(False)
    display.SetVisibility2DOutline(True)


def _restoreFill(scene: Any) -> bool:
    ended = False
    for display, before in recalled(scene, "vtkMRMLSegmentationDisplayNode", _BEFORE):
        display.SetVisibility2DFill(before["fill"])
        ended = True
    return ended
