"""The panel in a reader's hands: two blind readings, looking, checking, doubting."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_results import add_result, correct
from test_panel import module, widget  # noqa: F401  (fixtures)

from BrainTumorSegLib.slicer_app.review.reviews import readReviews, writeReview

READER, COMMENT = "Dr. First", "overlooked oedema"


@pytest.fixture
def made(scene, tmp_path):
    return add_result(scene, tmp_path / "run")


@pytest.fixture
def shown(made, widget):  # noqa: F811
    """The panel with a result that was just made."""
    widget.panel.parameters.result = made[0].segmentationNode
    widget.ui.resultButton.setCollapsed(False)
    widget.ui.reviewButton.setCollapsed(False)
    return widget


# Two readers


def record_first(shown, made):
    correct(made[0].segmentationNode, made[1].t1ce)
    shown.panel.state.changed()
    ui = shown.ui
    ui.readerEdit.setText(READER)
    ui.commentEdit.setPlainText(COMMENT)
    ui.recordButton.click()
    assert readReviews(made[0].segmentationNode)


def texts_of(ui) -> str:
    """All that the section Review says."""
    labels = (ui.reviewsLabel, ui.agreementLabel, ui.readerEdit)
    return " ".join([*(label.text() for label in labels), ui.commentEdit.toPlainText()])


def test_the_second_reader_sees_nothing_of_the_first(shown, made):
    record_first(shown, made)
    shown.ui.secondReadingButton.click()
    said = texts_of(shown.ui)
    assert READER not in said
    assert COMMENT not in said
    assert shown.ui.verdictCombo.currentText() == "Approved"
    assert "after you have recorded yours" in said
    assert shown.ui.agreementLabel.text() == ""


def test_the_first_reading_is_opened_only_after_a_question(shown, made, module):  # noqa: F811
    record_first(shown, made)
    shown.ui.secondReadingButton.click()
    second = shown.panel.state.segmentation
    module.answer = False
    shown.ui.positionCombo.setCurrentIndex(0)
    shown.ui.positionCombo.activated.emit(0)
    assert "only if you are the first reader" in module.questions[-1]
    assert shown.panel.state.segmentation is second
    assert shown.ui.positionCombo.currentIndex() == 1
    assert READER not in texts_of(shown.ui)
    module.answer = True
    shown.ui.positionCombo.setCurrentIndex(0)
    shown.ui.positionCombo.activated.emit(0)
    assert shown.panel.state.segmentation is made[0].segmentationNode
    assert READER in texts_of(shown.ui)


def test_choosing_the_first_reading_as_result_shows_the_open_one(shown, made):
    record_first(shown, made)
    shown.ui.secondReadingButton.click()
    second = shown.panel.state.segmentation
    shown.panel.parameters.result = made[0].segmentationNode
    assert shown.panel.state.segmentation is second
    assert READER not in texts_of(shown.ui)


def test_after_both_reviews_there_is_no_question(shown, made, module):  # noqa: F811
    record_first(shown, made)
    shown.ui.secondReadingButton.click()
    shown.ui.readerEdit.setText("Dr. Second")
    shown.ui.recordButton.click()
    assert READER in texts_of(shown.ui)
    shown.ui.positionCombo.setCurrentIndex(0)
    shown.ui.positionCombo.activated.emit(0)
    assert module.questions == []
    assert shown.panel.state.segmentation is made[0].segmentationNode


def test_a_first_reader_who_comes_second_is_blind_too(shown, made):
    shown.ui.secondReadingButton.click()
    second = shown.panel.state.segmentation
    writeReview(second, "Dr. Second", "approved", "all right")
    shown.ui.positionCombo.setCurrentIndex(0)
    shown.ui.positionCombo.activated.emit(0)
    assert "Dr. Second" not in texts_of(shown.ui)
    assert "The second reader's review is shown after" in texts_of(shown.ui)
