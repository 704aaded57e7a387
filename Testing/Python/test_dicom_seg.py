"""DICOM Segmentation objects, read back with highdicom and with pydicom alone."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_checks import read_dicom_seg

from BrainTumorSegLib import __version__
from BrainTumorSegLib.core.errors import DependencyError, InputError, OutputError
from BrainTumorSegLib.core.tissue import ANATOMY, CATEGORY, STYLES, TUMOR_TISSUES, Tissue
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.seg import preflight, write_dicom_seg
from BrainTumorSegLib.io.dicom.study import read_study

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")
highdicom = pytest.importorskip("highdicom", reason="DICOM needs the extra 'dicom'")

from dicom_factory import Examination, head, rotation, write_enhanced, write_series  # noqa: E402

SIZE, SPACING = (20, 24, 12), (10.0, 9.0, 12.0)

ORIENTATIONS = {
    "axial": np.eye(3),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float),
    "oblique": rotation(12, -25, 8),
    "upside down, oblique": rotation(170, 10, 30),
}


def labels_on(image: sitk.Image, tissues=TUMOR_TISSUES, seed: int = 0) -> sitk.Image:
    """Random labels in a lopsided box, so that no flip or swap of axes goes unseen."""
    values = np.zeros(image.GetSize()[::-1], np.uint8)
    choice = np.array([0, *tissues], np.uint8)
    values[2:9, 3:20, 5:17] = np.random.default_rng(seed).choice(choice, (7, 17, 12))
    values[2:4, 3:6, 5:6] = tissues[0] if tissues else 0
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    return labels


def assert_equal(found: sitk.Image, expected: sitk.Image) -> None:
    assert found.GetSize() == expected.GetSize()
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(expected)
    )


def segment_points(path, tissue: Tissue) -> set[tuple[float, ...]]:
    """Positions (LPS, mm, rounded) of a segment's voxels, by pydicom and the standard alone."""
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array
    shared = dataset.SharedFunctionalGroupsSequence[0]
    cosines = [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
    between_rows, between_columns = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    points = set()
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber != tissue:
            continue
        corner = np.array([float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient])
        for row, column in np.argwhere(frame):
            point = (
                corner
                + column * between_columns * np.array(cosines[:3])
                + row * between_rows * np.array(cosines[3:])
            )
            points.add(tuple(np.round(point, 2) + 0.0))
    return points


def image_points(labels: sitk.Image, tissue: Tissue) -> set[tuple[float, ...]]:
    values = sitk.GetArrayViewFromImage(labels)
    indices = np.argwhere(values == tissue)[:, ::-1].tolist()
    return {
        tuple(np.round(labels.TransformIndexToPhysicalPoint(index), 2) + 0.0) for index in indices
    }


def test_warnings_become_image_comments_in_any_script(tmp_path):
    image = head(SIZE, SPACING, ORIENTATIONS["axial"])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    told = ["T1 “größer” ist vertauscht?", "BRAINSFit \\ 見つからない"]
    write_dicom_seg(labels_on(image), files, tmp_path / "seg.dcm", warnings=told)
    header = pydicom.dcmread(tmp_path / "seg.dcm")
    assert header.ImageComments.splitlines() == told
    write_dicom_seg(labels_on(image), files, tmp_path / "long.dcm", warnings=["x" * 20000])
    assert len(pydicom.dcmread(tmp_path / "long.dcm").ImageComments) == 10240


@pytest.mark.parametrize("order", ["ascending", "interleaved"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_voxel_comes_back_at_its_place(tmp_path, orientation, order):
    image = head(SIZE, SPACING, ORIENTATIONS[orientation])
    files = write_series(tmp_path / "mr", image, 3, "t1ce", order=order)
    (series,) = read_study(tmp_path / "mr").series
    labels = labels_on(read_series_image(series))
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)
    for tissue in TUMOR_TISSUES:
        assert segment_points(tmp_path / "seg.dcm", tissue) == image_points(labels, tissue)


@pytest.mark.parametrize("orientation", ["left-handed", "feet first", "oblique"])
def test_labels_with_other_axes_on_the_same_voxels_are_turned(tmp_path, orientation):
    """For example labels made on a NIfTI copy of the series."""
    image = head(SIZE, SPACING, ORIENTATIONS[orientation])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = sitk.PermuteAxes(sitk.Flip(labels_on(image), [True, False, True]), [2, 0, 1])
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)
    for tissue in TUMOR_TISSUES:
        assert segment_points(tmp_path / "seg.dcm", tissue) == image_points(labels, tissue)


@pytest.mark.parametrize("order", ["ascending", "interleaved"])
def test_an_enhanced_object_as_reference_works(tmp_path, order):
    image = head(SIZE, SPACING, ORIENTATIONS["oblique"])
    path = write_enhanced(tmp_path / "e.dcm", image, 3, order=order)
    labels = labels_on(image)
    write_dicom_seg(labels, [path], tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)
    assert segment_points(tmp_path / "seg.dcm", Tissue.EDEMA) == image_points(labels, Tissue.EDEMA)


def test_the_real_scan_takes_a_segmentation(tmp_path, real_data):
    image = sitk.ReadImage(str(real_data / "clinical" / "TCGA-FG-6692" / "T1_AX_POST_GAD.nii.gz"))
    files = write_series(tmp_path / "mr", image, 6, "t1ce", order="descending")
    labels = labels_on(image)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm", pack="glioma-lite")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)


@pytest.mark.parametrize(
    "tissues",
    [
        (Tissue.EDEMA,),
        (Tissue.ENHANCING,),
        (Tissue.NECROSIS, Tissue.EDEMA, Tissue.ENHANCING),
        (),
    ],
)
def test_absent_tissues_are_empty_segments_that_have_frames(tmp_path, tissues):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = labels_on(image, tissues)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert [s.SegmentNumber for s in dataset.SegmentSequence] == [1, 2, 3, 4]
    numbers = [
        g.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for g in dataset.PerFrameFunctionalGroupsSequence
    ]
    assert set(numbers) == {1, 2, 3, 4}


def test_a_tumour_in_a_single_slice_comes_back(tmp_path):
    image = head(SIZE, SPACING, ORIENTATIONS["oblique"])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    values = np.zeros(SIZE[::-1], np.uint8)
    values[5, 3:7, 4] = [1, 2, 3, 4]
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)


def test_codes_colours_algorithm_and_references_are_right(tmp_path):
    image, examination = head(SIZE, SPACING), Examination()
    files = write_series(tmp_path / "mr", image, 7, "t1ce", examination)
    write_dicom_seg(labels_on(image), files, tmp_path / "seg.dcm", pack="glioma-lite")
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    source = pydicom.dcmread(files[0])
    assert dataset.Modality == "SEG"
    assert dataset.SegmentationType == "BINARY"
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert dataset[keyword].value == source[keyword].value
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
    assert dataset.SeriesNumber == 701
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert len(series.ReferencedInstanceSequence) == len(files)
    tracking = set()
    for segment in dataset.SegmentSequence:
        style = STYLES[Tissue(segment.SegmentNumber)]
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodingSchemeDesignator, kind.CodeValue, kind.CodeMeaning) == (
            style.code.scheme,
            style.code.value,
            style.code.meaning,
        )
        category = segment.SegmentedPropertyCategoryCodeSequence[0]
        assert (category.CodingSchemeDesignator, category.CodeValue) == ("SCT", CATEGORY.value)
        assert segment.AnatomicRegionSequence[0].CodeValue == ANATOMY.value
        assert segment.SegmentLabel == style.title
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmVersion == __version__
        assert "glioma-lite" in algorithm.AlgorithmParameters
        lab = highdicom.color.CIELabColor(*_lab(segment.RecommendedDisplayCIELabValue))
        assert np.abs(np.array(lab.to_rgb()) - style.color).max() <= 2
        tracking.add(segment.TrackingUID)
        assert segment.TrackingID
    assert len(tracking) == 4


def _lab(value) -> tuple[float, float, float]:
    """From the 16-bit encoding of DICOM PS3.3, C.10.7.1.1."""
    lightness, a, b = (v / 65535 for v in value)
    return 100 * lightness, 255 * a - 128, 255 * b - 128


def test_a_corrected_result_is_semiautomatic(tmp_path):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 7, "t1ce")
    write_dicom_seg(labels_on(image), files, tmp_path / "seg.dcm", corrected=True)
    segment = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.SetOrigin([v + 3 for v in image.GetOrigin()]),
        lambda image: image.SetSpacing((10.0, 9.0, 11.0)),
        lambda image: image.SetDirection(rotation(0, 0, 5).ravel().tolist()),
    ],
    ids=["origin", "spacing", "direction"],
)
def test_labels_on_another_grid_are_refused(tmp_path, change):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 7, "t1ce")
    labels = labels_on(image)
    change(labels)
    with pytest.raises(InputError, match="do not lie on the grid") as error:
        write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert "20x24x12 voxels" in str(error.value)
    assert not (tmp_path / "seg.dcm").exists()


def test_labels_that_cover_only_a_part_of_the_series_are_refused(tmp_path):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 7, "t1ce")
    with pytest.raises(InputError, match="do not lie on the grid"):
        write_dicom_seg(labels_on(image)[:, :, 1:], files, tmp_path / "seg.dcm")


def test_unknown_label_values_are_refused(tmp_path):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 7, "t1ce")
    labels = labels_on(image)
    labels[0, 0, 0] = 7
    with pytest.raises(InputError, match=r"\[7\]"):
        write_dicom_seg(labels, files, tmp_path / "seg.dcm")


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 7, "t1ce")
    target = tmp_path / "seg.dcm"
    target.write_text("precious")
    with pytest.raises(OutputError):
        write_dicom_seg(labels_on(image), files, target)
    assert target.read_text() == "precious"
    write_dicom_seg(labels_on(image), files, target, overwrite=True)
    assert pydicom.dcmread(target).Modality == "SEG"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mr", "seg.dcm"]


# What a reference must have


def test_a_good_series_has_nothing_missing(tmp_path):
    assert preflight(write_series(tmp_path, head(SIZE, SPACING), 3)) == []


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_preflight_names_the_attribute_that_is_missing(tmp_path, keyword):
    files = write_series(tmp_path, head(SIZE, SPACING), 3)
    for file in files:
        dataset = pydicom.dcmread(file)
        delattr(dataset, keyword)
        dataset.save_as(file)
    missing = preflight(files)
    assert missing[0] == f"{files[0].name} lacks {keyword}"
    assert missing[-1] == "9 more files lack attributes"
    labels = labels_on(head(SIZE, SPACING))
    with pytest.raises(InputError, match=keyword):
        write_dicom_seg(labels, files, tmp_path / "seg.dcm")


def test_preflight_names_missing_slices_and_positions(tmp_path):
    image = head(SIZE, SPACING)
    (gap,) = preflight(write_series(tmp_path / "gap", image, 3, skip=(4,)))
    assert "1 slice is missing" in gap
    (nowhere,) = preflight(write_series(tmp_path / "a", image, 3, ImagePositionPatient=None)[:1])
    assert "single slice" in nowhere


def test_preflight_names_a_mixture_of_series(tmp_path):
    image, examination = head(SIZE, SPACING), Examination()
    files = write_series(tmp_path / "a", image, 3, "t1", examination)
    files += write_series(tmp_path / "b", image, 4, "t1ce", examination)
    (problem,) = preflight(files)
    assert "2 volumes (series 3 (t1_se_tra), series 4 (t1_se_tra_KM))" in problem


def test_preflight_survives_files_that_are_no_dicom(tmp_path):
    assert preflight([]) == ["no DICOM file of the reference series was given"]
    (tmp_path / "a.txt").write_text("x" * 500)
    assert preflight([tmp_path / "a.txt"])
    assert "cannot be read" in preflight([tmp_path / "missing.dcm"])[0]


def test_a_de_identified_series_without_names_and_dates_is_enough(tmp_path):
    image = head(SIZE, SPACING)
    emptied = dict.fromkeys(
        ["PatientName", "PatientBirthDate", "StudyID", "AccessionNumber", "StudyTime"], None
    )
    files = write_series(tmp_path / "mr", image, 3, "t1ce", **emptied)
    for file in files:
        dataset = pydicom.dcmread(file)
        dataset.PatientSex = "U"
        del dataset.ReferringPhysicianName
        dataset.save_as(file)
    assert preflight(files) == []
    labels = labels_on(image)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)


@pytest.mark.parametrize("thickness", ["absent", "empty", "zero"])
def test_without_a_slice_thickness_the_distance_of_the_slices_stands_for_it(tmp_path, thickness):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    for file in files:
        dataset = pydicom.dcmread(file)
        if thickness == "absent":
            del dataset.SliceThickness
        else:
            dataset.SliceThickness = {"empty": None, "zero": 0}[thickness]
        dataset.save_as(file)
    assert preflight(files) == []
    labels = labels_on(image)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)
    shared = pydicom.dcmread(tmp_path / "seg.dcm").SharedFunctionalGroupsSequence[0]
    assert float(shared.PixelMeasuresSequence[0].SliceThickness) == SPACING[2]


@pytest.mark.parametrize(
    "attributes",
    [
        {"LossyImageCompression": "01"},
        {"PatientName": "a single long name without any carets" * 3},
        {"PositionReferenceIndicator": None},
        {"AccessionNumber": "A" * 30},
        {"StudyTime": "noon"},
    ],
)
def test_what_preflight_accepts_can_be_written(tmp_path, attributes):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 3, "t1ce", **attributes)
    assert preflight(files) == []
    labels = labels_on(image)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm")
    assert_equal(read_dicom_seg(tmp_path / "seg.dcm", labels), labels)


def test_what_the_writer_cannot_do_is_told_by_preflight(tmp_path, monkeypatch):
    files = write_series(tmp_path / "mr", head(SIZE, SPACING), 3, "t1ce")

    def fail(*_, **__):
        raise LookupError("an attribute that nobody thought of")

    monkeypatch.setattr(highdicom.seg, "Segmentation", fail)
    (missing,) = preflight(files)
    assert "an attribute that nobody thought of" in missing and "series 3" in missing


def test_a_series_identifier_for_every_slice_is_told_by_preflight(tmp_path):
    files = write_series(tmp_path / "mr", head(SIZE, SPACING), 3, "t1ce")
    for file in files:
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = pydicom.uid.generate_uid()
        dataset.save_as(file)
    (missing,) = preflight(files)
    assert "SeriesInstanceUID of its own" in missing


def test_a_missing_highdicom_is_reported_with_the_extra_to_install(tmp_path, monkeypatch):
    image = head(SIZE, SPACING)
    files = write_series(tmp_path / "mr", image, 3)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert "BrainTumorSeg[dicom]" in preflight(files)[0]
    with pytest.raises(DependencyError, match="highdicom"):
        write_dicom_seg(labels_on(image), files, tmp_path / "seg.dcm")
