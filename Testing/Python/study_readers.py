"""A small study whose cases are segmented and wait for their readers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.study.journal import Event, append
from BrainTumorSegLib.study.layout import AUTO, CaseName
from BrainTumorSegLib.study.opening import Study, make_study, open_study
from BrainTumorSegLib.study.readings import write_segmentation
from BrainTumorSegLib.study.settings import write_settings

TYPES = ("astrocytoma", "glioblastoma", "meningioma", "neurinoma")

SPACING = (2.0, 2.0, 5.0)


def on_grid(array: np.ndarray) -> sitk.Image:
    """An image of an array ``[slice, row, column]``, where all of these cases lie."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    image.SetOrigin((-30.0, -40.0, 20.0))
    return image


def case_name(number: int, visit: int = 1) -> CaseName:
    """The name of a visit of a patient; numbers from 1."""
    return CaseName(f"{number:03d}", f"{visit:02d}")


def add_cases(study: Study, cases: list[CaseName], shape: tuple[int, int, int]) -> None:
    """Scans in register, automatic labels and registry rows of some cases.

    A ball of noise with a lesion of all four tissues in it, a little elsewhere in each patient.
    """
    layout = study.layout
    slices, rows, columns = shape
    z, y, x = np.ogrid[:slices, :rows, :columns]
    ball = ((z - slices / 2) / (slices / 2)) ** 2 + ((y - rows / 2) / (0.45 * rows)) ** 2
    brain = ball + ((x - columns / 2) / (0.42 * columns)) ** 2 < 1
    for case in cases:
        number = int(case.subject)
        rng = np.random.default_rng([number, int(case.session)])
        away = 4 * (z - slices / 2) ** 2 + (y - rows / 2) ** 2
        away = away + (x - columns / 2 + 3 - number % 6) ** 2
        labels = np.zeros(shape, np.uint8)
        for share, tissue in ((0.18, 2), (0.1, 3), (0.07, 4), (0.03, 1)):
            labels[away < (share * rows) ** 2 * 4] = tissue
        labels *= brain
        for place, sequence in enumerate(Sequence):
            values = 100 + 10 * rng.normal(size=shape) + 15 * labels * (place + 1)
            image = on_grid(np.where(brain, values, 0).astype(np.float32))
            for path in (layout.raw(case, sequence), layout.registered(case, sequence)):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.name.count("space") == 0 or sequence is not Sequence.T1CE:
                    write_image(image, path)
        append(layout, Event.RECEIVED, case)
        append(layout, Event.ANONYMISED, case)
        append(layout, Event.REGISTERED, case)
        files = write_segmentation(study, case, AUTO, on_grid(labels))
        append(layout, Event.SEGMENTED, case, files)
    study.update(
        {
            case: {"sex": "F", "age": "50", "tumor_type": TYPES[(int(case.subject) - 1) % 4]}
            for case in cases
        }
    )


def small_study(
    folder: Path, cases: int = 2, readers: str = "AB", shape: tuple[int, int, int] = (6, 20, 20)
) -> Study:
    """A study of so many patients with one visit each, and its readers."""
    study = make_study(folder, "Tumors of the brain")
    named = {letter: f"Reader {letter}" for letter in readers}
    write_settings(folder, replace(study.settings, readers=named))
    study = open_study(folder)
    if cases:
        add_cases(study, [case_name(number) for number in range(1, cases + 1)], shape)
    return study


def changed(labels: sitk.Image, *places: tuple, tissue: int = Tissue.EDEMA) -> sitk.Image:
    """The same labels with another tissue at some places of the array."""
    array = sitk.GetArrayFromImage(labels)
    for place in places:
        array[place] = tissue
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(labels)
    return image
