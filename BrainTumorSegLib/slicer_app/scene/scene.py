"""Changing the scene altogether or not at all.

`SceneEdit` is what a failed import is undone by: added nodes go, changed nodes get back
their names, attributes, references (parent transform and display nodes are references
too) and content, and items of the subject hierarchy their places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any


class SceneEdit:
    """Context manager: when the block raises, the scene is as before the block.

    Everything that enters the scene within the block counts as added, also what other
    code adds in response. A node that is changed must be named to `willChange` first;
    no node of before may be removed.
    """

    def __init__(self, scene: Any | None = None) -> None:
        import slicer

        self.scene = scene if scene is not None else slicer.mrmlScene
        self._added: list[Any] = []
        self._restorers: dict[str, Callable[[], None]] = {}
        self._observer: int | None = None
        self._items: dict[int, int] = {}

    def __enter__(self) -> SceneEdit:
        import slicer
        import vtk

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onNodeAdded(_caller: Any, _event: str, node: Any) -> None:
            self._added.append(node)

        self._items = _itemParents(hierarchyOf(self.scene))
        selection = self.scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
        if selection is not None:
            self.willChange(selection)
        self._observer = self.scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, onNodeAdded)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.scene.RemoveObserver(self._observer)
        if kind is not None:
            self._rollBack()

    def add(
        self,
        className: str,
        name: str,
        hidden: bool = False,
        attributes: Mapping[str, str] | None = None,
    ) -> Any:
        """Add a node under a name that nothing else has.

        Args:
            name: made unique by a number where it is taken.
            hidden: keep it out of selectors, editors and the tree of the subject hierarchy.
        """
        node = self.scene.CreateNodeByClass(className)
        node.UnRegister(None)
        node.SetName(self.scene.GenerateUniqueName(name))
        for key, value in (attributes or {}).items():
            node.SetAttribute(key, value)
        if hidden and node.IsA("vtkMRMLSegmentationNode"):
            # Slicer looks for its item whenever a segment changes and complains when there is
            # none. What is hidden before it is added gets none.
            node.SetAttribute(outOfTree(), "1")
            node = self.scene.AddNode(node)
            node.SetHideFromEditors(True)
            return node
        node.SetHideFromEditors(hidden)
        return self.scene.AddNode(node)

    def willChange(self, node: Any) -> None:
        """Remember a node of the scene, with its display nodes, before it is changed."""
        if node.GetID() in self._restorers or node in self._added:
            return
        self._restorers[node.GetID()] = _restorer(node)
        if node.IsA("vtkMRMLDisplayableNode"):
            for display in _displayNodes(node):
                self.willChange(display)

    def _rollBack(self) -> None:
        """Run every step even when one fails; the last pushed runs first."""
        hierarchy = hierarchyOf(self.scene)
        with ExitStack() as steps:
            steps.callback(_restoreItemParents, hierarchy, self._items)
            for restore in reversed(self._restorers.values()):
                steps.callback(restore)
            # Before nodes are restored: a restored segmentation makes items of its own.
            steps.callback(_removeOtherItems, hierarchy, self._items)
            for node in self._added:
                steps.callback(self._remove, node)

    def _remove(self, node: Any) -> None:
        if node.GetScene() is self.scene:
            self.scene.RemoveNode(node)


def nodesOfClass(scene: Any, className: str) -> list[Any]:
    """All nodes of a class, in the order of the scene."""
    count = scene.GetNumberOfNodesByClass(className)
    return [scene.GetNthNodeByClass(number, className) for number in range(count)]


def referencesOf(node: Any) -> dict[str, list[str]]:
    """Ids of the nodes that a node refers to, by role."""
    roles = [node.GetNthNodeReferenceRole(n) for n in range(node.GetNumberOfNodeReferenceRoles())]
    counts = {role: node.GetNumberOfNodeReferences(role) for role in roles}
    return {
        role: [node.GetNthNodeReferenceID(role, n) for n in range(count)]
        for role, count in counts.items()
    }


def outOfTree() -> str:
    """The attribute that keeps a node out of the tree of the subject hierarchy."""
    import slicer

    return slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()


def hierarchyOf(scene: Any) -> Any:
    """The subject hierarchy node of a scene."""
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def placeBeside(node: Any, reference: Any) -> None:
    """Put a node under the same item (study, patient, folder) as the reference."""
    hierarchy = hierarchyOf(node.GetScene())
    theirs = hierarchy.GetItemByDataNode(reference)
    parent = hierarchy.GetItemParent(theirs) if theirs else hierarchy.GetSceneItemID()
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        hierarchy.CreateItem(parent, node)
    elif hierarchy.GetItemParent(item) != parent:
        hierarchy.SetItemParent(item, parent)


def removeWithParts(node: Any) -> None:
    """Remove a node with its display and storage nodes, which would stay behind."""
    scene, parts = node.GetScene(), [node]
    if node.IsA("vtkMRMLDisplayableNode"):
        parts += _displayNodes(node)
    if node.IsA("vtkMRMLStorableNode"):
        parts += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    for part in filter(None, parts):
        # The application removes some of them together with the node.
        if part.GetScene() is scene:
            scene.RemoveNode(part)


def _displayNodes(node: Any) -> list[Any]:
    displays = (node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes()))
    return [display for display in displays if display is not None]


def _restorer(node: Any) -> Callable[[], None]:
    """A function that gives a node back what it is and has now."""
    # Voxels are replaced and never written into, so the very image object can come back.
    deep = not node.IsA("vtkMRMLVolumeNode")
    copy = node.CreateNodeInstance()
    copy.UnRegister(None)
    copy.CopyContent(node, deep)
    name, references = node.GetName(), referencesOf(node)
    flags = (node.GetHideFromEditors(), node.GetSelected(), node.GetSaveWithScene())

    def restore() -> None:
        node.SetName(name)
        node.SetHideFromEditors(flags[0])
        node.SetSelected(flags[1])
        node.SetSaveWithScene(flags[2])
        node.CopyContent(copy, deep)
        _setReferences(node, references)

    return restore


def _setReferences(node: Any, references: dict[str, list[str]]) -> None:
    for role, now in referencesOf(node).items():
        before = references.get(role, [])
        for number in range(len(now), len(before), -1):
            node.RemoveNthNodeReferenceID(role, number - 1)
    for role, ids in references.items():
        for number, nodeId in enumerate(ids):
            if node.GetNthNodeReferenceID(role, number) != nodeId:
                node.SetNthNodeReferenceID(role, number, nodeId)


def _itemParents(hierarchy: Any) -> dict[int, int]:
    """Every item of the subject hierarchy and its parent."""
    import vtk

    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    ids = [items.GetId(number) for number in range(items.GetNumberOfIds())]
    return {item: hierarchy.GetItemParent(item) for item in ids}


def _removeOtherItems(hierarchy: Any, items: Mapping[int, int]) -> None:
    for item in _itemParents(hierarchy):
        if item not in items:
            hierarchy.RemoveItem(item, False, False)


def _restoreItemParents(hierarchy: Any, items: Mapping[int, int]) -> None:
    now = _itemParents(hierarchy)
    for item, parent in items.items():
        if item in now and now[item] != parent:
            hierarchy.SetItemParent(item, parent)
