"""Guessing the scans from names, folders, the subject hierarchy and DICOM headers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import Examination, write_series
from dicom_factory import head as dicom_head
from mrml_nodes import add_volume
from mrml_scene import snapshot

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.guess.doubts import impressionOf
from BrainTumorSegLib.slicer_app.guess.scans import guessScans

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR
SMALL = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)


def load(scene, *names, folder=None):
    """Volumes by name; with a folder as if read from files of that name there."""
    nodes = []
    for name in names:
        node = add_volume(scene, name, SMALL)
        if folder is not None:
            storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
            storage.SetFileName(str(Path(folder) / f"{name}.nii.gz"))
            node.SetAndObserveStorageNodeID(storage.GetID())
        nodes.append(node)
    return nodes


def show(scene, node):
    """Make a volume the one that all slice views show."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        composite = scene.GetNthNodeByClass(number, "vtkMRMLSliceCompositeNode")
        composite.SetBackgroundVolumeID(node.GetID())


def hierarchy(scene):
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def put_into_study(scene, patient, study, nodes, uid=None):
    tree = hierarchy(scene)
    above = tree.GetItemChildWithName(tree.GetSceneItemID(), patient)
    above = above or tree.CreateSubjectItem(tree.GetSceneItemID(), patient)
    item = tree.CreateStudyItem(above, study)
    if uid:
        tree.SetItemUID(item, "DICOM", uid)
    for node in nodes:
        tree.SetItemParent(tree.GetItemByDataNode(node), item)


def names(guess):
    return {sequence.name: node.GetName() for sequence, node in guess.chosen.items()}


# One patient


def test_three_clear_names_are_found_with_reasons(scene):
    load(scene, "T1_AX", "T1_AX_POST_GAD", "FLAIR_AX")
    found = guessScans()
    assert names(found) == {"T1": "T1_AX", "T1CE": "T1_AX_POST_GAD", "FLAIR": "FLAIR_AX"}
    assert "“post gad”" in found.reasons[T1CE] or "post" in found.reasons[T1CE]
    assert "flair" in found.reasons[FLAIR]
    assert found.ambiguities == ()


def test_guessing_changes_nothing_in_the_scene(scene):
    load(scene, "t1", "t1ce", "flair")
    before = snapshot(scene)
    guessScans()
    assert snapshot(scene) == before


def test_an_empty_scene_is_said_to_be_empty(scene):
    found = guessScans()
    assert found.chosen == {}
    assert set(found.reasons.values()) == {"No scan is loaded."}


def test_names_that_tell_nothing_are_named(scene):
    load(scene, "Volume", "Volume_1")
    found = guessScans()
    assert found.chosen == {}
    assert "“Volume”, “Volume_1”" in found.reasons[T1CE]


def test_a_missing_t1_is_no_obstacle_but_is_said(scene):
    load(scene, "case7_t1ce", "case7_flair")
    found = guessScans()
    assert names(found) == {"T1CE": "case7_t1ce", "FLAIR": "case7_flair"}
    assert found.reasons[T1] == "No loaded volume of case7 is T1."


def test_a_missing_t1ce_is_said_to_be_needed(scene):
    load(scene, "t1", "flair")
    found = guessScans()
    assert T1CE not in found.chosen
    assert "it is needed" in found.reasons[T1CE]


def test_two_volumes_of_one_sequence_are_left_to_the_person(scene):
    load(scene, "t1", "t1ce_a", "t1ce_b", "flair")
    found = guessScans()
    assert names(found) == {"T1": "t1", "FLAIR": "flair"}
    assert "“t1ce_a” and “t1ce_b” are all T1CE" in found.reasons[T1CE]
    assert found.ambiguities[0].sequence is T1CE


def test_the_file_name_helps_where_the_node_was_renamed(scene):
    first, *_ = load(scene, "T1_AX", "T1_AX_POST", "FLAIR_AX", folder="/data/x")
    first.SetName("Anatomy")
    assert guessScans().chosen[T1] is first


def test_folders_named_after_sequences_help_where_files_are_silent(scene):
    for number, folder in enumerate(("T1", "T1CE", "FLAIR")):
        (node,) = load(scene, "scan", folder=f"/data/Schmidt/{folder}")
        node.SetName(f"Volume {number}")
    assert names(guessScans()) == {"T1": "Volume 0", "T1CE": "Volume 1", "FLAIR": "Volume 2"}


# What is no scan


def test_label_maps_vectors_and_hidden_volumes_are_passed_over(scene):
    load(scene, "t1", "t1ce", "flair")
    add_volume(scene, "t1ce", SMALL, kind="vtkMRMLLabelMapVolumeNode")
    add_volume(scene, "flair", np.stack([SMALL] * 3, -1), kind="vtkMRMLVectorVolumeNode")
    (hidden,) = load(scene, "t1ce_hidden")
    hidden.SetHideFromEditors(True)
    assert len(guessScans().chosen) == 3


def test_our_own_volumes_are_passed_over(scene):
    load(scene, "t1", "t1ce", "flair")
    (copy,) = load(scene, "flair registered")
    copy.SetAttribute("BrainTumorSeg.Role", "registered")
    (map_,) = load(scene, "t1ce disagreement")
    map_.SetAttribute("BrainTumorSeg.Role", "disagreement")
    assert len(guessScans().chosen) == 3
    assert impressionOf(copy, T1).reason == "It was made here from another scan."


def test_volumes_made_from_another_one_are_passed_over(scene):
    load(scene, "t1", "t1ce", "flair", "t1ce Copy", "flair_registered", "t1 N4 corrected")
    assert names(guessScans()) == {"T1": "t1", "T1CE": "t1ce", "FLAIR": "flair"}


def test_a_registered_scan_without_its_original_is_taken(scene):
    load(scene, "t1_reg", "t1ce_reg", "flair_reg")
    assert len(guessScans().chosen) == 3


def test_a_file_loaded_twice_is_one_scan(scene):
    load(scene, "t1", "t1ce", "flair", folder="/data/x")
    (again,) = load(scene, "t1ce", folder="/data/x")
    again.SetName("t1ce_1")
    assert len(guessScans().chosen) == 3


def test_volumes_without_image_or_with_few_slices_are_passed_over(scene):
    load(scene, "t1", "t1ce", "flair")
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "t1ce empty")
    thin = add_volume(scene, "flair localizer", SMALL[:3])
    assert len(guessScans().chosen) == 3
    assert impressionOf(thin, T1).reason == "It has only 3 slices."


# Two patients, two times


@pytest.mark.parametrize(
    "mixed",
    [
        ("Anna_t1", "Anna_t1ce", "Bert_flair"),
        ("case_01 T1", "case_01 T1CE", "case_02 FLAIR"),
        ("sub-01_T1w", "sub-01_ce-gd_T1w", "sub-02_FLAIR"),
        ("T1_2019-03-01", "T1CE_20190301", "FLAIR_2021-04-05"),
        ("T1 Anna", "T1CE Anna", "FLAIR Bert"),
        ("t1 baseline", "t1ce baseline", "flair follow-up"),
        ("001_t1", "001_t1ce", "002_flair"),
        ("T1_4711008", "T1CE_4711008", "FLAIR_4711009"),
        ("ses-1 t1", "ses-1 t1ce", "ses-2 flair"),
    ],
)
def test_scans_of_two_patients_or_times_are_never_mixed(scene, mixed):
    load(scene, *mixed)
    found = guessScans()
    assert names(found) == {"T1": mixed[0], "T1CE": mixed[1]}
    assert len(found.studies) == 2


@pytest.mark.parametrize(
    "together",
    [
        ("1_T1", "2_T1_KM", "3_FLAIR"),
        ("T1 sag MPRAGE", "T1 sag MPRAGE KM", "FLAIR SPACE iso"),
        ("Meier t1", "Meier t1ce", "Meier flair"),
        ("Brats18_CBICA_AME_1_t1", "Brats18_CBICA_AME_1_t1ce", "Brats18_CBICA_AME_1_flair"),
        ("T1_20190301_101010", "T1CE_20190301_104510", "FLAIR_20190301_103055"),
        ("sub-01_T1w", "sub-01_ce-gd_T1w", "sub-01_FLAIR"),
        ("pat 3 T1", "patient_03_T1CE", "Patient 3 FLAIR"),
    ],
)
def test_scans_that_belong_together_are_found_together(scene, together):
    load(scene, *together)
    assert list(guessScans().chosen.values()) == [
        scene.GetFirstNodeByName(name) for name in together
    ]


def test_files_of_two_patients_in_folders_of_their_own_are_not_mixed(scene):
    load(scene, "t1", "t1ce", folder="/data/Anna")
    load(scene, "FLAIR", folder="/data/Bert")
    found = guessScans()
    assert names(found) == {"T1": "t1", "T1CE": "t1ce"}


def test_of_two_patients_the_one_that_is_shown_is_taken(scene):
    load(scene, "Anna_t1", "Anna_t1ce", "Anna_flair")
    *_, bert = load(scene, "Bert_t1", "Bert_t1ce", "Bert_flair")
    show(scene, bert)
    found = guessScans()
    assert names(found) == {"T1": "Bert_t1", "T1CE": "Bert_t1ce", "FLAIR": "Bert_flair"}
    assert found.study == "Bert"


def test_the_active_volume_counts_before_the_one_that_is_shown(scene):
    anna = load(scene, "Anna_t1", "Anna_t1ce", "Anna_flair")
    bert = load(scene, "Bert_t1", "Bert_t1ce", "Bert_flair")
    show(scene, bert[0])
    scene.GetFirstNodeByClass("vtkMRMLSelectionNode").SetActiveVolumeID(anna[0].GetID())
    assert guessScans().study == "Anna"


def test_of_two_patients_of_whom_none_is_shown_nothing_is_chosen(scene):
    load(scene, "Anna_t1", "Anna_t1ce", "Anna_flair", "Bert_t1", "Bert_t1ce", "Bert_flair")
    found = guessScans()
    assert found.chosen == {}
    assert found.studies == ("Anna", "Bert")
    assert "(Anna; Bert)" in found.reasons[T1CE]
    assert names(guessScans(found.studies[1]))["T1CE"] == "Bert_t1ce"


def test_two_patients_without_words_of_their_own_still_get_different_titles(scene):
    one = load(scene, "t1ce", "flair")
    two = load(scene, "t1ce", "flair")
    put_into_study(scene, "Unknown", "MR head", one)
    put_into_study(scene, "Unknown", "MR head", two)
    found = guessScans()
    assert len(set(found.studies)) == 2
    assert guessScans(found.studies[1]).chosen[T1CE] is two[0]


def test_studies_of_the_subject_hierarchy_are_not_mixed(scene):
    early = load(scene, "T1", "T1 KM", "FLAIR")
    late = load(scene, "T1", "T1 KM", "FLAIR")
    put_into_study(scene, "Meier", "2019", early)
    put_into_study(scene, "Meier", "2021", late)
    show(scene, late[2])
    found = guessScans()
    assert list(found.chosen.values()) == late
    assert found.study == "Meier – 2021"


def test_a_loose_volume_is_not_added_to_a_study(scene):
    inside = load(scene, "T1", "T1 KM")
    load(scene, "FLAIR")
    put_into_study(scene, "Meier", "2019", inside)
    found = guessScans()
    assert found.chosen == {T1: inside[0], T1CE: inside[1]}


def test_what_is_shown_but_no_scan_does_not_decide(scene):
    load(scene, "Anna_t1", "Anna_t1ce", "Anna_flair")
    (atlas,) = load(scene, "Atlas")
    show(scene, atlas)
    assert len(guessScans().chosen) == 3


# DICOM headers


class Database:
    """What is asked of Slicer's DICOM database, answered from the files themselves."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def fileForInstance(self, uid):  # noqa: N802
        return str(self.files.get(uid, ""))

    def instanceValue(self, uid, tag):  # noqa: N802
        import pydicom

        group, element = (int(part, 16) for part in tag.split(","))
        element = pydicom.dcmread(self.files[uid], stop_before_pixels=True).get((group, element))
        if element is None:
            return ""
        value = element.value
        return "\\".join(map(str, value)) if element.VM > 1 else str(value)


@pytest.fixture
def database(monkeypatch):
    pytest.importorskip("pydicom")
    import slicer

    made = Database()
    monkeypatch.setattr(slicer, "dicomDatabase", made, raising=False)
    return made


def load_dicom(scene, database, folder, number, kind, examination, name=None, **attributes):
    """A series as the DICOM module loads it."""
    import pydicom

    image = dicom_head(size=(20, 22, 24), spacing=(9.0, 9.0, 6.0), seed=number)
    files = write_series(
        folder / str(number), image, number, kind=kind, examination=examination, **attributes
    )
    headers = [pydicom.dcmread(file) for file in files]
    database.files |= {h.SOPInstanceUID: f for h, f in zip(headers, files, strict=True)}
    matrix = np.diag([-9.0, -9.0, 6.0, 1.0])
    matrix[:3, 3] = np.array(image.GetOrigin()) * (-1, -1, 1)
    node = add_volume(
        scene, name or f"{number}: {headers[0].SeriesDescription}", sitk.GetArrayFromImage(image)
    )
    from mrml_nodes import vtk_matrix

    node.SetIJKToRASMatrix(vtk_matrix(matrix))
    node.SetAttribute("DICOM.instanceUIDs", " ".join(h.SOPInstanceUID for h in headers))
    return node


def test_headers_tell_what_names_hide(scene, database, tmp_path):
    study = Examination()
    kinds = ("t1", "flair", "t2", "t1ce", "dwi")
    nodes = {
        kind: load_dicom(scene, database, tmp_path, n, kind, study, name=f"{n}: brain")
        for n, kind in enumerate(kinds, 1)
    }
    found = guessScans()
    assert found.chosen == {T1: nodes["t1"], T1CE: nodes["t1ce"], FLAIR: nodes["flair"]}
    assert "Gadovist" in found.reasons[T1CE]


def test_the_order_of_acquisition_tells_where_the_header_is_silent(scene, database, tmp_path):
    study = Examination(description="MRT Kopf mit KM")
    plain = {"SeriesDescription": "t1_se_tra"}
    first = load_dicom(scene, database, tmp_path, 2, "t1", study, **plain)
    load_dicom(scene, database, tmp_path, 3, "flair", study)
    second = load_dicom(scene, database, tmp_path, 4, "t1", study, **plain)
    found = guessScans()
    assert found.chosen[T1] is first
    assert found.chosen[T1CE] is second
    assert "minutes after series 2" in found.reasons[T1CE]


def test_two_dicom_studies_of_one_patient_are_not_mixed(scene, database, tmp_path):
    early, late = Examination(date="20190301"), Examination(date="20210405")
    load_dicom(scene, database, tmp_path / "a", 1, "t1", early)
    load_dicom(scene, database, tmp_path / "a", 2, "flair", early)
    enhanced = load_dicom(scene, database, tmp_path / "b", 3, "t1ce", late)
    found = guessScans()
    assert found.chosen == {T1CE: enhanced}
    assert len(found.studies) == 2


def test_a_name_given_by_a_person_is_heard_beside_the_header(scene, database, tmp_path):
    study = Examination()
    plain = {"SeriesDescription": "t1_se_tra"}
    load_dicom(scene, database, tmp_path, 1, "t1", study, **plain)
    renamed = load_dicom(scene, database, tmp_path, 2, "t1", study, name="T1 nach KM", **plain)
    assert guessScans().chosen[T1CE] is renamed


def test_the_database_answers_where_pydicom_cannot_read(scene, database, tmp_path, monkeypatch):
    import BrainTumorSegLib.slicer_app.scene.scene_scans as scene_scans

    def unreadable(path):
        raise ValueError("damaged")

    monkeypatch.setattr(scene_scans, "read_frames", unreadable)
    node = load_dicom(scene, database, tmp_path, 1, "t1ce", Examination(), name="1: brain")
    assert guessScans().chosen == {T1CE: node}
    assert "Gadovist" in impressionOf(node, T1).reason


def test_without_a_database_names_must_do(scene, database, tmp_path, monkeypatch):
    import slicer

    node = load_dicom(scene, database, tmp_path, 1, "t1ce", Examination())
    monkeypatch.setattr(slicer, "dicomDatabase", None)
    assert guessScans().chosen == {T1CE: node}
    assert "the name says" in guessScans().reasons[T1CE]


def test_a_database_that_lost_the_files_is_like_none(scene, database, tmp_path):
    node = load_dicom(scene, database, tmp_path, 1, "t1ce", Examination())
    database.files.clear()
    database.instanceValue = lambda uid, tag: ""
    assert guessScans().chosen == {T1CE: node}


def test_the_reason_for_a_single_node_is_a_sentence(scene):
    (node,) = load(scene, "3: t1_mprage_sag_KM")
    assert impressionOf(node, T1).reason == "T1CE: the name says “t1” and “km”."
    (other,) = load(scene, "Tensor")
    assert "diffusion" in impressionOf(other, T1).reason


def test_missing_modules_of_the_application_do_not_matter(scene, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "modules", SimpleNamespace())
    load(scene, "t1", "t1ce", "flair")
    assert len(guessScans().chosen) == 3
