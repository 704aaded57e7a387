"""The panel's .ui file: it loads, fits a narrow dock, explains itself, and can be looked at."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

pytest.importorskip("PySide6", reason="the panel's .ui is loaded with PySide6")

from panel_widgets import STAND_INS, UI_FILE, Folding, application, load_ui, named_widgets
from PySide6 import QtWidgets

#: The width of Slicer's module panel, as it opens on a laptop.
DOCK = 400

#: Classes that a person acts on.
ACTING = (
    *("QPushButton", "QComboBox", "QCheckBox", "QLineEdit", "QSpinBox", "QDoubleSpinBox"),
    *("QSlider", "qMRMLNodeComboBox", "ctkPathLineEdit", "ctkDirectoryButton", "QPlainTextEdit"),
)


@pytest.fixture
def root():
    return ElementTree.parse(UI_FILE).getroot()


@pytest.fixture
def top():
    application()
    widget = load_ui()
    yield widget
    widget.deleteLater()


def property_of(widget: ElementTree.Element, name: str) -> str | None:
    for prop in widget.findall("property"):
        if prop.get("name") == name:
            return "".join(prop.itertext()).strip()
    return None


def widgets_of(root, *classes: str) -> list[ElementTree.Element]:
    return [w for w in root.iter("widget") if w.get("class") in classes]


def unfold(top: QtWidgets.QWidget) -> None:
    for part in top.findChildren(Folding):
        part.setCollapsed(False)


def test_every_widget_of_the_file_is_made_under_its_name(root, top):
    made = vars(named_widgets(top)).keys()
    names = [w.get("name") for w in root.iter("widget")][1:]
    assert len(names) == len(set(names))
    assert set(names) <= made


def test_slicers_widgets_are_declared_and_played(root):
    declared = {c.findtext("class") for c in root.iter("customwidget")}
    used = {w.get("class") for w in root.iter("widget")}
    assert {name for name in used if not name.startswith("Q")} == declared == STAND_INS.keys()


def test_every_node_selector_gets_the_scene(root):
    receivers = [
        c.findtext("receiver")
        for c in root.iter("connection")
        if c.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and c.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    ]
    assert receivers == [w.get("name") for w in widgets_of(root, "qMRMLNodeComboBox")]


def test_everything_a_person_acts_on_explains_itself(root):
    silent = [w.get("name") for w in widgets_of(root, *ACTING) if not property_of(w, "toolTip")]
    assert silent == []


def test_every_field_has_a_label_that_leads_to_it(root):
    buddies = {property_of(w, "buddy") for w in widgets_of(root, "QLabel")}
    fields = widgets_of(
        root, "QComboBox", "QLineEdit", "QSpinBox", "QDoubleSpinBox", "QSlider",
        "qMRMLNodeComboBox", "ctkPathLineEdit", "ctkDirectoryButton",
    )  # fmt: skip
    assert [w.get("name") for w in fields if w.get("name") not in buddies] == []


def test_the_keyboard_visits_the_fields_in_reading_order(root):
    stops = [t.text for t in root.iter("tabstop")]
    reading = [w.get("name") for w in root.iter("widget") if w.get("name") in stops]
    assert stops == reading
    assert {w.get("name") for w in widgets_of(root, *ACTING)} <= set(stops)


def test_texts_have_no_cryptic_words(root):
    said = " ".join("".join(s.itertext()) for s in root.iter("string") if s.get("notr") != "true")
    assert not re.search(
        r"\b(node|MRML|labelmap|inference|ensemble|entropy|checkpoint)\b", said, re.I
    )


def test_nothing_runs_before_it_can(top):
    ui = named_widgets(top)
    assert not ui.applyButton.isEnabled()
    assert not ui.cancelButton.isEnabled()


def test_the_panel_fits_a_narrow_dock_with_everything_unfolded(top):
    unfold(top)
    top.show()
    assert top.minimumSizeHint().width() <= DOCK


def test_the_panel_can_be_looked_at(top, tmp_path):
    unfold(top)
    top.resize(DOCK, top.sizeHint().height())
    top.show()
    application().processEvents()
    picture = top.grab()
    path = tmp_path / "panel.png"
    assert picture.save(str(path))
    image = picture.toImage()
    assert image.width() == DOCK
    colors = {image.pixel(x, y) for x in range(0, DOCK, 3) for y in range(0, image.height(), 3)}
    assert len(colors) > 20, "the picture is empty"


def test_the_guessing_of_names_would_notice_a_missing_widget(tmp_path):
    text = UI_FILE.read_text(encoding="utf-8").replace('name="applyButton"', 'name="startButton"')
    path = tmp_path / "other.ui"
    path.write_text(text, encoding="utf-8")
    assert not hasattr(named_widgets(load_ui(path)), "applyButton")
