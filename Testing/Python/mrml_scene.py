"""A MRML scene outside the application, furnished as Slicer furnishes its own.

`slicer-core` has the real nodes and logics but no application, and so nobody who gives
new nodes a place in the subject hierarchy; that part is played here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

#: Class of each module's logic. Segmentations first: adding segments needs it there.
LOGICS = {
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "colors": "vtkSlicerColorLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "cameras": "vtkSlicerCamerasModuleLogic",
    "models": "vtkSlicerModelsLogic",
}

SLICE_VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}

#: What the application's subject hierarchy plugins accept, unless hidden from editors.
WITH_ITEM = (
    "vtkMRMLScalarVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
)


@contextmanager
def make_scene() -> Iterator[Any]:
    """A fresh scene as ``slicer.mrmlScene``, with logics as ``slicer.modules.<name>.logic()``.

    It has three slice views, a 3D view with its camera, and a subject hierarchy that new
    nodes enter and removed nodes leave, as in the application. Afterwards ``slicer``
    is as it was.

    Yields:
        The ``vtkMRMLScene``.
    """
    import slicer
    import vtk

    absent = object()
    before = {name: getattr(slicer, name, absent) for name in ("mrmlScene", "modules")}
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene, slicer.modules = scene, SimpleNamespace()
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    warnings = vtk.vtkObject.GetGlobalWarningDisplay()
    converters = slicer.vtkSegmentationConverterFactory.GetInstance()
    rules = converters.GetConverterRules()
    vtk.vtkObject.GlobalWarningDisplayOff()  # default terminology files are not in slicer-core
    for name, kind in LOGICS.items():
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name.capitalize(), logic)
        setattr(slicer.modules, name, SimpleNamespace(logic=lambda logic=logic: logic))
    vtk.vtkObject.SetGlobalWarningDisplay(warnings)
    observers = [
        _observe(scene, slicer.vtkMRMLScene.NodeAddedEvent, _enter_hierarchy),
        _observe(scene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, _leave_hierarchy),
    ]
    _add_views(scene)
    try:
        yield scene
    finally:
        for observer in observers:
            scene.RemoveObserver(observer)
        scene.Clear(True)
        # Every logic for segmentations registers all of them anew, and each segmentation
        # of the process then compares each with each.
        for rule in set(converters.GetConverterRules()) - set(rules):
            converters.UnregisterConverterRule(rule)
        for name, value in before.items():
            if value is absent:
                delattr(slicer, name)
            else:
                setattr(slicer, name, value)


def _observe(scene: Any, event: int, react: Any) -> int:
    import slicer
    import vtk

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def heard(caller: Any, event: str, node: Any) -> None:
        if caller.IsClosing() or caller.IsImporting() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        react(slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(caller), node)

    return scene.AddObserver(event, heard)


def _enter_hierarchy(hierarchy: Any, node: Any) -> None:
    if not node.GetHideFromEditors() and any(node.IsA(kind) for kind in WITH_ITEM):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def _leave_hierarchy(hierarchy: Any, node: Any) -> None:
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)


def _add_views(scene: Any) -> None:
    import slicer

    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    for layout, orientation in SLICE_VIEWS.items():
        view = scene.CreateNodeByClass("vtkMRMLSliceNode")  # a copy with the presets
        view.UnRegister(None)
        view.SetName(layout)
        view.SetLayoutName(layout)
        view.SetSingletonTag(layout)
        scene.AddNode(view)
        view.SetOrientation(orientation)
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetName(layout)
        composite.SetLayoutName(layout)
        composite.SetSingletonTag(layout)
        scene.AddNode(composite)
    view = slicer.vtkMRMLViewNode()
    view.SetName("View1")
    view.SetLayoutName("1")
    view.SetSingletonTag("1")
    scene.AddNode(view)
    camera = slicer.vtkMRMLCameraNode()
    camera.SetName("Camera")
    camera.SetSingletonTag("1")
    camera.SetLayoutName("1")
    scene.AddNode(camera)


def snapshot(scene: Any) -> dict[str, Any]:
    """All that a failed or cancelled run must leave as it was, comparable with ``==``.

    Nodes by id (order, class, name, attributes, references with the selection node's and
    the transforms, flags, what the scene file would say of them, voxels, segments, table
    cells, text), and the items of the subject hierarchy.
    """
    # First: asking for the items makes the node that keeps them, where a scene was closed.
    hierarchy = hierarchy_items(scene)
    described = _scene_file(scene)
    nodes = {}
    for number in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(number)
        nodes[node.GetID()] = {
            "class": node.GetClassName(),
            "name": node.GetName(),
            "attributes": {name: node.GetAttribute(name) for name in node.GetAttributeNames()},
            "references": references(node),
            "flags": (node.GetHideFromEditors(), node.GetSaveWithScene(), node.GetSelected()),
            "scene file": described.get(node.GetID()),
            "content": content(node),
        }
    return {"order": list(nodes), "nodes": nodes, "hierarchy": hierarchy}


def references(node: Any) -> dict[str, list[str]]:
    """Ids of the nodes that a node refers to, by role; its parent transform is one of them."""
    found = {}
    for number in range(node.GetNumberOfNodeReferenceRoles()):
        role = node.GetNthNodeReferenceRole(number)
        ids = [
            node.GetNthNodeReferenceID(role, n) for n in range(node.GetNumberOfNodeReferences(role))
        ]
        if any(ids):
            found[role] = ids
    return found


def hierarchy_items(scene: Any) -> list[tuple]:
    """Every item of the subject hierarchy: id, parent, name, level, data node, attributes."""
    import slicer
    import vtk

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    found = []
    for number in range(items.GetNumberOfIds()):
        item = items.GetId(number)
        node = hierarchy.GetItemDataNode(item)
        found.append(
            (
                item,
                hierarchy.GetItemParent(item),
                hierarchy.GetItemName(item),
                hierarchy.GetItemLevel(item),
                node.GetID() if node else None,
                {
                    name: hierarchy.GetItemAttribute(item, name)
                    for name in hierarchy.GetItemAttributeNames(item)
                },
            )
        )
    return sorted(found)


def content(node: Any) -> Any:
    """What a node holds besides its properties."""
    if node.IsA("vtkMRMLVolumeNode"):
        return image_content(node.GetImageData())
    if node.IsA("vtkMRMLSegmentationNode"):
        return segmentation_content(node)
    if node.IsA("vtkMRMLTableNode"):
        return table_content(node)
    if node.IsA("vtkMRMLTextNode"):
        return node.GetText()
    if node.IsA("vtkMRMLLinearTransformNode"):
        return matrix_of(node.GetMatrixTransformToParent)
    if node.IsA("vtkMRMLSliceNode"):
        return matrix_rows(node.GetSliceToRAS()), tuple(node.GetFieldOfView())
    if node.IsA("vtkMRMLCameraNode"):
        return tuple(node.GetFocalPoint()), tuple(node.GetPosition())
    return None


def image_content(image: Any) -> tuple | None:
    """The very image object, its extent and a digest of its voxels."""
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    from vtk.util.numpy_support import vtk_to_numpy

    values = vtk_to_numpy(image.GetPointData().GetScalars())
    digest = hashlib.sha1(values.tobytes(), usedforsecurity=False).hexdigest()
    return image.GetAddressAsString("vtkImageData"), image.GetExtent(), digest


def segmentation_content(node: Any) -> dict[str, Any]:
    """Segments in order with names, colours, tags, layers, representations and voxels."""
    import vtk

    segmentation = node.GetSegmentation()
    found: dict[str, Any] = {
        "source": segmentation.GetSourceRepresentationName(),
        "geometry": segmentation.GetConversionParameter("Reference image geometry"),
        "layers": segmentation.GetNumberOfLayers(),
    }
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        terminology = vtk.reference("")
        segment.GetTag("TerminologyEntry", terminology)
        labelmap = segment.GetRepresentation("Binary labelmap")
        representations: list[str] = []
        segment.GetContainedRepresentationNames(representations)
        found[segmentation.GetNthSegmentID(number)] = {
            "number": number,
            "name": segment.GetName(),
            "color": segment.GetColor(),
            "terminology": str(terminology),
            "label": segment.GetLabelValue(),
            "layer": segmentation.GetLayerIndex(segmentation.GetNthSegmentID(number)),
            "representations": representations,
            "voxels": labelmap and image_content(labelmap) and image_content(labelmap)[1:],
            "matrix": labelmap and matrix_of(labelmap.GetImageToWorldMatrix),
        }
    return found


def table_content(node: Any) -> list[tuple]:
    """Columns of a table node: title, type, cells as text."""
    table = node.GetTable()
    columns = [table.GetColumn(n) for n in range(table.GetNumberOfColumns())]
    return [
        (
            column.GetName(),
            column.GetClassName(),
            [column.GetVariantValue(n).ToString() for n in range(column.GetNumberOfValues())],
        )
        for column in columns
    ]


def matrix_of(get: Any) -> tuple:
    """Rows of the 4x4 matrix that a VTK getter fills."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    get(matrix)
    return matrix_rows(matrix)


def matrix_rows(matrix: Any) -> tuple:
    return tuple(tuple(matrix.GetElement(i, j) for j in range(4)) for i in range(4))


def _scene_file(scene: Any) -> dict[str, str]:
    """What the saved scene would say of each node, by id."""
    before = scene.GetSaveToXMLString()
    scene.SetSaveToXMLString(1)
    try:
        scene.Commit()
        text = scene.GetSceneXMLString()
    finally:
        scene.SetSaveToXMLString(before)
    tags = re.findall(r"<\w+\s[^>]*>", text)
    ids = [(re.search(r'\sid="([^"]+)"', tag), tag) for tag in tags]
    return {found.group(1): tag for found, tag in ids if found}
