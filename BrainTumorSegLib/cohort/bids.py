"""BIDS data sets: the cases in one, and the names of results as BIDS derivatives have them.

Source: BIDS specification 1.10, "Magnetic Resonance Imaging" and "Derivatives: imaging".
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.io.atomic import atomic_group

from .cases import CohortCase

DESCRIPTION = "dataset_description.json"

#: Version of the specification that what we write follows.
BIDS_VERSION = "1.10.0"

_SUFFIX = re.compile(r"_(T1w|FLAIR)\.nii(\.gz)?$")


def is_bids(folder: Path) -> bool:
    """Whether a folder is a BIDS data set: it says so, or holds folders of subjects."""
    return (folder / DESCRIPTION).is_file() or any(folder.glob("sub-*/**/anat"))


def find_bids_cases(
    folder: Path, participants: Collection[str] = (), sessions: Collection[str] = ()
) -> list[CohortCase]:
    """One case for every session of every subject, raw data only.

    A T1w image with the entity ``ce`` is the contrast-enhanced one.

    Args:
        participants, sessions: labels, with or without ``sub-`` and ``ses-``; empty for all.

    Raises:
        InputError: when a label is not in the data set.
    """
    subjects = _labeled(folder, "sub", participants)
    cases = []
    for subject in subjects:
        inside = [p for p in sorted(subject.glob("ses-*")) if p.is_dir()]
        wanted = {_label("ses", session) for session in sessions}
        places = [p for p in inside or [subject] if not wanted or p.name in wanted]
        cases += [_case(folder, place) for place in places]
    if sessions and not cases:
        raise InputError(
            f"No subject of {folder} has the session {', '.join(sessions)}.", "Check the label."
        )
    return cases


def _labeled(folder: Path, kind: str, labels: Collection[str]) -> list[Path]:
    there = {p.name: p for p in sorted(folder.glob(f"{kind}-*")) if p.is_dir()}
    names = [_label(kind, label) for label in labels] or list(there)
    missing = [name for name in names if name not in there]
    if missing:
        shown = ", ".join(list(there)[:5]) + (", ..." if len(there) > 5 else "")
        raise InputError(
            f"{folder} has no {missing[0]}.", f"Check the label; there are {shown or 'none'}."
        )
    return [there[name] for name in names]


def _label(kind: str, label: str) -> str:
    return f"{kind}-{label.removeprefix(f'{kind}-')}"


def _case(dataset: Path, place: Path) -> CohortCase:
    entities = "_".join(place.relative_to(dataset).parts)
    found: dict[Sequence, list[Path]] = defaultdict(list)
    left_out = []
    for file in sorted((place / "anat").glob("*.nii*")):
        suffix = _SUFFIX.search(file.name)
        if suffix is None:
            left_out.append(f"{file.name}: Its suffix is neither T1w nor FLAIR.")
        elif suffix[1] == "FLAIR":
            found[Sequence.FLAIR].append(file)
        else:
            contrast = "_ce-" in file.name
            found[Sequence.T1CE if contrast else Sequence.T1].append(file)
    reasons = {
        Sequence.T1: "Its suffix is T1w, without the entity ce.",
        Sequence.T1CE: "Its suffix is T1w, with the entity ce.",
        Sequence.FLAIR: "Its suffix is FLAIR.",
    }
    problem = None
    several = next((s for s, files in found.items() if len(files) > 1), None)
    if several is not None:
        names = " and ".join(file.name for file in found[several])
        problem = (
            f"{entities} has more than one {several.name}: {names}.",
            "Write a cases.tsv with the columns case, t1, t1ce and flair that names one of each.",
        )
    elif Sequence.T1CE not in found:
        problem = (
            f"{entities} has no contrast-enhanced T1 scan.",
            "Add a T1w image with the entity ce, for example ce-gadolinium; it cannot be done "
            "without.",
        )
    scans = {s: files[0] for s, files in found.items() if len(files) == 1}
    reference = scans.get(Sequence.T1CE)
    stem = re.sub(_SUFFIX, "", reference.name) if reference else entities
    return CohortCase(
        entities,
        scans=scans,
        reasons={s: reasons[s] for s in scans},
        left_out=tuple(left_out),
        folder=(place.relative_to(dataset) / "anat").as_posix(),
        stem=f"{stem}_desc-auto",
        problem=problem,
    )


def write_dataset_files(folder: Path, source: Path, segmentations: str = "auto") -> None:
    """What makes a folder of results a BIDS derivative: its description, labels, and exceptions.

    Args:
        folder: of the results.
        source: the raw data set.
        segmentations: the entity ``desc`` of those whose labels are told.

    Raises:
        OutputError: when they cannot be written.
    """
    description = {
        "Name": "Brain tumor segmentations by BrainTumorSeg",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "BrainTumorSeg", "Version": __version__}],
        "DatasetLinks": {"raw": _link(source.resolve(), folder.resolve())},
    }
    label_rows = [(0, "Background")] + [(int(t), STYLES[t].title) for t in TUMOR_TISSUES]
    table = "index\tname\n" + "".join(f"{index}\t{name}\n" for index, name in label_rows)
    # Validators know neither our records and pictures nor formats other than NIfTI.
    ours = ("*_record.json", "*_report.html", "*_overview.png", "*_entropy.*", "logs/", "cohort.*")
    ignored = "\n".join((*ours, "*.nrrd", "*.mha", "*.dcm", ""))
    texts = {
        folder / DESCRIPTION: json.dumps(description, indent=2) + "\n",
        folder / f"desc-{segmentations}_dseg.tsv": table,
        folder / ".bidsignore": ignored,
    }
    with atomic_group(list(texts), overwrite=True) as temporary:
        for path, text in texts.items():
            temporary[path].write_text(text, encoding="utf-8")


def _link(source: Path, folder: Path) -> str:
    """From a folder to a data set, without the names of the folders above both."""
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:
        # On another drive of Windows.
        return source.as_uri()


def sidecar(sources: Collection[Path], reference: Path, dataset: Path) -> dict[str, Any]:
    """What a BIDS sidecar says of a segmentation: what it was made from, on which grid."""

    def uri(path: Path) -> str:
        return f"bids:raw:{path.relative_to(dataset).as_posix()}"

    return {"Sources": [uri(path) for path in sources], "SpatialReference": uri(reference)}
