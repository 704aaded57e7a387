# ruff: noqa: N802  (Slicer's names)
"""What `slicer-core` lacks of the application, as far as the module's file asks for it.

The module's widget and logic run here as they stand, on real MRML nodes and on the
widgets of the .ui file. What is played is only what surrounds them.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Annotated, Any

from panel_widgets import (
    MODULE,
    TRUE_PROPERTY,
    UI_FILE,
    NodeSelector,
    application,
    load_ui,
    named_widgets,
    use_pythonqt_style,
)
from PySide6 import QtWidgets

NAMES = ("slicer.i18n", "slicer.parameterNodeWrapper", "slicer.ScriptedLoadableModule")


class WithinRange:
    """Plays the validator; the widget's range comes from it."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum


def parameterNodeWrapper(kind: type) -> type:
    """Plays the decorator: typed properties kept in a node, and widgets connected to them."""
    hints = typing.get_type_hints(kind, include_extras=True)
    types_ = {n: typing.get_args(h)[0] if _annotated(h) else h for n, h in hints.items()}
    ranges = {n: typing.get_args(h)[1] for n, h in hints.items() if _annotated(h)}
    for name, type_ in types_.items():
        default = getattr(kind, name, None)
        setattr(kind, name, _parameter(name, type_, default))

    def initialise(self: Any, node: Any) -> None:
        import vtk

        self.parameterNode, self._guis = node, {}
        self._nodes = {}
        nodes = [n for n, type_ in types_.items() if _isNode(type_)]

        def remember(*_: Any) -> None:
            """Nodes are looked up when the parameters change, and then only."""
            self._nodes.update({name: node.GetNodeReference(name) for name in nodes})

        remember()
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, remember, 1.0)

    def connectGui(self: Any, ui: Any) -> int:
        tag = len(self._guis) + 1
        self._guis[tag] = []
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                self._guis[tag].append(_connect(self, widget, name, types_[name], ranges.get(name)))
        return tag

    def disconnectGui(self: Any, tag: int) -> None:
        for disconnect in self._guis.pop(tag, []):
            disconnect()

    kind.__init__ = initialise
    kind.connectGui, kind.disconnectGui = connectGui, disconnectGui
    kind.AddObserver = lambda self, event, call, priority=0.0: self.parameterNode.AddObserver(
        event, call, priority
    )
    kind.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return kind


def _annotated(hint: Any) -> bool:
    return typing.get_origin(hint) is Annotated


def _isNode(type_: type) -> bool:
    return not issubclass(type_, Enum | bool | int | float | str)


def _parameter(name: str, type_: type, default: Any) -> property:
    isNode = _isNode(type_)

    def get(self: Any) -> Any:
        node = self.parameterNode
        if isNode:
            return self._nodes[name]
        text = node.GetParameter(name)
        if not text:
            return default if default is not None else _first(type_)
        if issubclass(type_, Enum):
            return type_[text]
        return text == "True" if type_ is bool else type_(text)

    def set_(self: Any, value: Any) -> None:
        if value is not None and not isinstance(value, type_):
            raise TypeError(f"{name} is {type_.__name__}, not {value!r}")
        if isNode:
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value else None)
        else:
            self.parameterNode.SetParameter(
                name, value.name if isinstance(value, Enum) else str(value)
            )

    return property(get, set_)


def _first(type_: type) -> Any:
    return next(iter(type_)) if issubclass(type_, Enum) else type_()


def _connect(
    parameters: Any, widget: Any, name: str, type_: type, within: WithinRange | None
) -> Callable[[], None]:
    """Bind a widget and a parameter both ways; returns how to undo it."""
    import vtk

    if isinstance(widget, NodeSelector):
        changed, read = widget.currentNodeChanged, widget.currentNode
        write = widget.setCurrentNode
    elif isinstance(widget, QtWidgets.QComboBox):
        members = list(type_)
        widget.clear()
        widget.addItems([member.label() for member in members])
        changed = widget.currentIndexChanged
        read = lambda: members[widget.currentIndex()]  # noqa: E731
        write = lambda value: widget.setCurrentIndex(members.index(value))  # noqa: E731
    elif isinstance(widget, QtWidgets.QCheckBox):
        changed, read, write = widget.toggled, widget.isChecked, widget.setChecked
    else:
        widget.setRange(type_(within.minimum), type_(within.maximum))
        changed, read, write = widget.valueChanged, widget.value, widget.setValue
    busy = [False]

    def toWidget(*_: Any) -> None:
        if not busy[0]:
            busy[0] = True
            write(getattr(parameters, name))
            busy[0] = False

    def toParameter(*_: Any) -> None:
        if not busy[0]:
            setattr(parameters, name, read())

    toWidget()
    changed.connect(toParameter)
    tag = parameters.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, toWidget)

    def disconnect() -> None:
        changed.disconnect(toParameter)
        parameters.parameterNode.RemoveObserver(tag)

    return disconnect


class ScriptedLoadableModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def resourcePath(self, name: str) -> str:
        return str(MODULE / "Resources" / name)


class ScriptedLoadableModuleWidget(ScriptedLoadableModule):
    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.layout = QtWidgets.QVBoxLayout()

    def setup(self) -> None:
        pass

    def onReload(self) -> None:
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        pass

    def getParameterNode(self) -> Any:
        import slicer

        name = type(self).__name__.removesuffix("Logic")
        node = slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(name)
            node.SetName(name)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest:
    pass


def loadUI(path: str) -> QtWidgets.QWidget:
    assert path == str(UI_FILE)
    return load_ui()


@contextmanager
def module_in_application(monkeypatch: Any) -> Iterator[types.ModuleType]:
    """The module's file, loaded as Slicer loads it, with errors and questions recorded.

    ``module.errors`` has the texts of error windows, ``module.questions`` those of
    questions, which ``module.answer`` answers.
    """
    import slicer

    application()
    use_pythonqt_style()
    i18n = types.SimpleNamespace(tr=lambda text: text, translate=lambda context, text: text)
    wrapper = types.SimpleNamespace(
        parameterNodeWrapper=parameterNodeWrapper, WithinRange=WithinRange
    )
    scripted = types.SimpleNamespace(
        **{k: v for k, v in globals().items() if k.startswith("ScriptedLoadableModule")}
    )
    for name, played in zip(NAMES, (i18n, wrapper, scripted), strict=True):
        monkeypatch.setitem(sys.modules, name, played)
    import __feature__ as feature

    feature.set_selection(TRUE_PROPERTY, "BrainTumorSeg")
    spec = importlib.util.spec_from_file_location("BrainTumorSeg", MODULE / "BrainTumorSeg.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "BrainTumorSeg", module)
    spec.loader.exec_module(module)
    module.errors, module.questions, module.answer = [], [], True

    def asked(text: str, *_: Any, **__: Any) -> bool:
        module.questions.append(text)
        return module.answer

    monkeypatch.setattr(slicer.util, "loadUI", loadUI)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", named_widgets)
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: module.errors.append(text))
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", asked)
    yield module


@contextmanager
def open_widget(module: types.ModuleType) -> Iterator[Any]:
    """The module's panel, opened; ``widget.panel`` and ``widget.ui`` as in Slicer."""
    parent = types.SimpleNamespace(isEntered=True)
    widget = module.BrainTumorSegWidget(parent)
    widget.setup()
    widget.enter()
    try:
        yield widget
    finally:
        widget.cleanup()
        widget.ui._top.deleteLater()
