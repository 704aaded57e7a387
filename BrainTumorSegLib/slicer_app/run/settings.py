"""What is chosen for a run, and the worker's command line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.option_fields import command_line, options_of
from BrainTumorSegLib.core.options import Options, Registration
from BrainTumorSegLib.core.sequences import Sequence

from ..guess.scans import contradictionOf
from ..host.host import brainsfitProgram

#: Files that the worker writes into the run folder.
LABELS, DISAGREEMENT = "labels.nrrd", "disagreement.nrrd"
REPORT, REPORT_PAGE = "report.json", "report.html"

#: The options that the panel has: name in the parameter node, and in `Options`.
PARAMETERS = {
    option.parameter: name for name, option in options_of(Options).items() if option.parameter
}


@dataclass(frozen=True)
class RunSettings:
    """The choices for one run.

    Attributes:
        t1, t1ce, flair: scalar volume nodes.
        reference: the sequence on whose grid the result lies.
        outputSegmentation: a segmentation node whose content is replaced; None for a new one.
        options: how to compute. ``brainsfit`` is Slicer's own here, and ``auto`` the same
            (SimpleITK with a warning where Slicer lacks it).
        disagreementVolume: keep the map of disagreement as a volume node.
        registeredCopies: keep the scans resampled onto the reference.
        name: of the case in reports.
    """

    t1: Any = None
    t1ce: Any = None
    flair: Any = None
    reference: Sequence = Sequence.T1CE
    outputSegmentation: Any = None
    options: Options = field(default_factory=Options)
    disagreementVolume: bool = False
    registeredCopies: bool = False
    name: str | None = None

    @property
    def scans(self) -> dict[Sequence, Any]:
        """The volume nodes that there are, by sequence."""
        nodes = {sequence: getattr(self, sequence.value) for sequence in Sequence}
        return {sequence: node for sequence, node in nodes.items() if node is not None}

    @property
    def referenceNode(self) -> Any:
        """The volume node on whose grid the result lies; None when it was not chosen."""
        return self.scans.get(Sequence(self.reference))


def scanFiles(settings: RunSettings) -> dict[Sequence, str]:
    """Names of the files to export the volumes to; reports and messages will show them.

    A name that contradicts the choice is left out: we warn of it, the worker shall not as well.
    """
    return {
        s: _scanFile(s, "" if contradictionOf(node, s) else node.GetName())
        for s, node in settings.scans.items()
    }


def _scanFile(sequence: Sequence, name: str) -> str:
    """The node's name as far as ASCII goes.

    It travels through a launcher that reads its command line in the locale's encoding.
    """
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", plain).strip("-.")[:60]
    return f"{sequence.value}-{plain}.nrrd" if plain else f"{sequence.value}.nrrd"


def optionsFrom(choices: Mapping[str, Any]) -> Options:
    """The options of a run in Slicer.

    Args:
        choices: by the names in `Options`, or in the parameter node where that differs
            (``shading``, ``minLesion``, ``keepIslands``); None leaves the default.

    Raises:
        InputError: for a value that cannot be taken.
        TypeError: for a name that no option of the worker has.
    """
    known = {name: name for name, option in options_of(Options).items() if option.flags}
    del known["brainsfit"]
    known |= PARAMETERS
    unknown = choices.keys() - known.keys()
    if unknown:
        raise TypeError(f"There is no option {', '.join(sorted(unknown))}.")
    return Options(**{known[key]: value for key, value in choices.items() if value is not None})


def settingsFrom(parameters: Any) -> RunSettings:
    """What was chosen, as a run takes it.

    Args:
        parameters: the wrapped parameter node; its enumerations have the command
            line's words as values, an empty one meaning what the model advises.
    """
    options = {}
    for parameter in PARAMETERS:
        value = getattr(parameters, parameter)
        value = value.value if isinstance(value, Enum) else value
        # Zero members, no pack and no word mean what the library advises; 0 mm³ means that.
        options[parameter] = value if isinstance(value, float) else value or None
    return RunSettings(
        t1=_present(parameters.t1),
        t1ce=_present(parameters.t1ce),
        flair=_present(parameters.flair),
        reference=Sequence(parameters.reference.value),
        outputSegmentation=_present(parameters.outputSegmentation),
        options=optionsFrom(options),
        disagreementVolume=parameters.disagreementVolume,
        registeredCopies=parameters.registeredCopies,
    )


def _present(node: Any) -> Any:
    """A node that was removed from the scene while the panel was hidden counts as not chosen."""
    return node if node is not None and node.GetScene() is not None else None


def workerArguments(
    settings: RunSettings, files: Mapping[Sequence, str], registration: str
) -> list[str]:
    """The command line for the worker, which works in the run folder.

    Args:
        settings: the choices.
        files: the exported volumes, see `scanFiles`.
        registration: ``brainsfit`` to be asked for every run of it, ``simpleitk``, ``none``.
    """
    arguments = ["segment"]
    for sequence, file in files.items():
        arguments += [f"--{sequence.value}", file]
    arguments += ["--reference", Sequence(settings.reference).value, "--output", LABELS]
    arguments += ["--disagreement", DISAGREEMENT, "--report", REPORT, "--report", REPORT_PAGE]
    arguments += ["--progress", "json"]
    if registration == "brainsfit":
        arguments += ["--brainsfit", "ask"]
    if settings.name is not None:
        arguments.append(f"--name={settings.name}")
    return arguments + _optionWords(replace(settings.options, registration=registration))


def extrasFor(settings: RunSettings) -> tuple[str, ...]:
    """Packages beside the ordinary ones that the choices need, as `packages.missingPackages`."""
    return ("hdbet",) if settings.options.brain == "hdbet" else ()


def cohortArguments(
    settings: RunSettings, cases: Path, results: Path, formats: Collection[str], retryFailed: bool
) -> list[str]:
    """The command line for a worker that segments many cases, each as one run would.

    The map of disagreement is always kept, so that a result can be opened as after a run.

    Args:
        settings: the choices; its scans are left alone.
        cases: folder of the cases.
        results: folder of the results.
        formats: endings of what is wanted of each case, of `saving.FORMATS`; its record and a
            segmentation are made in any case.
        retryFailed: whether cases that failed before are tried again.
    """
    onlyNifti = "nii.gz" in formats and "seg.nrrd" not in formats
    wanted = {"disagreement": True, "html": "html" in formats, "dicom-seg": "dcm" in formats}
    wanted["dicom-sr"] = "sr.dcm" in formats
    wanted["labelmap"] = "nii.gz" in formats and not onlyNifti
    arguments = ["cohort", str(cases), f"--output={results}", "--progress", "json"]
    arguments += ["--stop-by-input", "--reference", Sequence(settings.reference).value]
    arguments += ["--format", "nii.gz" if onlyNifti else "seg.nrrd"]
    arguments += [f"--also={kind}" for kind, chosen in wanted.items() if chosen]
    arguments += ["--retry-failed"] if retryFailed else []
    options = settings.options
    if options.registration in (Registration.AUTO, Registration.BRAINSFIT):
        program = brainsfitProgram()
        engine = Registration.SIMPLEITK if program is None else Registration.BRAINSFIT
        options = replace(options, registration=engine, brainsfit=program)
    return arguments + _optionWords(options)


def _optionWords(options: Options) -> list[str]:
    """Options with paths as seen from the worker's folder; a name stays a name."""
    if options.pack is not None and Path(options.pack).exists():
        options = replace(options, pack=Path(options.pack).absolute())
    if isinstance(options.brain, Path):
        options = replace(options, brain=options.brain.absolute())
    return command_line(options)
