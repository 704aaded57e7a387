"""Our segmentation files by themselves; `test_io_slicer` reads and writes them with Slicer."""

from __future__ import annotations

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Tissue
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from BrainTumorSegLib.io.terminology import terminology_entry, tissue_of_entry


def labels(dtype=np.uint8):
    values = np.zeros((9, 11, 13), dtype)
    values[2:5, 3:8, 1:12] = Tissue.EDEMA
    values[3, 4:6, 5:9] = Tissue.NECROSIS
    values[4, 7, 2] = Tissue.ENHANCING
    image = sitk.GetImageFromArray(values)
    rotation = sitk.Euler3DTransform()
    rotation.SetRotation(0.3, 0.2, -0.4)
    image.SetDirection(rotation.GetMatrix())
    image.SetSpacing((0.9375, 0.9375, 5.5))
    image.SetOrigin((-113.26, 87.5, -41.2))
    return image


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_labels_come_back_voxel_by_voxel_on_the_same_grid(tmp_path, dtype):
    path, image = tmp_path / "Опухоль 1.seg.nrrd", labels(dtype)
    write_seg_nrrd(image, path, "T1CE")
    again = read_seg_nrrd(path)
    assert again.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image))
    for get in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(again, get)(), getattr(image, get)(), atol=1e-9)


def test_the_header_holds_what_slicer_writes(tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(labels(), path, "T1CE.nii.gz")
    header = nrrd.read_header(str(path))
    assert header["space"] == "left-posterior-superior"
    assert header["encoding"] == "gzip"
    assert header["content"] == "segmentation of T1CE.nii.gz"
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert header["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    assert header["Segment1_Extent"] == "1 11 3 7 2 4"
    assert header["Segment2_Extent"] == "0 -1 0 -1 0 -1"
    for number, tissue in enumerate(TUMOR_TISSUES):
        assert header[f"Segment{number}_Name"] == STYLES[tissue].title
        assert header[f"Segment{number}_LabelValue"] == str(int(tissue))
        assert header[f"Segment{number}_Layer"] == "0"
        assert terminology_entry(tissue) in header[f"Segment{number}_Tags"]
    assert "Segment4_ID" not in header


def test_a_reference_of_any_name_can_be_kept(tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(labels(), path, "Снимок\nс контрастом.nii.gz")
    assert np.array_equal(
        sitk.GetArrayFromImage(read_seg_nrrd(path)), sitk.GetArrayFromImage(labels())
    )


@pytest.mark.parametrize("name", ["tumour.nrrd", "tumour.seg.nhdr", "tumour.nii.gz", ".seg.nrrd"])
def test_only_the_ending_that_slicer_knows_is_written(tmp_path, name):
    with pytest.raises(OutputError, match=r"does not end in \.seg\.nrrd"):
        write_seg_nrrd(labels(), tmp_path / name, "T1CE")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [5, 255])
def test_numbers_that_are_no_tissue_are_not_written(tmp_path, bad):
    image = labels()
    image[0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"0\.\.4"):
        write_seg_nrrd(image, tmp_path / "tumour.seg.nrrd", "T1CE")


def test_probabilities_are_not_written_as_segments(tmp_path):
    with pytest.raises(ValueError, match="integers"):
        write_seg_nrrd(sitk.Cast(labels(), sitk.sitkFloat32), tmp_path / "tumour.seg.nrrd", "T1CE")


def test_an_earlier_segmentation_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(labels(), path, "T1CE")
    with pytest.raises(OutputError, match="exists already"):
        write_seg_nrrd(labels(), path, "T1CE")
    write_seg_nrrd(labels(), path, "T1CE", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def rewritten(path, values=None, **fields):
    """The file with some header fields changed, or taken away where the value is None."""
    data, header = nrrd.read(str(path))
    for name, value in fields.items():
        header.pop(name, None)
        if value is not None:
            header[name] = value
    nrrd.write(str(path), data if values is None else values, header)
    return path


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(labels(), path, "T1CE")
    return path


def test_without_a_stored_reference_the_grid_of_the_file_is_used(path):
    rewritten(path, Segmentation_ConversionParameters=None)
    assert read_seg_nrrd(path).GetSize() == labels().GetSize()


@pytest.mark.parametrize("geometry", ["", "1;0;0;", ";" * 22])
def test_a_stored_reference_that_says_nothing_is_passed_over(path, geometry):
    rewritten(path, Segmentation_ConversionParameters=f"Reference image geometry|{geometry}|x&")
    assert read_seg_nrrd(path).GetSize() == labels().GetSize()


def test_other_conversion_parameters_do_not_disturb(path):
    ours = nrrd.read_header(str(path))["Segmentation_ConversionParameters"]
    others = "Decimation factor|0.0|Desired reduction&Crop to reference image geometry|0|Crop&"
    rewritten(path, Segmentation_ConversionParameters=others + ours)
    assert read_seg_nrrd(path).GetSize() == labels().GetSize()


def test_label_values_of_the_file_need_not_be_ours(path):
    values = nrrd.read(str(path))[0]
    renumbered = np.choose(values, [0, 40, 10, 30, 20]).astype(np.uint8)
    rewritten(
        path,
        renumbered,
        Segment0_LabelValue="40",
        Segment1_LabelValue="10",
        Segment2_LabelValue="30",
        Segment3_LabelValue="20",
    )
    assert np.array_equal(
        sitk.GetArrayFromImage(read_seg_nrrd(path)), sitk.GetArrayFromImage(labels())
    )


def test_a_file_without_layer_and_label_value_has_a_layer_for_each_segment(path):
    values = nrrd.read(str(path))[0]
    layers = np.stack([(values == t) * np.uint8(1) for t in TUMOR_TISSUES])
    removed = {f"Segment{n}_{key}": None for n in range(4) for key in ("Layer", "LabelValue")}
    header = nrrd.read_header(str(path))
    directions = np.vstack([[np.nan] * 3, header["space directions"]])
    rewritten(
        path,
        layers,
        **removed,
        kinds=["list", "domain", "domain", "domain"],
        **{"space directions": directions},
    )
    assert np.array_equal(
        sitk.GetArrayFromImage(read_seg_nrrd(path)), sitk.GetArrayFromImage(labels())
    )


def test_the_old_format_of_slicer_4_10_is_refused_with_a_way_out(path):
    rewritten(path, Segmentation_Extent="0 12 0 10 0 8")
    with pytest.raises(InputError, match=r"Slicer 4\.10.*save it again"):
        read_seg_nrrd(path)


def test_a_layer_that_is_not_there_is_damage(path):
    rewritten(path, Segment1_Layer="3")
    with pytest.raises(InputError, match="'Peritumoral edema' names a layer that is not there"):
        read_seg_nrrd(path)


@pytest.mark.parametrize("text", ["two", "1.5"])
def test_a_label_value_that_is_no_number_is_damage(path, text):
    rewritten(path, Segment1_LabelValue=text)
    with pytest.raises(InputError, match=r"tumour\.seg\.nrrd is damaged.*Peritumoral edema"):
        read_seg_nrrd(path)


@pytest.mark.parametrize(
    ("name", "tissue"),
    [
        ("Necrotic core", Tissue.NECROSIS),
        ("necrosis", Tissue.NECROSIS),
        ("Oedema", Tissue.EDEMA),
        ("peritumoral Edema", Tissue.EDEMA),
        ("non_enhancing", Tissue.NON_ENHANCING),
        ("Nonenhancing tumor", Tissue.NON_ENHANCING),
        ("Enhancing Tumor", Tissue.ENHANCING),
        ("ET", Tissue.ENHANCING),
    ],
)
def test_segments_without_a_code_are_recognised_by_usual_names(path, name, tissue):
    rewritten(path, Segment1_Name=name, Segment1_Tags="", Segment0_Tags=None, Segment3_Tags=None)
    values = sitk.GetArrayFromImage(labels())
    expected = np.where(values == Tissue.EDEMA, tissue, values)
    assert np.array_equal(sitk.GetArrayFromImage(read_seg_nrrd(path)), expected)


def test_a_code_counts_more_than_a_name(path):
    rewritten(path, Segment1_Name="Necrosis", Segment0_Name="Edema")
    assert np.array_equal(
        sitk.GetArrayFromImage(read_seg_nrrd(path)), sitk.GetArrayFromImage(labels())
    )


def test_a_segmentation_can_be_put_on_the_scan_it_was_not_drawn_on(path):
    fine = sitk.Image([26, 22, 9], sitk.sitkInt16)
    fine.SetDirection(labels().GetDirection())
    fine.SetSpacing((0.9375 / 2, 0.9375 / 2, 5.5))
    fine.SetOrigin(labels().TransformContinuousIndexToPhysicalPoint((-0.25, -0.25, 0)))
    values = sitk.GetArrayFromImage(read_seg_nrrd(path, fine))
    expected = sitk.GetArrayFromImage(labels()).repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("tissue", TUMOR_TISSUES)
def test_a_terminology_entry_has_seven_fields_and_leads_back_to_its_tissue(tissue):
    entry = terminology_entry(tissue)
    assert len(entry.split("~")) == 7
    assert all(len(entry.split("~")[n].split("^")) == 3 for n in (1, 2, 3, 5, 6))
    assert tissue_of_entry(entry) is tissue


@pytest.mark.parametrize(
    "entry",
    ["", "nonsense", "~~~~~~", "a~b~c", "c~SCT^1^x~SCT^85756007^Tissue~^^~r~^^~^^", "c~~SCT^^~"],
)
def test_other_terminology_is_none_of_ours(entry):
    assert tissue_of_entry(entry) is None


def test_the_background_has_no_terminology():
    with pytest.raises(KeyError):
        terminology_entry(Tissue.BACKGROUND)
