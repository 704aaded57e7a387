"""What can be chosen about a run: the one definition of every option.

From the fields of `Options` come the command line, the check of every value, the settings of a run
in Slicer and the types of its panel, the record and the documentation. Slicer reads this file
before anything is installed, so that nothing but the standard library is imported.
"""

# ruff: noqa: RUF009  (`option` makes a dataclass field)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .option_fields import accept_old_names, check_options, option, options_of

if TYPE_CHECKING:
    import SimpleITK as sitk

#: How the voxels of a DICOM segmentation are kept: a mask for each tissue, or one map of all of
#: them, which fewer programs read (DICOM 2024d).
SEG_TYPES = ("binary", "labelmap")

#: Separate lesions smaller than this are removed as noise (mm3). Chosen on the real cases: see
#: the model card.
MIN_LESION_MM3 = 100.0


class Tta(StrEnum):
    """Sets of transforms for test-time augmentation, see `inference.tta`."""

    NONE, TTA1, TTA2, TTA3 = "none", "tta1", "tta2", "tta3"


class SlicePreselection(StrEnum):
    """Whether the whole ensemble computes only the slices near tumour; AUTO asks the pack."""

    AUTO, ON, OFF = "auto", "on", "off"


class Engine(StrEnum):
    """What runs the networks."""

    AUTO, TORCH, OPENVINO = "auto", "torch", "openvino"


class Precision(StrEnum):
    """In which numbers the networks compute."""

    AUTO, FP32, BF16, FP16 = "auto", "fp32", "bf16", "fp16"


class Registration(StrEnum):
    """What aligns the scans; NONE trusts the positions in the files."""

    AUTO, BRAINSFIT, SIMPLEITK, NONE = "auto", "brainsfit", "simpleitk", "none"


class Brain(StrEnum):
    """How the brain is found; AUTO is STRIPPED where that holds, else DEEPBET."""

    AUTO, STRIPPED, DEEPBET, HDBET = "auto", "stripped", "deepbet", "hdbet"


class BiasField(StrEnum):
    """Whether the bias field is corrected; AUTO corrects a strong one."""

    AUTO, N4, OFF = "auto", "n4", "off"


class ProgressDisplay(StrEnum):
    """How a command shows its progress."""

    BAR, JSON, NONE = "bar", "json", "none"


def _members(value: Any) -> tuple[str, ...] | int:
    """``3`` is the first three members, ``a,b`` two by name."""
    if isinstance(value, str):
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        value = int(value) if value.strip().lstrip("+-").isdecimal() else names
    if isinstance(value, (tuple, list)) and value and all(isinstance(n, str) for n in value):
        return tuple(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("Give a whole number from 1 up, or the names of members.")


def _brain(value: Any) -> Brain | Path:
    """A method, or the file of a mask."""
    if isinstance(value, str) and value.lower() in list(Brain):
        return Brain(value.lower())
    if Path(value).is_file():
        return Path(value)
    raise ValueError(f"Choose one of {', '.join(Brain)}, or give the file of a brain mask.")


@accept_old_names
@dataclass(frozen=True)
class Options:
    """Choices for `pipeline.segment`; every default is what we advise.

    What each one means stands in its `Option`. Words may be given as text.

    Raises:
        InputError: for a value that cannot be taken.
    """

    pack: str | Path | None = option(
        "model pack: a name or a folder (default: the recommended one)",
        "--pack",
        metavar="NAME",
        parameter="pack",
    )
    members: tuple[str, ...] | int | None = option(
        "how many members, or names with commas (default: all)",
        "--members",
        kind=_members,
        minimum=1,
        metavar="N|NAMES",
        parameter="members",
    )
    tta: str | None = option(
        "test-time augmentation: the transforms to average over (default: the pack's advice)",
        "--tta",
        kind=Tta,
        parameter="views",
        was="views",
    )
    slice_preselection: str = option(
        "have the whole ensemble compute only slices near tumour, as its first member sees it "
        "(auto: the pack's advice)",
        *("--slice-preselection", "--cascade"),
        kind=SlicePreselection,
        default=SlicePreselection.AUTO,
        was="cascade",
    )
    device: str = option(
        "where to compute",
        "--device",
        default="auto",
        metavar="auto|cpu|cuda[:n]|mps",
        parameter="device",
    )
    engine: str = option(
        "auto takes OpenVINO on the CPU where it is installed, else torch",
        "--engine",
        kind=Engine,
        default=Engine.AUTO,
    )
    precision: str = option(
        "auto is fp32, on CUDA fp16, with OpenVINO bf16 where the processor has it and the pack "
        "was checked for it; bf16 is faster and moves a few voxels in a thousand",
        "--precision",
        kind=Precision,
        default=Precision.AUTO,
    )
    batch: int | None = option(
        "slices at once (default: found)",
        "--batch",
        kind=int,
        minimum=1,
        metavar="N",
        recorded=False,
    )
    registration: str = option(
        "auto takes BRAINSFit where it is found; none trusts the files' positions",
        "--registration",
        kind=Registration,
        default=Registration.AUTO,
        parameter="registration",
    )
    brainsfit: Path | None = option(
        "the BRAINSFit executable (default: looked for); ask, with --progress json, has the "
        "calling program run it",
        "--brainsfit",
        kind=Path,
        metavar="FILE|ask",
        recorded=False,
    )
    brain: str | Path = option(
        "how to find the brain, or a mask file on any grid",
        "--brain",
        kind=_brain,
        default=Brain.AUTO,
        metavar="|".join((*Brain, "FILE")),
        parameter="brain",
    )
    brain_mask: sitk.Image | None = option(
        "a mask to use instead, on any grid", metavar="image", recorded=False
    )
    bias_field: str = option(
        "correct the smooth brightening by a coil with N4 (auto: where it is strong)",
        *("--bias-field", "--shading"),
        kind=BiasField,
        default=BiasField.AUTO,
        parameter="shading",
        was="shading",
    )
    min_lesion_mm3: float = option(
        f"remove separate lesions smaller than this (default: {MIN_LESION_MM3:g})",
        "--min-lesion",
        kind=float,
        default=MIN_LESION_MM3,
        minimum=0,
        unit="mm³",
        metavar="MM3",
        parameter="minLesion",
    )
    keep_distant_components: bool = option(
        "keep small parts far from the largest lesion, which are mostly false",
        *("--keep-distant-components", "--keep-islands"),
        kind=bool,
        default=False,
        parameter="keepIslands",
        was="keep_islands",
    )
    probabilities: bool = option(
        "keep the class probabilities", kind=bool, default=False, recorded=False
    )
    registered: bool = option(
        "keep the scans resampled to the reference", kind=bool, default=False, recorded=False
    )

    def __post_init__(self) -> None:
        check_options(self)

    def as_record(self) -> Mapping[str, Any]:
        """The choices as plain JSON types, by their names and by those of version 0.1."""
        record: dict[str, Any] = {}
        for name, definition in options_of(Options).items():
            value = getattr(self, name)
            if not definition.recorded:
                continue
            if name == "brain" and (self.brain_mask is not None or isinstance(value, Path)):
                value = "mask"
            if isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, (str, Path)):
                value = str(value)
            record |= {key: value for key in (definition.was, name) if key}
        return record


@dataclass(frozen=True)
class ProcessOptions:
    """How a command uses the machine and shows its progress, whatever it computes."""

    threads: int | None = option(
        "CPU threads (default: all cores)", "--threads", kind=int, minimum=1, metavar="N"
    )
    progress: str = option(
        "a bar on a terminal, JSON lines on standard output for programs, or nothing",
        "--progress",
        kind=ProgressDisplay,
        default=ProgressDisplay.BAR,
    )

    def __post_init__(self) -> None:
        check_options(self)


def options_table() -> str:
    """The options of a run as a Markdown table, for the documentation."""
    lines = ["| Command line | Python | Values | Default | Meaning |", f"|{' --- |' * 5}"]
    for kind in (Options, ProcessOptions):
        for name, definition in options_of(kind).items():
            flags = ", ".join(f"`{flag}`" for flag in definition.flags)
            python = f"`{name}`" if kind is Options else ""
            default = "" if definition.default in (None, False) else f"`{definition.default}`"
            cells = (flags, python, definition.values, default, definition.help)
            lines.append(f"| {' | '.join(cells)} |".replace("  ", " "))
    return "\n".join(lines) + "\n"
