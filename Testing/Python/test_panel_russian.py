"""The panel in Russian at the width of a laptop."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from panel_steps import choose, live
from panel_widgets import Folding, application, docked
from PySide6 import QtCore, QtWidgets

from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.slicer_app.host import translation


@pytest.fixture
def russian(monkeypatch):
    """The application speaks Russian, as Slicer does once its language was chosen."""
    app, translator = application(), QtCore.QTranslator()
    assert translator.load(str(resource_path("Translations", "BrainTumorSeg_ru.qm")))
    app.installTranslator(translator)
    monkeypatch.setattr(translation, "inApplication", lambda: True)
    monkeypatch.setattr(translation, "_translate", QtCore.QCoreApplication.translate)
    monkeypatch.setattr(translation, "language", lambda: "ru_RU")
    yield
    app.removeTranslator(translator)


@pytest.fixture
def dock(russian, widget):
    """The Russian panel in a scrolling area of a laptop's width."""
    with docked(widget.ui._top) as area:
        yield area


@pytest.fixture
def unfolded(dock, widget, made):
    """All sections of the panel open, with a result."""
    result, settings = made
    choose(widget, {"t1ce": settings.t1ce})
    widget.panel.parameters.result = result.segmentationNode
    for part in widget.ui._top.findChildren(Folding):
        part.setCollapsed(False)
    live(widget)


def picture(dock, name):
    """Keep a picture where `BRAINTUMORSEG_PICTURES` asks for it."""
    folder = os.environ.get("BRAINTUMORSEG_PICTURES")
    if folder:
        dock.widget().grab().save(str(Path(folder) / f"{name}.png"))


def too_narrow(dock):
    """Texts that need more room than they have."""
    kinds = (QtWidgets.QAbstractButton, QtWidgets.QLabel)
    shown = [w for kind in kinds for w in dock.widget().findChildren(kind) if w.isVisible()]
    return {
        w.objectName(): w.text()
        for w in shown
        if w.text() and w.minimumSizeHint().width() > w.width()
    }


def test_no_text_is_wider_than_its_place(unfolded, dock):
    picture(dock, "russian")
    assert too_narrow(dock) == {}
    assert dock.widget().minimumSizeHint().width() <= dock.viewport().width()


def test_nothing_that_the_panel_says_is_english(unfolded, dock, widget):
    # The warning of this result is none of the library's.
    widget.ui.warningsLabel.setText("")
    names = "BRAINSFit|SimpleITK|deepbet|Slicer|Python|glioma"
    for part in dock.widget().findChildren(QtWidgets.QWidget):
        if part.objectName() == "folderButton":
            continue
        for text in filter(None, (said(part), part.toolTip())):
            plain = re.sub(rf"«[^»]*»|<[^>]*>|\(\.[\w.]+\)|\b(?:{names})\b", "", text)
            english = re.findall(r"\b[a-z]{3,}\b", plain)
            assert re.search("[А-Яа-яЁё]", plain) or not english, (part.objectName(), text)


def said(part):
    if isinstance(part, QtWidgets.QAbstractButton | QtWidgets.QLabel):
        return part.text()
    return part.getText() if isinstance(part, Folding) else ""


def test_guessing_gives_russian_reasons(dock, widget, scans):
    widget.ui.guessButton.click()
    live(widget)
    picture(dock, "russian-guessed")
    assert widget.ui.t1ceReason.toolTip().startswith("T1CE: имя содержит «t1")
    assert widget.ui.stageLabel.text() == "Готово к запуску."
