"""Finding the scans and the labels of a case, and reading what the labels mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from BrainTumorSegLib.core.config_tables import suggestion
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence, recognize_files
from BrainTumorSegLib.core.tissue import PROTOCOLS, LabelProtocol, Tissue
from BrainTumorSegLib.io.folders import READABLE_SUFFIXES, image_files

_LABEL_WORDS = {"seg", "segmentation", "label", "labels", "labelmap", "truth", "tumor", "tumour"}

_TISSUES = {tissue.key: tissue for tissue in Tissue}
_PROTOCOL_REMEDY = (
    "Give one of the known names, or write the labels out: "
    "'1=necrosis|non_enhancing 2=edema 4=enhancing'."
)


def find_case_files(folder: Path, case: str) -> tuple[dict[Sequence, Path], Path]:
    """The scan of each sequence, and the labels.

    ``CASE_t1.nii.gz``, ``CASE_t1ce.nii.gz``, ``CASE_flair.nii.gz`` and ``CASE_seg.nii.gz`` are
    taken as they are; of other names the sequence is recognised. T1 and FLAIR may be missing.

    Raises:
        TrainingError: when the folder, T1CE or the labels are missing or ambiguous.
    """
    if not folder.is_dir():
        raise TrainingError(f"The folder {folder} of case {case} does not exist.")
    exact = {s: folder / f"{case}_{s.value}.nii.gz" for s in Sequence}
    labels = folder / f"{case}_seg.nii.gz"
    there = {sequence: path for sequence, path in exact.items() if path.is_file()}
    if there or labels.is_file():
        for path in (exact[Sequence.T1CE], labels):
            if not path.is_file():
                raise TrainingError(f"{path} is missing.", "T1CE and labels are always needed.")
        return there, labels
    images = image_files(folder)
    label_files = [path for path in images if is_label_file(path)]
    if len(label_files) != 1:
        names = ", ".join(path.name for path in label_files)
        raise TrainingError(
            f"Case {case} needs one file of labels in {folder}; there is "
            f"{names or 'no file with a name like labels.nii.gz'}.",
            "Keep one, or name it in the column labels of cases.tsv.",
        )
    found = recognize_files([path for path in images if path not in label_files])
    if found.ambiguities:
        raise TrainingError(
            f"Case {case} in {folder}: {found.ambiguities[0].reason}",
            "Rename the files, or name them in columns t1, t1ce, flair and labels of cases.tsv.",
        )
    if Sequence.T1CE not in found.chosen:
        raise TrainingError(
            f"Case {case} in {folder} has no contrast-enhanced T1 scan that can be told by name.",
            "Rename it, for example to t1ce.nii.gz, or name it in the column t1ce of cases.tsv.",
        )
    return dict(found.chosen), label_files[0]


def named_files(folder: Path, row: Mapping[str, str]) -> tuple[dict[Sequence, Path], Path] | None:
    """Files that a row of a table names, relative to its folder; None when it names none.

    Raises:
        TrainingError: when it names only some of what is needed, or a file is missing.
    """
    keys = (*(sequence.value for sequence in Sequence), "labels")
    paths = {key: folder / row[key] for key in keys if row.get(key)}
    if not paths:
        return None
    for key in (Sequence.T1CE.value, "labels"):
        if key not in paths:
            raise TrainingError(
                f"Case {row['case']} names files, but none in the column {key}.",
                "T1CE and labels are always needed.",
            )
    for key, path in paths.items():
        if not path.is_file():
            raise TrainingError(f"{path} ({key} of case {row['case']}) is missing.")
    labels = paths.pop("labels")
    return {Sequence(key): path for key, path in paths.items()}, labels


def case_folders(folder: Path) -> Iterator[Path]:
    """Folders at any depth that hold labels, in the order of their names."""
    yield from sorted({path.parent for path in _visible(folder) if is_label_file(path)})


def unlabeled_folders(folder: Path) -> list[Path]:
    """Folders with scans but no labels, which would be left out of a cohort without a word.

    What lies in a case's own folder or holds labelled cases is none.
    """
    labeled = set(case_folders(folder))
    found: dict[Path, list[Path]] = {}
    for path in sorted(_visible(folder)):
        place = path.parent
        if path.name.lower().endswith(READABLE_SUFFIXES) and path.is_file():
            found.setdefault(place, []).append(path)
    above = {parent for place in labeled for parent in place.parents}
    return [
        place
        for place, images in found.items()
        if place not in above
        and not labeled & {place, *place.parents}
        and any(r.sequence is not None for r in recognize_files(images).recognitions.values())
    ]


def _visible(folder: Path) -> Iterator[Path]:
    """What lies in a folder at any depth, but for what is hidden or left unfinished."""
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def is_label_file(path: Path) -> bool:
    """Whether a name is that of labels: ``.seg.nrrd``, or with a word like *seg* or *labels*."""
    name = path.name.lower()
    suffix = next((s for s in READABLE_SUFFIXES if name.endswith(s)), None)
    if suffix is None:
        return False
    words = set(re.split(r"[^a-z]+", name.removesuffix(suffix)))
    return suffix == ".seg.nrrd" or bool(words & _LABEL_WORDS)


def read_protocol(text: str) -> LabelProtocol:
    """A label protocol from its name, or from what each label may be.

    Args:
        text: a key of `tissue.PROTOCOLS`, or pairs like ``1=necrosis|non_enhancing 2=edema``;
            what is left out of 0 is background.

    Returns:
        The protocol; one that was written out is named by its pairs in the order of labels.

    Raises:
        TrainingError: when it is neither.
    """
    text = text.strip()
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    if "=" not in text:
        raise TrainingError(
            f"Unknown label protocol {text!r}.",
            f"{suggestion(text, PROTOCOLS)} {_PROTOCOL_REMEDY}",
        )
    labels = {0: frozenset({Tissue.BACKGROUND})}
    for pair in re.split(r"[\s,;]+", text):
        number, _, names = pair.partition("=")
        if not number.isdecimal() or not 0 <= int(number) <= 255:
            raise TrainingError(
                f"Label protocol {text!r}: {pair!r} cannot be read.", _PROTOCOL_REMEDY
            )
        unknown = [name for name in names.split("|") if name not in _TISSUES]
        if unknown:
            raise TrainingError(
                f"Label protocol {text!r}: there is no tissue {unknown[0]!r}.",
                suggestion(unknown[0], _TISSUES),
            )
        labels[int(number)] = frozenset(_TISSUES[name] for name in names.split("|"))
    name = " ".join(
        f"{number}={'|'.join(tissue.key for tissue in sorted(allowed))}"
        for number, allowed in sorted(labels.items())
    )
    return LabelProtocol(name, labels)
