"""What a case must hold, and the mistakes people make when they put one together."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.case import (
    MAX_VOXELS,
    Case,
    Scan,
    check_scan,
    make_case,
    physical_bounds,
)
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.volumes import read_scan, write_image

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR


def head(seed=0, size=(80, 92, 30), spacing=(2.0, 2.0, 5.0), origin=(-80.0, -90.0, -70.0)):
    values = np.random.default_rng(seed).integers(0, 500, size[::-1]).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def scan(seed=0, name=None, dicom=None, **grid):
    return Scan(head(seed, **grid), name or f"scan{seed}.nii.gz", dicom=dicom or {})


def scans(**changes):
    """Three different scans of one head; ``changes`` replace some."""
    made = {T1: scan(1, "t1.nii"), T1CE: scan(2, "t1ce.nii"), FLAIR: scan(3, "flair.nii")}
    return made | {Sequence[name]: value for name, value in changes.items()}


def refused(given, reference=T1CE):
    with pytest.raises(InputError) as caught:
        make_case("case-1", given, reference)
    assert caught.value.remedy
    return caught.value


def test_three_scans_of_one_head_make_a_case_without_warnings():
    case = make_case("case-1", scans())
    assert case.warnings == ()
    assert case.reference_scan.source == "t1ce.nii"


def test_the_contrast_scan_cannot_be_missing():
    given = scans()
    del given[T1CE]
    error = refused(given, reference=T1)
    assert "no contrast-enhanced T1" in error.message
    assert "cannot be done without" in error.remedy
    assert "no contrast-enhanced T1" in refused({}).message


@pytest.mark.parametrize("missing", [T1, FLAIR])
def test_a_missing_t1_or_flair_is_a_warning(missing):
    given = scans()
    del given[missing]
    (warning,) = make_case("case-1", given).warnings
    assert missing.name in warning


def test_the_reference_must_be_among_the_scans():
    given = scans()
    del given[FLAIR]
    error = refused(given, reference=FLAIR)
    assert "reference FLAIR of case 'case-1' was not given" in error.message
    assert "T1, T1CE" in error.remedy


def test_one_file_given_twice_is_found_by_its_hash(tmp_path):
    path, copy = tmp_path / "t1.nii.gz", tmp_path / "copy.nii.gz"
    write_image(head(), path)
    copy.write_bytes(path.read_bytes())
    for second in (path, copy):
        with pytest.raises(InputError) as caught:
            load_case({T1: path, T1CE: second})
        assert "same scan" in caught.value.message
        assert str(path) in caught.value.message
        assert str(second) in caught.value.message


def test_one_image_in_two_formats_is_found_by_its_voxels(tmp_path):
    first, second = tmp_path / "t1.nii.gz", tmp_path / "t1ce.nrrd"
    write_image(head(), first)
    write_image(head(), second)
    assert read_scan(first).sha256 != read_scan(second).sha256
    with pytest.raises(InputError, match=r"T1 \(.*t1\.nii\.gz\) and T1CE \(.*t1ce\.nrrd\) are"):
        load_case({T1: first, T1CE: second})


def test_a_scan_that_differs_in_one_voxel_is_the_same_scan():
    image = head(2)
    image[0, 0, 0] = int(image[0, 0, 0]) + 1
    error = refused({T1CE: scan(2), T1: Scan(image, "almost.nii")})
    assert "are the same scan" in error.message


def test_scans_of_different_patients_are_refused():
    given = scans(
        T1=scan(1, "a.dcm", {"PatientID": "P1"}), T1CE=scan(2, "b.dcm", {"PatientID": "P2"})
    )
    error = refused(given)
    assert "different patients" in error.message
    assert "a.dcm" in error.message
    assert "P1" not in str(error)


def test_scans_of_one_patient_and_scans_without_name_make_a_case():
    named = {"PatientID": "P1"}
    make_case("case-1", scans(T1=scan(1, dicom=named), T1CE=scan(2, dicom=named)))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1, 1])
def test_scans_of_different_body_parts_do_not_overlap(axis, side):
    origin = np.array([-80.0, -90.0, -70.0])
    origin[axis] += side * 0.8 * (160, 184, 150)[axis]
    error = refused(scans(FLAIR=scan(3, "spine.nii", origin=origin.tolist())))
    assert "FLAIR (spine.nii) and T1CE (t1ce.nii) hardly overlap" in error.message
    assert "same patient's head" in error.remedy


def test_headers_that_disagree_by_centimetres_are_left_to_registration():
    make_case("case-1", scans(FLAIR=scan(3, origin=(-40.0, -50.0, -40.0))))


def test_the_real_study_whose_flair_is_displaced_is_accepted(real_data):
    folder = real_data / "clinical" / "TCGA-FG-6692"
    names = {T1: "T1_AX", T1CE: "T1_AX_POST_GAD", FLAIR: "FLAIR_AX"}
    case = load_case({s: folder / f"{name}.nii.gz" for s, name in names.items()})
    assert case.warnings == ()


def test_real_scans_of_two_patients_on_one_grid_cannot_be_told_apart_by_geometry(real_data):
    """Only DICOM names the patient; the report names every file, so that a person can tell."""
    first, second = sorted((real_data / "brats").iterdir())[:2]
    case = load_case(
        {
            T1: first / f"{first.name}_t1.nii.gz",
            T1CE: second / f"{second.name}_t1ce.nii.gz",
        }
    )
    assert {s.source for s in case.scans.values()} == {
        str(first / f"{first.name}_t1.nii.gz"),
        str(second / f"{second.name}_t1ce.nii.gz"),
    }


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (sitk.JoinSeries([head(0), head(1)]), "4 dimensions"),
        (sitk.Image(64, 64, sitk.sitkInt16), "2 dimensions"),
        (sitk.Image([40, 46, 30], sitk.sitkVectorUInt8, 3), "3 values a voxel"),
        (head(size=(64, 64, 4)), r"only 4 slice\(s\)"),
        (head(spacing=(0.1, 0.1, 0.1)), "cannot be a head"),
        (head(spacing=(40, 40, 50)), "cannot be a head"),
        (sitk.Cast(head(), sitk.sitkFloat32) / 0, "NaN or infinite"),
        (head() * 0 + 3, "same value 3 everywhere"),
        (sitk.Cast(head(), sitk.sitkComplexFloat32), "complex"),
    ],
    ids=["4D", "2D", "colour", "thin", "tiny", "giant", "infinite", "constant", "complex"],
)
def test_a_scan_that_cannot_be_a_head_is_refused_by_name(image, told):
    given = Scan(image, "odd.nii")
    with pytest.raises(InputError, match=f"T1CE scan odd.nii.*{told}") as caught:
        check_scan(given, T1CE)
    assert caught.value.remedy


def test_a_huge_scan_is_refused_without_looking_at_its_voxels(monkeypatch):
    class Huge:
        def GetDimension(self):  # noqa: N802
            return 3

        def GetNumberOfComponentsPerPixel(self):  # noqa: N802
            return 1

        def GetSize(self):  # noqa: N802
            return (2048, 2048, 1024)

    assert np.prod(Huge().GetSize()) > MAX_VOXELS
    with pytest.raises(InputError, match=r"too large \(2048x2048x1024"):
        check_scan(Scan(Huge(), "huge.nii"), T1CE)


def test_five_slices_are_enough():
    check_scan(scan(size=(64, 64, 5), spacing=(3.0, 3.0, 20.0)), T1CE)


def test_images_of_a_case_can_be_replaced_and_the_case_itself_stays():
    case = make_case("case-1", scans())
    moved = head(9)
    changed = case.with_images({FLAIR: moved})
    assert isinstance(changed, Case)
    assert changed.scans[FLAIR].image is moved
    assert changed.scans[FLAIR].source == "flair.nii"
    assert changed.scans[T1].image is case.scans[T1].image
    assert case.scans[FLAIR].image is not moved


def test_bounds_of_a_tilted_scan_hold_all_its_corners():
    image = head()
    rotation = sitk.Euler3DTransform()
    rotation.SetRotation(0.4, -0.3, 0.8)
    image.SetDirection(rotation.GetMatrix())
    low, high = physical_bounds(image)
    for index in np.ndindex(2, 2, 2):
        corner = [int(i) * (n - 1) for i, n in zip(index, image.GetSize(), strict=True)]
        point = np.array(image.TransformIndexToPhysicalPoint(corner))
        assert (point > low).all()
        assert (point < high).all()
    upright = head()
    low, high = physical_bounds(upright)
    np.testing.assert_allclose(high - low, (160, 184, 150))
    np.testing.assert_allclose(low, (-81, -91, -72.5))
