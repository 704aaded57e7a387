"""What DICOM attributes say about an MRI sequence.

Attributes come as text by keyword, several values joined by a backslash, as
`BrainTumorSegLib.io.dicom.headers` reads them; enhanced multi-frame objects are
brought to the same keywords there. Times are in milliseconds, angles in degrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .contrast_words import folded, words
from .sequence_names import Evidence, Kind, name_evidence

#: Values of Image Type (and Frame Type) that no anatomical volume has.
IMAGE_TYPES: Mapping[str, str] = {
    "SUBTRACTION": "a subtraction",
    "SUB": "a subtraction",
    "LOCALIZER": "a localizer",
    "PROJECTION IMAGE": "a projection (MIP)",
    "MAX_IP": "a projection (MIP)",
    "MIN_IP": "a projection (MIP)",
    "MIP": "a projection (MIP)",
    "MINIP": "a projection (MIP)",
    "MNIP": "a projection (MIP)",
    "CSA MIP": "a projection (MIP)",
    "CSA MPR": "a reformatted copy (MPR)",
    "MPR": "a reformatted copy (MPR)",
    "REFORMATTED": "a reformatted copy (MPR)",
    "DIFFUSION": "diffusion imaging",
    "ADC": "diffusion imaging",
    "TRACEW": "diffusion imaging",
    "FA": "diffusion imaging",
    "TENSOR": "diffusion imaging",
    "DIFFUSION_ANISO": "diffusion imaging",
    "PERFUSION": "a perfusion or dynamic series",
    "ASL": "a perfusion or dynamic series",
    "CBF": "a perfusion or dynamic series",
    "CBV": "a perfusion or dynamic series",
    "MTT": "a perfusion or dynamic series",
    "RELCBV": "a perfusion or dynamic series",
    "MOSAIC": "functional or diffusion imaging (mosaic)",
    "FMRI": "functional imaging",
    "SWI": "susceptibility-weighted (T2*)",
    "P": "a phase image",
    "PHASE MAP": "a phase image",
    "REAL": "a real-part image",
    "R": "a real-part image",
    "IMAGINARY": "an imaginary-part image",
    "I": "an imaginary-part image",
    "T1 MAP": "a map or calibration",
    "T2 MAP": "a map or calibration",
    "T2_STAR MAP": "a map or calibration",
    "B0": "a map or calibration",
    "SCREEN SAVE": "a report or screen capture",
    "SCREENSHOT": "a report or screen capture",
    "SPECTROSCOPY": "spectroscopy",
    "FLOW_ENCODED": "angiography",
    "TOF": "angiography",
}

#: Acquisition Contrast of enhanced MR objects (DICOM PS3.3, C.8.13.3.3.1).
ACQUISITION_CONTRASTS: Mapping[str, str] = {
    "T1": "T1",
    "T2": "T2",
    "T2_STAR": "T2*",
    "PROTON_DENSITY": "PD",
    "FLUID_ATTENUATED": "FLAIR",
    "DIFFUSION": "diffusion imaging",
    "PERFUSION": "a perfusion or dynamic series",
    "FLOW_ENCODED": "angiography",
    "TOF": "angiography",
    "STIR": "an inversion-recovery sequence other than FLAIR",
    "TAGGING": "a tagged series",
}

_WEIGHTINGS = frozenset({"T1", "T2", "T2*", "PD", "FLAIR"})

#: Vendors' pulse sequence names that leave no doubt.
PULSE_SEQUENCES: tuple[tuple[re.Pattern[str], str, float], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), what, weight)
    for pattern, what, weight in (
        (r"^\*?ep", "echo-planar (diffusion, perfusion or functional) imaging", 0.9),
        (r"^\*?re_b|^\*?resolve", "diffusion imaging", 0.9),
        (r"^\*?swi", "susceptibility-weighted (T2*)", 0.9),
        (r"^\*?fl3d\d?r(?!e)", "angiography", 0.8),
        (r"^\*?(?:csi|svs)", "spectroscopy", 0.9),
        (r"^\*?h2d", "T2", 0.7),
        (r"^\*?(?:tfi|ci3d|tru)", "T2", 0.7),
        (r"^\*?tfl|^efgre3d|^\*?mprage", "T1", 0.7),
    )
)

_OTHER_BODY_PARTS = re.compile(
    r"SPINE|KNEE|ABDOMEN|PELVIS|BREAST|PROSTATE|SHOULDER|HEART|CHEST|LIVER|HIP|ANKLE|WRIST|HAND"
    r"|FOOT|ELBOW|EXTREMITY",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Timing:
    """Sequence times within ``limits`` (inclusive, every one must be given) mean ``values``.

    ``scanning`` is a code that Scanning Sequence must contain; ``without_inversion``
    asks that no inversion time above zero is given.
    """

    title: str
    values: frozenset[str]
    weight: float
    limits: Mapping[str, tuple[float, float]]
    scanning: str | None = None
    without_inversion: bool = False


_TR, _TE, _TI, _ANGLE = "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle"

#: Usual settings at 1.5 T and 3 T; the first match wins. The FLAIR inversion time
#: nulls fluid: about 0.7 x T1 of fluid for long TR, less for the shorter TR of 3D.
TIMINGS: tuple[Timing, ...] = (
    Timing(
        "FLAIR",
        frozenset({"FLAIR"}),
        0.85,
        {_TI: (1500, 3000), _TE: (60, 900), _TR: (4000, 20000)},
    ),
    Timing(
        "T1-weighted inversion recovery (T1-FLAIR)",
        frozenset({"T1"}),
        0.8,
        {_TI: (500, 1300), _TE: (0, 45), _TR: (1000, 4000)},
        scanning="SE",
    ),
    Timing("MPRAGE", frozenset({"T1"}), 0.8, {_TI: (300, 1500), _TE: (0, 8)}),
    Timing("STIR", frozenset({"STIR"}), 0.8, {_TI: (80, 299), _TE: (10, 300), _TR: (1500, 15000)}),
    Timing(
        "T2-weighted or FLAIR",
        frozenset({"T2", "FLAIR"}),
        0.75,
        {_TE: (60, 900), _TR: (1800, 20000)},
        scanning="SE",
        without_inversion=True,
    ),
    Timing(
        "proton-density-weighted",
        frozenset({"PD"}),
        0.5,
        {_TE: (0, 50), _TR: (1800, 8000)},
        scanning="SE",
        without_inversion=True,
    ),
    Timing(
        "T1-weighted spin echo",
        frozenset({"T1"}),
        0.7,
        {_TE: (0, 40), _TR: (200, 1300)},
        scanning="SE",
        without_inversion=True,
    ),
    Timing("T2*-weighted", frozenset({"T2*"}), 0.7, {_TE: (15, 80)}, scanning="GR"),
    Timing(
        "T1-weighted 2D gradient echo",
        frozenset({"T1"}),
        0.65,
        {_TE: (0, 12), _TR: (60, 500), _ANGLE: (40, 90)},
        scanning="GR",
    ),
    Timing(
        "a spoiled 3D gradient echo",
        frozenset({"T1"}),
        0.5,
        {_TE: (0, 10), _TR: (0, 60), _ANGLE: (6, 45)},
        scanning="GR",
    ),
)

_NO_AGENT = re.compile(rf"(?:(?:{words('denial')})(?!\w).*|w/?o\b.*|0+(?:[.,]0+)?\s*(?:ml|cc)?)\W*")
_NOTHING_SAID = re.compile(r"\W*(?:n/?a|unknown|null|not (?:known|applicable))?\W*", re.IGNORECASE)


def header_evidence(attributes: Mapping[str, str]) -> list[Evidence]:
    """Everything that the attributes of one series say about its sequence."""
    return [
        *_refusals(attributes),
        *_pulse_sequence(attributes),
        *_descriptions(attributes),
        *_timing(attributes),
        *_agent(attributes),
    ]


def agent_field(attributes: Mapping[str, str]) -> str | None:
    """``given``, ``none`` or, when the contrast fields are silent, None."""
    found = {e.value for e in _agent(attributes)}
    return found.pop() if len(found) == 1 else None


def number(attributes: Mapping[str, str], keyword: str) -> float | None:
    """The first value of an attribute as a number, or None."""
    try:
        return float(attributes.get(keyword, "").split("\\")[0])
    except ValueError:
        return None


def _refusal(what: str, because: str, weight: float = 0.95) -> Evidence:
    return Evidence("refusal", frozenset({what}), weight, because)


def _refusals(attributes: Mapping[str, str]) -> Iterator[Evidence]:
    modality = attributes.get("Modality", "MR")
    if modality != "MR":
        yield _refusal(f"not an MRI but {modality}", f"the modality is “{modality}”")
    # The pixel data characteristics (first value) say nothing about the kind of image.
    for token in attributes.get("ImageType", "").upper().split("\\")[1:]:
        if token in IMAGE_TYPES:
            yield _refusal(IMAGE_TYPES[token], f"the image type contains “{token}”")
            break
    if "EP" in attributes.get("ScanningSequence", "").split("\\"):
        yield _refusal(
            "echo-planar (diffusion, perfusion or functional) imaging",
            "the scanning sequence is “EP” (echo planar)",
        )
    b_value = number(attributes, "DiffusionBValue")
    if b_value:
        yield _refusal("diffusion imaging", f"it has a b-value of {b_value:g}")
    moments = number(attributes, "NumberOfTemporalPositions")
    if moments and moments > 1:
        yield _refusal(
            "a perfusion or dynamic series", f"it shows {moments:g} moments in time", 0.9
        )
    if attributes.get("AngioFlag", "").upper() == "Y":
        yield _refusal("angiography", "the angio flag is set")
    component = attributes.get("ComplexImageComponent", "MAGNITUDE").upper()
    if component in ("PHASE", "REAL", "IMAGINARY"):
        yield _refusal(f"a {component.lower()} image", f"its component is “{component}”")
    part = attributes.get("BodyPartExamined", "")
    if _OTHER_BODY_PARTS.search(part):
        yield _refusal(
            "a scan of another part of the body", f"the body part is “{part}”", weight=0.7
        )


def _pulse_sequence(attributes: Mapping[str, str]) -> Iterator[Evidence]:
    contrast = attributes.get("AcquisitionContrast", "").upper()
    if contrast in ACQUISITION_CONTRASTS:
        value = ACQUISITION_CONTRASTS[contrast]
        because = f"the acquisition contrast is “{contrast}”"
        yield Evidence(_kind(value), frozenset({value}), 0.75, because)
    for keyword in ("SequenceName", "PulseSequenceName"):
        name = attributes.get(keyword, "")
        for pattern, value, weight in PULSE_SEQUENCES:
            if pattern.search(name):
                because = f"the pulse sequence is “{name}”"
                yield Evidence(_kind(value), frozenset({value}), weight, because)
                break


def _kind(value: str) -> Kind:
    return "weighting" if value in _WEIGHTINGS else "refusal"


def _descriptions(attributes: Mapping[str, str]) -> Iterator[Evidence]:
    """The series description first; the protocol's name only where that is silent.

    People rename series ("KM") more often than protocols, and some vendors put
    the name of the whole examination ("brain with contrast") into every series.
    """
    own = name_evidence(attributes.get("SeriesDescription", ""), "the series description")
    yield from own
    stated = {evidence.kind for evidence in own}
    whole_examination = attributes.get("Manufacturer", "").upper().startswith("GE")
    for evidence in name_evidence(attributes.get("ProtocolName", ""), "the protocol name"):
        if evidence.kind in stated or (evidence.kind == "refusal" and "weighting" in stated):
            continue
        if evidence.kind == "contrast" and whole_examination:
            continue
        yield Evidence(evidence.kind, evidence.values, 0.85 * evidence.weight, evidence.because)


def _timing(attributes: Mapping[str, str]) -> Iterator[Evidence]:
    times = {k: number(attributes, k) for k in (_TR, _TE, _TI, _ANGLE)}
    codes = attributes.get("ScanningSequence", "").split("\\")
    if "EP" in codes:
        return
    for timing in TIMINGS:
        if timing.scanning is not None and timing.scanning not in codes:
            continue
        if timing.without_inversion and times[_TI]:
            continue
        given = [(times[keyword], limits) for keyword, limits in timing.limits.items()]
        if all(value is not None and low <= value <= high for value, (low, high) in given):
            shown = ", ".join(
                f"{short} {times[keyword]:.0f} ms"
                for short, keyword in (("TR", _TR), ("TE", _TE), ("TI", _TI))
                if times[keyword]
            )
            because = f"its times ({shown}) are those of {timing.title}"
            if timing.values == {"STIR"}:
                yield _refusal("an inversion-recovery sequence other than FLAIR", because, 0.7)
                return
            values = timing.values
            # Only an inversion pulse tells FLAIR from T2 when its time is not written.
            if values == {"T2", "FLAIR"} and "IR" in codes:
                values = frozenset({"FLAIR"})
            yield Evidence("weighting", values, timing.weight, because)
            return


def _agent(attributes: Mapping[str, str]) -> Iterator[Evidence]:
    agent = attributes.get("ContrastBolusAgent", "").strip()
    administered = attributes.get("ContrastBolusAgentAdministered", "").upper()
    if administered in ("YES", "NO"):
        value = "given" if administered == "YES" else "none"
        because = f"the header says “contrast agent administered: {administered}”"
        yield Evidence("contrast", frozenset({value}), 0.85, because)
    elif _NOTHING_SAID.fullmatch(agent):
        volume = number(attributes, "ContrastBolusVolume")
        if volume:
            because = f"the header gives {volume:g} mL of contrast agent"
            yield Evidence("contrast", frozenset({"given"}), 0.6, because)
    elif _NO_AGENT.fullmatch(folded(agent)):
        because = f"the contrast agent field says “{agent}”"
        yield Evidence("contrast", frozenset({"none"}), 0.6, because)
    else:
        because = f"the contrast agent field says “{agent}”"
        yield Evidence("contrast", frozenset({"given"}), 0.85, because)
