"""Label maps and what their numbers mean."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import head_values, write_nifti

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue, protocol_by_name
from BrainTumorSegLib.io.labelmaps import allowed_tissues, check_protocol, read_labels
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from BrainTumorSegLib.io.volumes import write_image

BRATS = protocol_by_name("core1_edema2_enhancing4")
MSD = protocol_by_name("edema1_core2_enhancing3")


def labels(dtype=np.uint8):
    return (head_values() % 5).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64])
def test_labels_of_any_number_type_are_read_as_bytes(tmp_path, dtype):
    values = labels(dtype)
    image = read_labels(write_nifti(tmp_path / "seg.nii.gz", values))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(image), values.transpose(2, 1, 0))


def test_fractions_are_no_labels(tmp_path):
    path = write_nifti(tmp_path / "probability.nii", labels(np.float32) / 2)
    with pytest.raises(InputError, match=r"probability\.nii holds fractions.*nearest neighbour"):
        read_labels(path)


@pytest.mark.parametrize("bad", [-1, 300])
def test_numbers_out_of_range_are_no_labels(tmp_path, bad):
    values = labels(np.int16)
    values[3, 4, 5] = bad
    path = write_nifti(tmp_path / "scan.nii", values)
    with pytest.raises(InputError, match=rf"scan\.nii holds the values .*{bad}.*labels lie in 0"):
        read_labels(path)


def test_a_segmentation_is_not_taken_for_a_label_map(tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(sitk.GetImageFromArray(labels()), path, "T1CE")
    with pytest.raises(InputError, match="is a Slicer segmentation, not a label map"):
        read_labels(path)


def test_a_label_map_is_not_taken_for_a_segmentation(tmp_path):
    path = tmp_path / "labels.nrrd"
    write_image(sitk.GetImageFromArray(labels()), path)
    with pytest.raises(InputError, match=r"holds no segments.*label map as a label map"):
        read_seg_nrrd(path)


def test_values_without_a_meaning_are_named():
    with pytest.raises(InputError, match=r"seg\.nii.* 3, 9, which .*core1_edema2_enhancing4"):
        check_protocol(np.array([0, 1, 3, 4, 9]), BRATS, "seg.nii")
    check_protocol(np.array([0, 1, 2, 4]), BRATS)


def test_every_voxel_is_given_the_set_of_tissues_it_may_be():
    bits = allowed_tissues(np.array([[0, 1], [2, 4]]), BRATS)
    core = (1 << Tissue.NECROSIS) | (1 << Tissue.NON_ENHANCING)
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[1 << 0, core], [1 << Tissue.EDEMA, 1 << Tissue.ENHANCING]]
    with pytest.raises(InputError, match="seg"):
        allowed_tissues(np.array([7]), BRATS, "seg")


def test_all_real_label_maps_follow_their_stated_protocol(real_data):
    with (real_data / "cases.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows[::4]:
        path = real_data / "brats" / row["case"] / f"{row['case']}_seg.nii.gz"
        values = sitk.GetArrayFromImage(read_labels(path))
        check_protocol(values, protocol_by_name(row["label_protocol"]), str(path))
        assert [int((values == n).sum()) for n in (1, 2, 3, 4)] == [
            int(row[f"voxels_{n}"]) for n in (1, 2, 3, 4)
        ]
    path = sorted((real_data / "msd_tumour_labels").glob("*.nii.gz"))[0]
    check_protocol(sitk.GetArrayFromImage(read_labels(path)), MSD, str(path))
