"""The module's file and its panel's files, read but not run: what loading them would do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the panel's .ui is read with PySide6")

from panel_widgets import MODULE, names_in_ui, parameter_names_in_ui
from test_architecture import imported_modules, parsed

CHECKOUT = MODULE.parent
SOURCE = MODULE / "BrainTumorSeg.py"
APP = CHECKOUT / "BrainTumorSegLib" / "slicer_app"
PANEL = APP / "panel"

#: What Slicer has before anything was installed.
SHIPPED = {*sys.stdlib_module_names, "slicer", "vtk", "qt", "ctk", "numpy", "SimpleITK"}

#: Parameters that the panel's own code shows, because their choices are only known there.
SHOWN_BY_CODE = {"pack", "device"}

#: Methods of widgets and dialogs whose texts a person reads.
SPEAKING = {"setText", "setToolTip", "setWindowTitle", "addItem", "setTitle", "setStatusTip"}
SPOKEN = {"text", "toolTip", "title", "windowTitle", "specialValueText", "placeholderText"}


def at_file_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Statements that run on import: not in functions, not behind ``TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_file_scope(child)


def panel_files() -> list[Path]:
    return sorted(PANEL.glob("*.py"))


def class_named(name: str) -> ast.ClassDef:
    found = [n for n in parsed(SOURCE).body if isinstance(n, ast.ClassDef) and n.name == name]
    assert len(found) == 1, name
    return found[0]


def parameters() -> dict[str, str]:
    """Name and type of each member of the parameter node class."""
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in class_named("BrainTumorSegParameterNode").body
        if isinstance(node, ast.AnnAssign)
    }


def widgets_used(path: Path) -> set[str]:
    """Names after ``ui.`` wherever they occur."""
    return {
        node.attr
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] == "ui"
    }


# Loading the module


def test_the_module_file_imports_only_what_slicer_ships():
    modules = {m.split(".")[0] for m in imported_modules(at_file_scope(parsed(SOURCE)))}
    assert modules <= {*SHIPPED, "BrainTumorSegLib"} - {"numpy", "SimpleITK"}


def test_the_library_is_imported_only_after_it_was_looked_for():
    texts = [ast.unparse(node) for node in parsed(SOURCE).body]
    library = [n for n, text in enumerate(texts) if text.startswith("from BrainTumorSegLib")]
    assert texts.index("findLibrary()") < min(library)


def test_what_the_module_takes_from_the_library_needs_only_the_standard_library():
    code = (
        "import sys\nfrom BrainTumorSegLib.core import options, sequences\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=CHECKOUT
    )
    assert done.stdout.strip() == "['BrainTumorSegLib', '__main__']", done.stderr


def runs_on_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements at file scope that are more than definitions, imports and names."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node


def test_no_code_runs_when_the_module_file_is_loaded():
    busy = [n for n in runs_on_import(parsed(SOURCE)) if not isinstance(n, ast.Assign)]
    assert [ast.unparse(node) for node in busy] == ["findLibrary()"]


@pytest.mark.parametrize("path", panel_files(), ids=lambda path: path.name)
def test_no_code_runs_when_a_file_of_the_panel_is_loaded(path):
    # A name for a constant, or for what a type checker wants, is no code.
    busy = [
        n for n in runs_on_import(parsed(path)) if not isinstance(n, ast.Assign | ast.AnnAssign)
    ]
    calls = [
        ast.unparse(n)
        for n in runs_on_import(parsed(path))
        for c in ast.walk(n)
        if isinstance(c, ast.Call)
    ]
    assert [ast.unparse(node) for node in busy] + calls == []


def test_scene_and_panel_need_nothing_that_slicer_does_not_ship():
    files = sorted(APP.rglob("*.py"))
    assert len(files) > 20
    foreign = {
        f"{path.name}: {module}"
        for path in files
        for module in imported_modules(ast.walk(parsed(path)))
        if module.split(".")[0] not in {*SHIPPED, "BrainTumorSegLib"}
    }
    # Slicer's own modules, looked for where they are used; each has a way without it.
    own = {"PyTorchUtils", "DICOMLib", "DICOMSegmentationPlugin", "SampleData"}
    own |= {"packaging", "pydicom"}
    assert {f for f in foreign if f.split(": ")[1].split(".")[0] not in own} == set()


def test_a_section_of_the_panel_knows_only_what_all_share():
    shared = {"state", "dialogs", "looks", "wording"}
    sections = [p for p in panel_files() if p.stem not in {*shared, "panel", "__init__"}]
    assert len(sections) == 11
    for path in panel_files():
        known = {
            node.module or ""
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ImportFrom)
            and (node.level == 1 or "slicer_app.panel" in (node.module or ""))
        }
        assert path.stem == "panel" or known <= (shared if path in sections else set()), path.name


def test_the_module_stays_thin():
    assert len(SOURCE.read_text(encoding="utf-8").splitlines()) < 450


def test_the_module_does_not_depend_on_brainsfit():
    text = ast.unparse(class_named("BrainTumorSeg"))
    assert "parent.dependencies = []" in text


def test_the_help_says_that_this_is_no_medical_device_and_whom_to_cite():
    text = ast.unparse(class_named("BrainTumorSeg"))
    assert "not a medical device" in text
    assert "Siberian Multimodal Brain Tumor Image Segmentation" in text
    assert "<a href=" in text


def test_the_help_leads_to_the_homepage_of_the_extension():
    homepage = re.search(r"HOMEPAGE = '(https://[^']+)'", ast.unparse(class_named("BrainTumorSeg")))
    text = (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f'set(EXTENSION_HOMEPAGE "{homepage.group(1)}")' in text


def test_the_four_classes_of_a_scripted_module_are_there():
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for node in parsed(SOURCE).body
        if isinstance(node, ast.ClassDef)
    }
    assert "ScriptedLoadableModule" in bases["BrainTumorSeg"]
    assert {"ScriptedLoadableModuleWidget", "VTKObservationMixin"} <= bases["BrainTumorSegWidget"]
    assert "ScriptedLoadableModuleLogic" in bases["BrainTumorSegLogic"]
    assert "ScriptedLoadableModuleTest" in bases["BrainTumorSegTest"]


def test_the_logic_touches_no_widget():
    text = ast.unparse(class_named("BrainTumorSegLogic"))
    assert not re.search(r"\b(ui|qt|ctk|widget|Panel)\b", text)


def test_the_applications_test_has_tests():
    methods = [n.name for n in class_named("BrainTumorSegTest").body if hasattr(n, "name")]
    assert len([name for name in methods if name.startswith("test_")]) >= 6


def test_the_applications_test_presses_every_button():
    from BrainTumorSegLib.slicer_app.self_test_panel import NOT_PRESSED

    text = "".join(path.read_text(encoding="utf-8") for path in APP.glob("self_test*.py"))
    buttons = {name for name, kind in names_in_ui().items() if kind == "QPushButton"}
    pressed = {name for name in buttons if re.search(rf"\bui\.{name}\b", text)}
    assert buttons - pressed == set(NOT_PRESSED)


# Panel and .ui agree


@pytest.mark.parametrize("path", [SOURCE, *panel_files()], ids=lambda path: path.name)
def test_every_widget_that_is_used_is_in_the_ui(path):
    assert widgets_used(path) <= names_in_ui().keys()


def test_the_names_of_widgets_are_really_found():
    assert {"applyButton", "cancelButton", "progressBar"} <= widgets_used(PANEL / "run.py")


def test_every_widget_a_person_can_act_on_is_used():
    used = {name for path in (SOURCE, *panel_files()) for name in widgets_used(path)}
    used |= parameter_names_in_ui().keys()
    acting = {
        name
        for name, kind in names_in_ui().items()
        if kind in ("QPushButton", "QComboBox", "QCheckBox", "QLineEdit", "QSpinBox", "QSlider")
    }
    assert acting - used == set()


def test_every_parameter_name_in_the_ui_has_its_parameter():
    assert set(parameter_names_in_ui().values()) <= parameters().keys()


def test_every_parameter_is_shown_by_one_widget():
    shown = list(parameter_names_in_ui().values())
    assert len(shown) == len(set(shown))
    assert parameters().keys() - set(shown) == SHOWN_BY_CODE


#: Widgets that `slicer.parameterNodeWrapper` can connect to a type.
CONNECTABLE = {
    "vtkMRMLScalarVolumeNode": "qMRMLNodeComboBox",
    "vtkMRMLSegmentationNode": "qMRMLNodeComboBox",
    "bool": "QCheckBox",
    "int": "QSpinBox",
    "float": "QDoubleSpinBox",
}


def test_every_parameter_has_a_widget_that_can_show_its_type():
    types, classes = parameters(), names_in_ui()
    enums = {
        node.targets[0].id
        for node in parsed(SOURCE).body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("choices(")
    }
    assert len(enums) == 5
    for widget, parameter in parameter_names_in_ui().items():
        kind = re.sub(r"^Annotated\[(\w+),.*$", r"\1", types[parameter])
        assert classes[widget] == ("QComboBox" if kind in enums else CONNECTABLE[kind]), widget


# Texts


def untranslated(tree: ast.AST) -> list[str]:
    """Texts with a word in them that go to a widget without passing through ``_()``."""
    found = []

    def wordy(node: ast.AST) -> bool:
        return isinstance(node, ast.Constant | ast.JoinedStr) and bool(
            re.search(r"[A-Za-z]{3,}", "".join(_pieces(node)))
        )

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) in SPEAKING:
            found += [ast.unparse(a) for a in node.args if wordy(a)]
        if isinstance(node, ast.Assign):
            targets = [t.attr for t in node.targets if isinstance(t, ast.Attribute)]
            if SPOKEN & set(targets) and wordy(node.value):
                found.append(ast.unparse(node.value))
    return found


def _pieces(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [v.value for v in node.values if isinstance(v, ast.Constant)]


@pytest.mark.parametrize("path", [SOURCE, *panel_files()], ids=lambda path: path.name)
def test_every_text_can_be_translated(path):
    assert untranslated(parsed(path)) == []


@pytest.mark.parametrize(
    "line", ["a.text = 'Done now'", "b.addItem('Reader')", "c.toolTip = f'x {y} mm³ more'"]
)
def test_a_text_that_cannot_be_translated_would_be_noticed(line):
    assert len(untranslated(ast.parse(line))) == 1


@pytest.mark.parametrize("path", [SOURCE, *panel_files()], ids=lambda path: path.name)
def test_texts_have_named_placeholders_and_no_computed_parts(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_":
            (text,) = node.args
            assert isinstance(text, ast.Constant), f"a translator cannot see {ast.unparse(text)}"
            assert not re.search(r"\{\d*\}|%[sd]", text.value), text.value
