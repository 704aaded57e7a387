"""A scene that is saved without identity: nothing in it names the patient, and all of it opens."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_results import correct
from mrml_run import add_scans, finish_run
from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.slicer_app.export.identity import Known, clean_bundle, is_neutral
from BrainTumorSegLib.slicer_app.export.without_identity import saveWithoutIdentity
from BrainTumorSegLib.slicer_app.run.result import importResult
from BrainTumorSegLib.slicer_app.scene.provenance import reportOf, scanRole

NAME, NUMBER, BORN = "Иванов^Иван^Petrovich", "MRN-774411", "19610203"

#: In any file of the scene these would tell who it is.
TELLING = ("Иванов", "Ivanov", "Petrovich", "774411", "19610203", "1961-02-03", "1.2.840.99")


@pytest.fixture
def patient(scene, tmp_path):
    """A result of scans that came from DICOM, with names in every place where Slicer has them."""
    import slicer

    settings = add_scans(scene)
    scan = settings.t1ce
    scan.SetName("Иванов Иван T1 KM")
    finish_run(tmp_path / "run", settings)
    result = importResult(tmp_path / "run", settings)
    scan.SetAttribute("DICOM.instanceUIDs", "1.2.840.99.1 1.2.840.99.2")
    scan.SetDescription("Иванов, scanned on Monday")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    person = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), f"{NAME} ({NUMBER})")
    for key, value in (("PatientName", NAME), ("PatientID", NUMBER), ("PatientBirthDate", BORN)):
        hierarchy.SetItemAttribute(person, f"DICOM.{key}", value)
    hierarchy.SetItemUID(person, "DICOM", NUMBER)
    study = hierarchy.CreateStudyItem(person, "Brain of Ivanov (20240102)")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(scan), study)
    hierarchy.SetItemUID(hierarchy.GetItemByDataNode(scan), "DICOM", "1.2.840.99")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storage)
    storage.SetFileName("/data/Ivanov Ivan/Ivanov_t1c.nii.gz")
    scan.SetAndObserveStorageNodeID(storage.GetID())
    text = slicer.vtkMRMLTextNode()
    scene.AddNode(text)
    text.SetName("Letter of Ivanov")
    text.SetText(f"/data/Ivanov Ivan/x.txt of {NAME}, born 03.02.1961 (1961-02-03), {NUMBER}")
    return result, settings


def contents(path):
    """Everything of the archive that can be read, and the names of its files."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            yield name, content.partition(b"\n\n")[0] if name.endswith(".nrrd") else content


def test_nothing_in_a_scene_saved_without_identity_names_the_patient(patient, tmp_path):
    path = tmp_path / "scene.mrb"
    saveWithoutIdentity(path)
    found = dict(contents(path))
    assert sum(name.endswith(".nrrd") for name in found) == 6
    for name, content in found.items():
        text = name + content.decode("utf-8", "replace")
        for word in TELLING:
            assert word.lower() not in text.lower(), (name, word)
        assert not any(t in text for t in ("DICOM.", "DICOM^", "/data/")), name


def test_the_scene_itself_is_not_changed_by_saving_it_without_identity(patient, scene, tmp_path):
    result, _ = patient
    before, url = snapshot(scene), scene.GetURL()
    assert result.segmentationNode.GetModifiedSinceRead()
    saveWithoutIdentity(tmp_path / "scene.mrb")
    assert snapshot(scene) == before and scene.GetURL() == url
    # It still asks to be saved when the application is closed.
    assert result.segmentationNode.GetModifiedSinceRead()


def test_a_scene_saved_without_identity_opens_with_its_result_and_report(patient, tmp_path):
    from mrml_scene import make_scene

    result, settings = patient
    import slicer

    correct(result.segmentationNode, settings.t1ce)
    voxels = slicer.util.arrayFromVolume(settings.t1ce).copy()
    saveWithoutIdentity(tmp_path / "scene.mrb")
    with make_scene() as opened:
        # Without the application's cache a scene is read from its folder.
        with zipfile.ZipFile(tmp_path / "scene.mrb") as archive:
            archive.extractall(tmp_path / "opened")
        opened.SetRootDirectory(str(tmp_path / "opened" / "scene"))
        opened.SetURL(str(tmp_path / "opened" / "scene" / "scene.mrml"))
        assert opened.Import()
        nodes = opened.GetNodesByClass("vtkMRMLSegmentationNode")
        nodes.UnRegister(None)
        (node,) = [
            n
            for n in map(nodes.GetItemAsObject, range(nodes.GetNumberOfItems()))
            if n.GetAttribute("BrainTumorSeg.Pack")
        ]
        assert node.GetSegmentation().GetNumberOfSegments() == 4
        report = reportOf(node)
        assert report["case"]["reference"] == "t1ce"
        from BrainTumorSegLib.core.sequences import Sequence

        scan = node.GetNodeReference(scanRole(Sequence.T1CE))
        assert scan.GetName() == "T1CE 1"
        assert report["case"]["inputs"][1]["source"] == "T1CE 1"
        assert np.array_equal(slicer.util.arrayFromVolume(scan), voxels)


def test_a_scene_in_which_something_still_names_the_patient_is_not_written(patient, tmp_path):
    saveWithoutIdentity(tmp_path / "first.mrb")
    known = Known()
    known.words.add("edema")
    bundle = tmp_path / "bundle"
    with zipfile.ZipFile(tmp_path / "first.mrb") as archive:
        archive.extractall(bundle)
    (segmentation,) = (bundle / "scene" / "Data").glob("Segmentation*.nrrd")
    segmentation.write_bytes(b"space: edema\n" + segmentation.read_bytes())
    with pytest.raises(OutputError, match="still names the patient"):
        clean_bundle(bundle / "scene", known)


def test_an_existing_file_and_another_ending_are_refused(patient, tmp_path):
    path = tmp_path / "scene.mrb"
    path.touch()
    with pytest.raises(OutputError):
        saveWithoutIdentity(path)
    with pytest.raises(OutputError, match=re.escape(".mrb")):
        saveWithoutIdentity(tmp_path / "scene.mrml")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["scene.mrb"]


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        ("T1 KM", True),
        ("3: t1_mprage_tra", True),
        ("T1CE tumour (automatic)", True),
        ("T1_AX_POST_GAD", True),
        ("Ivanov T1", False),
        ("Иванов", False),
        ("774411 FLAIR", False),
    ],
)
def test_names_of_sequences_and_tissues_stay_and_others_are_replaced(name, neutral):
    assert is_neutral(name) is neutral
