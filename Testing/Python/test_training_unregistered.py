"""Cases whose scans lie out of register are registered before they are trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import PARTS, SIZE, phantom, rigid, with_moved_header

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.config import read_config
from BrainTumorSegLib.training.volumes import LabeledVolume, prepare_volume

#: Where the head lay during FLAIR: as far off as patients move.
OFFSET = rigid((0.2, 0, 1), 12.0, (9.0, -7.0, 5.0))

RECIPE = """
[data]
label_protocol = "4=enhancing"
registration = "{registration}"
brain = "stripped"
"""


def brain_of(image: sitk.Image) -> sitk.Image:
    """The phantom's brain alone, and zero around it."""
    k, j, i = np.indices(image.GetSize()[::-1])
    points = np.stack([i, j, k], axis=-1) * image.GetSpacing() + image.GetOrigin()
    middle, axes, _brightness = PARTS[2]
    brain = (((points / SIZE - middle) / axes) ** 2).sum(axis=-1) < 1
    alone = sitk.GetImageFromArray(np.where(brain, sitk.GetArrayViewFromImage(image), 0))
    alone.CopyInformation(image)
    return alone


def write_case(folder: Path, offset: sitk.Transform) -> None:
    scans = {sequence: brain_of(phantom(sequence)) for sequence in Sequence}
    labels = sitk.Cast(scans[Sequence.T1CE] > 190, sitk.sitkUInt8) * 4
    scans[Sequence.FLAIR] = with_moved_header(scans[Sequence.FLAIR], offset)
    folder.mkdir(parents=True)
    for sequence, image in scans.items():
        sitk.WriteImage(image, str(folder / f"{sequence.value}.nii.gz"))
    sitk.WriteImage(labels, str(folder / "labels.nii.gz"))


def prepared(folder: Path, registration: str) -> LabeledVolume:
    recipe = folder / f"{registration}.toml"
    recipe.write_text(RECIPE.format(registration=registration), encoding="utf-8")
    (case,) = read_cohort(folder, read_config(recipe).data)
    return prepare_volume(case)


@pytest.fixture(scope="module")
def in_register(tmp_path_factory) -> LabeledVolume:
    folder = tmp_path_factory.mktemp("in-register")
    write_case(folder / "a", sitk.VersorRigid3DTransform())
    return prepared(folder, "none")


@pytest.fixture(scope="module")
def displaced(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("displaced")
    write_case(folder / "a", OFFSET)
    return folder


def likeness(found: LabeledVolume, wanted: LabeledVolume, sequence: Sequence) -> float:
    """Correlation of a sequence's voxels with those of the scans that never moved."""
    place = list(Sequence).index(sequence)
    pair = [volume.scans[place].astype(float).ravel() for volume in (found, wanted)]
    return float(np.corrcoef(pair)[0, 1])


def test_a_recipe_that_asks_for_registration_undoes_the_patients_movement(in_register, displaced):
    found = prepared(displaced, "simpleitk")
    assert found.scans.shape == in_register.scans.shape
    for sequence in Sequence:
        assert likeness(found, in_register, sequence) > 0.97, sequence


def test_without_registration_such_a_case_is_refused_with_the_key_to_set(displaced):
    with pytest.raises(TrainingError, match="FLAIR scan of case a") as caught:
        prepared(displaced, "none")
    assert "registration = 'auto'" in caught.value.remedy
