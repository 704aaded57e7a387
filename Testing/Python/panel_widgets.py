# ruff: noqa: N802, N815  (Slicer's names)
"""The panel's .ui file outside Slicer: loaded by PySide6 with stand-ins for Slicer's widgets.

PySide6 is not PythonQt. Its feature ``true_property`` makes properties attributes, as in
PythonQt (``button.enabled = True``), so that the panel's code runs here as it stands.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtUiTools import QUiLoader

CHECKOUT = Path(__file__).resolve().parents[2]
MODULE = CHECKOUT / "BrainTumorSeg"
UI_FILE = MODULE / "Resources" / "UI" / "BrainTumorSeg.ui"

#: PySide6's number of the feature that makes properties attributes.
TRUE_PROPERTY = 2

#: Qt's largest size of a widget.
UNLIMITED = (1 << 24) - 1


def application() -> QtWidgets.QApplication:
    """The one application of this process, without a screen."""
    existing = QtWidgets.QApplication.instance()
    if existing is None and sys.version_info < (3, 12):
        # PySide6 gives a reference to None away with every call, and None is immortal only from
        # 3.12: after some hundred thousand calls the process would end.
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
    return existing or QtWidgets.QApplication([])


class Folding(QtWidgets.QWidget):
    """Plays ctkCollapsibleButton: a header that folds what is below it."""

    contentsCollapsed = QtCore.Signal(bool)
    HEADER = 24

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, self.HEADER, 0, 0)

    def getText(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        self._text = text

    def getCollapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._fold()
        self.contentsCollapsed.emit(collapsed)

    def childEvent(self, event: Any) -> None:
        super().childEvent(event)
        self._fold()

    def event(self, event: Any) -> bool:
        if event.type() == QtCore.QEvent.Type.Polish:
            self._fold()
        return super().event(event)

    def _fold(self) -> None:
        self.setMaximumHeight(self.HEADER if self._collapsed else UNLIMITED)

    def paintEvent(self, event: Any) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self.HEADER)
        option.state |= QtWidgets.QStyle.StateFlag.State_Raised
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 4, 16, 16)
        element = QtWidgets.QStyle.PrimitiveElement
        shape = element.PE_IndicatorArrowRight if self._collapsed else element.PE_IndicatorArrowDown
        painter.drawPrimitive(shape, arrow)
        painter.drawText(28, 17, self._text)

    text = QtCore.Property(str, getText, setText)
    collapsed = QtCore.Property(bool, getCollapsed, setCollapsed, notify=contentsCollapsed)


class PathEdit(QtWidgets.QWidget):
    """Plays ctkPathLineEdit, to which an empty path is not valid."""

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._line = QtWidgets.QLineEdit(self)
        layout.addWidget(self._line)
        layout.addWidget(QtWidgets.QToolButton(self, text="…"))
        self._valid = False
        self._line.textChanged.connect(self._changed)

    def _changed(self, text: str) -> None:
        changed, self._valid = self._valid != bool(text), bool(text)
        if text:
            self.currentPathChanged.emit(text)
        if changed:
            self.validInputChanged.emit(self._valid)

    def getPath(self) -> str:
        return QtWidgets.QLineEdit.text.__get__(self._line)()

    def setPath(self, path: str) -> None:
        self._line.setText(path)

    currentPath = QtCore.Property(str, getPath, setPath, notify=currentPathChanged)


class FolderButton(QtWidgets.QPushButton):
    """Plays ctkDirectoryButton."""

    directoryChanged = QtCore.Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._directory = ""

    def getDirectory(self) -> str:
        return self._directory

    def setDirectory(self, directory: str) -> None:
        changed, self._directory = directory != self._directory, directory
        self.setText(directory)
        if changed:
            self.directoryChanged.emit(directory)

    directory = QtCore.Property(str, getDirectory, setDirectory, notify=directoryChanged)


def _remembered(name: str, kind: Any) -> QtCore.Property:
    """A property that is kept and shown, no more."""
    return QtCore.Property(
        kind,
        lambda self: self._values.get(name, kind()),
        lambda self, value: self._set(name, value),
    )


class NodeSelector(QtWidgets.QWidget):
    """Plays qMRMLNodeComboBox: one of the scene's nodes of certain classes, or none."""

    currentNodeChanged = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox(self)
        layout.addWidget(self._combo)
        self._combo.setMinimumWidth(40)
        self._combo.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        )
        self._node: Any = None
        self._values: dict[str, Any] = {"noneDisplay": "None"}
        self.attributes: list[tuple[str, str]] = []
        self._show()

    def setMRMLScene(self, scene: Any) -> None:
        import slicer
        import vtk

        self.scene = scene

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removal(caller: Any, _event: str, node: Any) -> None:
            if shiboken6.isValid(self) and not caller.IsClosing():
                self._removal(node)

        # As late as Slicer's model of the scene hears of it.
        scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, removal, -10.0)

    def _removal(self, node: Any) -> None:
        """As QComboBox does when the row of its current item goes: the row below is current."""
        kinds = QtCore.QObject.property(self, "nodeTypes") or []
        known = self.scene.GetNodes()
        nodes = [known.GetItemAsObject(n) for n in range(known.GetNumberOfItems())]
        nodes = [n for n in nodes if n.GetClassName() in kinds]
        if node not in nodes:
            return
        self.nodeAboutToBeRemoved.emit(node)
        if node is self._node:
            place = nodes.index(node)
            others = [*nodes[:place], *nodes[place + 1 :]]
            self.setCurrentNode(others[min(place, len(others) - 1)] if others else None)

    def addAttribute(self, nodeType: str, name: str, value: Any = None) -> None:
        self.attributes.append((nodeType, name))

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        changed, self._node = node is not self._node, node
        self._show()
        if changed:
            self.currentNodeChanged.emit(node)

    def _show(self) -> None:
        self._combo.clear()
        self._combo.addItem(self._node.GetName() if self._node else self._values["noneDisplay"])

    def _set(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._show()

    noneDisplay = _remembered("noneDisplay", str)
    noneEnabled = _remembered("noneEnabled", bool)
    addEnabled = _remembered("addEnabled", bool)
    removeEnabled = _remembered("removeEnabled", bool)
    showChildNodeTypes = _remembered("showChildNodeTypes", bool)


class MRMLWidget(QtWidgets.QWidget):
    """Plays qMRMLWidget."""

    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        self.mrmlSceneChanged.emit(scene)
        for child in self.findChildren(NodeSelector):
            child.setMRMLScene(scene)


#: Kept here: a class that only the loader knew would be collected, and crash it.
STAND_INS: dict[str, type[QtWidgets.QWidget]] = {
    "qMRMLWidget": MRMLWidget,
    "qMRMLNodeComboBox": NodeSelector,
    "ctkCollapsibleButton": Folding,
    "ctkPathLineEdit": PathEdit,
    "ctkDirectoryButton": FolderButton,
}


class Loader(QUiLoader):
    """Makes the stand-ins by name."""

    def createWidget(self, className: str, parent: Any = None, name: str = "") -> Any:
        kind = STAND_INS.get(className)
        if kind is None:
            return super().createWidget(className, parent, name)
        widget = kind(parent)
        widget.setObjectName(name)
        return widget


def load_ui(path: Path = UI_FILE) -> QtWidgets.QWidget:
    """The panel's top widget, as a dock of Slicer would hold it."""
    application()
    widget = Loader().load(str(path))
    assert widget is not None, path
    return widget


#: Size of the module panel on a 1366 x 768 screen, in which *Data Probe* is unfolded.
DOCK_WIDTH, DOCK_HEIGHT = 380, 450


@contextmanager
def docked(top: QtWidgets.QWidget, above: int = 0) -> Iterator[QtWidgets.QScrollArea]:
    """The panel in a scrolling area as wide and high as on a laptop.

    Args:
        above: pixels that Slicer's own widgets take above the panel.
    """
    area = QtWidgets.QScrollArea()
    area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setVerticalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
    area.setWidgetResizable(True)
    inside = QtWidgets.QWidget()
    layout = QtWidgets.QVBoxLayout(inside)
    layout.setContentsMargins(0, 0, 0, 0)
    if above:
        help_ = QtWidgets.QPushButton("Help && Acknowledgement")
        help_.setFixedHeight(above)
        layout.addWidget(help_)
    layout.addWidget(top)
    area.setWidget(inside)
    area.resize(DOCK_WIDTH, DOCK_HEIGHT)
    area.show()
    yield area
    layout.removeWidget(top)
    top.setParent(None)
    area.deleteLater()


def named_widgets(top: QtWidgets.QWidget) -> types.SimpleNamespace:
    """Widgets by name, as ``slicer.util.childWidgetVariables`` gives them; ``top`` is kept."""
    names = types.SimpleNamespace(_top=top)
    for child in top.findChildren(QtWidgets.QWidget):
        if child.objectName() and not child.objectName().startswith("qt_"):
            setattr(names, child.objectName(), child)
    return names


def names_in_ui(path: Path = UI_FILE) -> dict[str, str]:
    """Class of every named widget in the file."""
    root = ElementTree.parse(path).getroot()
    return {w.get("name"): w.get("class") for w in root.iter("widget")}


def parameter_names_in_ui(path: Path = UI_FILE) -> dict[str, str]:
    """Name of the parameter of each widget that has one."""
    root = ElementTree.parse(path).getroot()
    return {
        widget.get("name"): prop.findtext("string")
        for widget in root.iter("widget")
        for prop in widget.findall("property")
        if prop.get("name") == "SlicerParameterName"
    }


def qt_module() -> types.ModuleType:
    """PySide6 under the name and in the flat layout that PythonQt gives it."""
    module = types.ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        for name in dir(part):
            if name.startswith("Q"):
                setattr(module, name, getattr(part, name))
    return module


def use_pythonqt_style() -> None:
    """Let the panel's files see Qt's properties as attributes."""
    import __feature__ as feature  # PySide6 puts it there

    # PySide6 asks every loaded module for `__wrapped__`, which this one answers with an error.
    sys.modules.pop("torch.classes", None)
    for path in (CHECKOUT / "BrainTumorSegLib" / "slicer_app" / "panel").glob("*.py"):
        feature.set_selection(TRUE_PROPERTY, f"BrainTumorSegLib.slicer_app.panel.{path.stem}")
    feature.set_selection(TRUE_PROPERTY, "BrainTumorSegLib.slicer_app.host.job")
    sys.modules.setdefault("qt", qt_module())


def panel_module(name: str) -> types.ModuleType:
    """A file of the panel, ready to run on PySide6."""
    use_pythonqt_style()
    return importlib.import_module(f"BrainTumorSegLib.slicer_app.panel.{name}")
