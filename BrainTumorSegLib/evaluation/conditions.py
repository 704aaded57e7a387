"""Harder conditions than those of curated data, made of a case in memory, to see what they cost.

Nothing on disk is changed. What chance decides comes from the seed, the name of the case and
that of the condition, so that every pack meets the same perturbed scans.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.fields import noise
from BrainTumorSegLib.synthesis.scanner import take_slices

from .painted_head import with_head

#: The untouched scans, with which all others are compared.
AS_IS = "as-is"

#: How strong each condition is.
SLICE_MM, SHIFT_MM, TURN_DEGREES = 5.0, 2.0, 3.0
BIAS, BIAS_MM, NOISE = 0.35, 120.0, 0.1
CROPPED_SHARE = 0.25


@dataclass(frozen=True)
class PerturbedCase:
    """A case under a condition.

    Attributes:
        case: what is segmented.
        reference_labels: image of allowed tissues on the grid of its reference.
    """

    case: Case
    reference_labels: sitk.Image


Perturb = Callable[[PerturbedCase, np.random.Generator], PerturbedCase]


@dataclass(frozen=True)
class Condition:
    """One way in which scans can be worse than those of a challenge.

    Attributes:
        key: for the command line.
        title: for tables.
        meaning: a sentence that says what is done.
        perturb: does it.
        registration, brain: of the options, instead of those of the case; None keeps them.
        bias_field, keep_distant_components: of the options.
        without: the sequence that it takes away.
        scans_of: key of the condition with the same scans, where only what is done with them
            differs.
    """

    key: str
    title: str
    meaning: str
    perturb: Perturb
    registration: str | None = None
    brain: str | None = None
    bias_field: str = "auto"
    keep_distant_components: bool = False
    without: Sequence | None = None
    scans_of: str | None = None


def perturb_case(
    condition: Condition, case: Case, reference_labels: sitk.Image, seed: int = 0
) -> PerturbedCase:
    """Bring a case into a condition; the images given are not changed.

    Args:
        condition: one of `CONDITIONS`.
        case: registered scans.
        reference_labels: allowed tissues on the grid of its reference, uint8.
        seed: the same one gives the same voxels.
    """
    name = f"{condition.scans_of or condition.key}|{case.identity}".encode()
    rng = np.random.default_rng([seed, zlib.crc32(name)])
    return condition.perturb(PerturbedCase(case, reference_labels), rng)


def read_conditions(keys: SequenceOf[str]) -> tuple[Condition, ...]:
    """Conditions by key, the untouched scans first; ``all`` means all of them.

    Raises:
        InputError: when there is no such condition.
    """
    wanted = set(CONDITIONS) if "all" in keys else {AS_IS, *keys}
    unknown = sorted(wanted - set(CONDITIONS))
    if unknown:
        raise InputError(
            f"Unknown condition {unknown[0]!r}.", f"Known conditions: {', '.join(CONDITIONS)}, all."
        )
    return tuple(condition for key, condition in CONDITIONS.items() if key in wanted)


def _unchanged(given: PerturbedCase, _: np.random.Generator) -> PerturbedCase:
    return given


def _thick(given: PerturbedCase, _: np.random.Generator) -> PerturbedCase:
    images = {s: thick_slices(scan.image) for s, scan in given.case.scans.items()}
    labels = thick_slices(given.reference_labels, nearest=True)
    return PerturbedCase(given.case.with_images(images), labels)


def _moved(given: PerturbedCase, rng: np.random.Generator) -> PerturbedCase:
    """Every scan but the reference lies a little elsewhere, by its header: no value is changed."""
    case = given.case
    images = {
        s: moved_image(scan.image, rng) for s, scan in case.scans.items() if s is not case.reference
    }
    return replace(given, case=case.with_images(images))


def _without(sequence: Sequence) -> Perturb:
    def drop(given: PerturbedCase, _: np.random.Generator) -> PerturbedCase:
        scans = {s: scan for s, scan in given.case.scans.items() if s is not sequence}
        return replace(given, case=replace(given.case, scans=scans))

    return drop


def _cropped(given: PerturbedCase, _: np.random.Generator) -> PerturbedCase:
    """Every scan but the reference ends below the top of the brain."""
    case = given.case
    images = {
        s: without_top(scan.image) for s, scan in case.scans.items() if s is not case.reference
    }
    return replace(given, case=case.with_images(images))


def _head(given: PerturbedCase, rng: np.random.Generator) -> PerturbedCase:
    return replace(given, case=with_head(given.case, rng))


def _each_scan(
    change: Callable[[sitk.Image, np.ndarray, np.random.Generator], np.ndarray],
) -> Perturb:
    """Change the values ``[slice, row, column]`` of every scan."""

    def perturb(given: PerturbedCase, rng: np.random.Generator) -> PerturbedCase:
        images: dict[Sequence, sitk.Image] = {}
        for sequence, scan in given.case.scans.items():
            values = sitk.GetArrayFromImage(scan.image).astype(np.float32)
            image = sitk.GetImageFromArray(change(scan.image, values, rng).astype(np.float32))
            image.CopyInformation(scan.image)
            images[sequence] = image
        return replace(given, case=given.case.with_images(images))

    return perturb


def _with_bias(image: sitk.Image, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wavelength = BIAS_MM / float(np.prod(image.GetSpacing()) ** (1 / 3))
    field = noise(rng, values.shape, wavelength)
    return values * np.exp(np.float32(BIAS) * np.clip(field, -2.2, 2.2))


def _with_noise(_: sitk.Image, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a signal with complex noise (Gudbjartsson and Patz 1995), where there is one."""
    signal = values != 0
    deviation = np.float32(NOISE * np.median(values[signal])) if signal.any() else np.float32(0)
    real, imaginary = (rng.standard_normal(values.shape, np.float32) for _ in range(2))
    noisy = np.hypot(values + deviation * real, deviation * imaginary)
    return np.where(signal, noisy, values)


def thick_slices(image: sitk.Image, nearest: bool = False) -> sitk.Image:
    """Slices of `SLICE_MM` along the axis nearest to the body's; thicker ones are left alone.

    Args:
        image: any scalar 3D image.
        nearest: take what lies in the middle of a slice instead of the average over its
            bell-shaped profile, for labels.
    """
    direction = np.abs(np.array(image.GetDirection()).reshape(3, 3))
    axis = int(direction[2].argmax())
    spacing = image.GetSpacing()[axis]
    step = SLICE_MM / spacing
    if step <= 1:
        return image
    values = sitk.GetArrayFromImage(image)
    count = max(1, int(values.shape[2 - axis] // step))
    positions = (step - 1) / 2 + step * np.arange(count)
    if nearest:
        rounded = np.floor(positions + 0.5).astype(int)
        thick = np.take(values, np.clip(rounded, 0, values.shape[2 - axis] - 1), 2 - axis)
    else:
        thick = take_slices(values.astype(np.float32), 2 - axis, positions, step)
    result = sitk.GetImageFromArray(thick)
    first = [0.0, 0.0, 0.0]
    first[axis] = float(positions[0])
    sizes = list(image.GetSpacing())
    sizes[axis] = SLICE_MM
    result.SetSpacing(sizes)
    result.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(first))
    result.SetDirection(image.GetDirection())
    return result


def without_top(image: sitk.Image) -> sitk.Image:
    """The scan without the upper `CROPPED_SHARE` of the slices in which it shows anything."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    axis = int(np.abs(direction[2]).argmax())
    values = np.moveaxis(sitk.GetArrayViewFromImage(image), 2 - axis, 0)
    shown = np.flatnonzero(values.reshape(len(values), -1).any(axis=1))
    if len(shown) < 2:
        return image
    upwards = direction[2, axis] > 0
    lost = max(1, round(CROPPED_SHARE * len(shown)))
    start, stop = (0, int(shown[-1]) + 1 - lost) if upwards else (int(shown[0]) + lost, len(values))
    kept: list[slice] = [slice(None)] * 3
    kept[axis] = slice(start, stop)
    return image[tuple(kept)]


def moved_image(image: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """The same voxels, turned by `TURN_DEGREES` about the middle and shifted by `SHIFT_MM`."""
    axis, way = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    turn = sitk.VersorTransform(axis.tolist(), float(np.radians(TURN_DEGREES)))
    rotation = np.array(turn.GetMatrix()).reshape(3, 3)
    middle = np.array(
        image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    )
    origin = rotation @ (np.array(image.GetOrigin()) - middle) + middle + SHIFT_MM * way
    direction = rotation @ np.array(image.GetDirection()).reshape(3, 3)
    moved = sitk.Image(image)
    moved.SetOrigin(origin.tolist())
    moved.SetDirection(direction.ravel().tolist())
    return moved


_MOVED = (
    f"T1 and FLAIR turned by {TURN_DEGREES:g} degrees about a random axis and shifted by "
    f"{SHIFT_MM:g} mm"
)

_biased = _each_scan(_with_bias)
_SHADED = f"each scan times a smooth field, deviation {100 * BIAS:g} % over about {BIAS_MM:g} mm"

CONDITIONS: Mapping[str, Condition] = {
    condition.key: condition
    for condition in (
        Condition(AS_IS, "as is", "the scans as they are", _unchanged),
        Condition(
            "as-is-corrected",
            "as is, corrected",
            "the scans as they are, corrected with N4 whether they are shaded or not",
            _unchanged,
            bias_field="n4",
            scans_of=AS_IS,
        ),
        Condition(
            "as-is-islands",
            "as is, islands kept",
            "the scans as they are; small parts far from the tumour are not left out",
            _unchanged,
            keep_distant_components=True,
            scans_of=AS_IS,
        ),
        Condition(
            "thick-slices",
            f"{SLICE_MM:g} mm slices",
            f"all scans averaged to slices of {SLICE_MM:g} mm; scored on these slices, against "
            "the truth in the middle of each",
            _thick,
        ),
        Condition("misregistered", "misregistered", f"{_MOVED}; not registered", _moved, "none"),
        Condition(
            "misregistered-registered",
            "misregistered, registered",
            f"{_MOVED}; then registered",
            _moved,
            registration="auto",
            scans_of="misregistered",
        ),
        *(
            Condition(
                f"without-{sequence.value}",
                f"without {sequence.name}",
                f"{sequence.name} is not given",
                _without(sequence),
                without=sequence,
            )
            for sequence in (Sequence.T1, Sequence.FLAIR)
        ),
        Condition(
            "cropped",
            "cropped",
            f"T1 and FLAIR end below the top {100 * CROPPED_SHARE:g} % of the brain",
            _cropped,
        ),
        Condition(
            "skull",
            "with skull",
            "a drawn head painted round the stripped brain, which is then found again",
            _head,
            brain="auto",
        ),
        Condition(
            "bias-field", "bias field", f"{_SHADED}; not corrected", _biased, bias_field="off"
        ),
        Condition(
            "bias-field-corrected",
            "bias field, corrected",
            f"{_SHADED}; corrected where it is found to be strong",
            _biased,
            scans_of="bias-field",
        ),
        Condition(
            "noise",
            "noise",
            f"Rician noise of {100 * NOISE:g} % of the brain's median in each scan",
            _each_scan(_with_noise),
        ),
    )
}
