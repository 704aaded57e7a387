"""The panel in a reader's hands: two blind readings, looking, checking, doubting."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_results import correct
from slicer_fakes import open_widget

from BrainTumorSegLib.slicer_app.review.reviews import readReviews, writeReview
from BrainTumorSegLib.slicer_app.scene.scene import nodesOfClass

READER, COMMENT = "Dr. First", "overlooked oedema"


@pytest.fixture
def shown(made, widget):
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


def test_the_first_reading_is_opened_only_after_a_question(shown, made, module):
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


def test_after_both_reviews_there_is_no_question(shown, made, module):
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


def test_the_second_reader_stays_at_the_own_reading_after_recording_first(shown):
    shown.ui.secondReadingButton.click()
    second = shown.panel.state.segmentation
    shown.ui.readerEdit.setText("Dr. Second")
    shown.ui.recordButton.click()
    assert shown.panel.state.segmentation is second
    assert "Dr. Second" in texts_of(shown.ui)


# Checking the alignment


def opacities(scene):
    composites = nodesOfClass(scene, "vtkMRMLSliceCompositeNode")
    return {round(composite.GetForegroundOpacity(), 3) for composite in composites}


def visible(made) -> bool:
    return bool(made[0].segmentationNode.GetDisplayNode().GetVisibility())


def test_the_check_of_the_alignment_begins_and_ends_with_its_button(shown, made, scene):
    ui = shown.ui
    assert not ui.blendSlider.isEnabled()
    ui.alignmentButton.click()
    assert not visible(made)
    assert ui.alignmentButton.text() == "End check"
    assert ui.alignmentLabel.text().startswith("FLAIR is compared with T1CE.")
    assert not ui.alignmentLabel.isHidden()
    assert not ui.hideButton.isEnabled()
    ui.blendSlider.setValue(80)
    assert opacities(scene) == {0.8}
    ui.alignmentButton.click()
    assert visible(made)
    assert ui.alignmentButton.text() == "Check alignment"
    assert not ui.alignmentButton.isChecked()
    assert ui.alignmentLabel.isHidden()
    assert not ui.blendSlider.isEnabled()


@pytest.mark.parametrize("button", ["showButton", "nextDoubtButton", "editButton"])
def test_after_another_button_no_slider_claims_a_check(shown, made, button, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer.modules, "segmenteditor", object(), raising=False)
    shown.panel.state.changed()
    ui = shown.ui
    ui.alignmentButton.click()
    ui.blendSlider.setValue(80)
    getattr(ui, button).click()
    assert visible(made)
    assert not ui.alignmentButton.isChecked()
    assert not ui.blendSlider.isEnabled()
    assert ui.blendSlider.value() == 50


def test_the_slider_shows_what_the_views_show(shown, scene):
    ui = shown.ui
    ui.alignmentButton.click()
    for composite in nodesOfClass(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetForegroundOpacity(0.2)
    shown.panel.state.changed()
    assert ui.blendSlider.value() == 20


def test_squares_need_no_slider(shown, scene):
    ui = shown.ui
    ui.alignmentButton.click()
    ui.compareCombo.setCurrentIndex(1)
    ui.compareCombo.activated.emit(1)
    assert not ui.blendSlider.isEnabled()
    background = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode").GetBackgroundVolumeID()
    assert "in squares" in scene.GetNodeByID(background).GetName()
    ui.compareCombo.setCurrentIndex(0)
    ui.compareCombo.activated.emit(0)
    assert ui.blendSlider.isEnabled()
    assert opacities(scene) == {0.5}


def test_another_scan_is_compared_while_it_goes_on(shown):
    ui = shown.ui
    ui.alignmentButton.click()
    ui.alignmentCombo.setCurrentIndex(1)
    ui.alignmentCombo.activated.emit(1)
    assert ui.alignmentLabel.text().startswith("T1 is compared with T1CE.")


def test_a_scene_saved_during_the_check_has_the_segmentation_shown(shown, made, scene, tmp_path):
    shown.ui.alignmentButton.click()
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    assert visible(made)
    shown.panel.state.changed()
    assert not shown.ui.alignmentButton.isChecked()


def test_with_the_segmentation_its_check_ends(shown, made, scene):
    before = opacities(scene)
    shown.ui.alignmentButton.click()
    scene.RemoveNode(made[0].segmentationNode)
    shown.panel.parameters.result = None
    shown.panel.state.changed()
    assert opacities(scene) == before
    assert not shown.ui.alignmentButton.isChecked()


def test_leaving_the_panel_ends_the_check(shown, made):
    shown.ui.alignmentButton.click()
    shown.exit()
    assert visible(made)
    shown.enter()
    assert not shown.ui.alignmentButton.isChecked()


# Doubtful regions


def test_a_doubtful_region_is_described_and_its_mark_removed(shown, scene):
    ui = shown.ui
    assert not ui.endDoubtButton.isEnabled()
    ui.nextDoubtButton.click()
    assert ui.doubtLabel.text().startswith("1 of ")
    assert "doubt" in ui.doubtLabel.text()
    assert "The networks wavered and decided on: " in ui.doubtLabel.text()
    segmentations = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    ui.previousDoubtButton.click()
    ui.endDoubtButton.click()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == segmentations - 1
    assert not ui.endDoubtButton.isEnabled()
    assert not ui.previousDoubtButton.isEnabled()


# Looking


def test_opacity_and_hiding_act_on_the_segmentation_and_follow_it(shown, made):
    ui, display = shown.ui, made[0].segmentationNode.GetDisplayNode()
    ui.opacitySlider.setValue(40)
    assert display.GetOpacity() == pytest.approx(0.4)
    ui.hideButton.click()
    assert not visible(made)
    ui.hideButton.click()
    assert visible(made)
    display.SetOpacity(0.7)
    display.SetVisibility(False)
    assert ui.opacitySlider.value() == 70
    assert ui.hideButton.isChecked()


def test_the_key_h_hides_the_segmentation(shown):
    assert shown.ui.hideButton.shortcut().toString() == "H"


def test_the_scans_are_laid_side_by_side_and_back(shown, made, scene):
    layout = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.AddLayoutDescription(3, "<layout/>")
    layout.SetViewArrangement(3)
    ui, display = shown.ui, made[0].segmentationNode.GetDisplayNode()
    shown.panel.state.changed()
    ui.readingButton.click()
    assert ui.readingButton.isChecked()
    assert not display.GetVisibility2DFill()
    ui.readingButton.click()
    assert layout.GetViewArrangement() == 3
    assert display.GetVisibility2DFill()
    ui.readingButton.click()
    # Chosen with Slicer's own button.
    layout.SetViewArrangement(3)
    assert not ui.readingButton.isChecked()
    assert display.GetVisibility2DFill()


def test_without_views_the_reading_layout_is_refused_in_words(made, module):
    with open_widget(module) as widget:
        widget.panel.parameters.result = made[0].segmentationNode
        widget.ui.readingButton.click()
        assert "There are no views" in module.errors[0]
        assert not widget.ui.readingButton.isChecked()
