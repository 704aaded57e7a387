"""Where everything of a study lies.

Names follow BIDS 1.10: raw scans as they were scanned, results below ``derivatives``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

SETTINGS = "study.toml"

#: Descriptions of segmentations, as the entity ``desc`` has them; readers besides.
AUTO, APPROVED = "auto", "approved"

#: Endings of a segmentation: a label map, and one for Slicer.
LABELMAP, SLICER = "_dseg.nii.gz", "_dseg.seg.nrrd"

#: The entity of a scan after the contrast agent.
CONTRAST = "_ce-gadolinium"

#: The entity of a scan that lies on the grid of the contrast-enhanced T1.
ON_T1CE = "_space-T1ce"

_CASE = re.compile(r"sub-([0-9A-Za-z]+)_ses-([0-9A-Za-z]+)")
_SUFFIXES = {Sequence.T1: "T1w", Sequence.T1CE: "T1w", Sequence.FLAIR: "FLAIR"}


@dataclass(frozen=True, order=True)
class CaseName:
    """A visit of a patient: ``sub-001_ses-01``.

    Attributes:
        subject: pseudonym of the patient, without ``sub-``.
        session: number of the visit, without ``ses-``.
    """

    subject: str
    session: str

    def __str__(self) -> str:
        return f"sub-{self.subject}_ses-{self.session}"

    @property
    def folder(self) -> Path:
        """Its folder in the raw data set and in the derivatives."""
        return Path(f"sub-{self.subject}", f"ses-{self.session}")

    @classmethod
    def parse(cls, text: str) -> CaseName:
        """The case of that name.

        Raises:
            InputError: when it is none.
        """
        found = _CASE.fullmatch(text)
        if found is None:
            raise InputError(f"{text} is no name of a case.", "Write it like sub-001_ses-01.")
        return cls(*found.groups())


def reader_description(letter: str) -> str:
    """The description of what a reader has drawn: ``readerA``."""
    return f"reader{letter}"


@dataclass(frozen=True)
class Layout:
    """The places in a study; nothing of it need exist.

    Attributes:
        folder: of the study.
    """

    folder: Path

    @property
    def settings(self) -> Path:
        """Title, profile, label protocol and readers."""
        return self.folder / SETTINGS

    @property
    def registry(self) -> Path:
        """One row a patient and visit."""
        return self.folder / "registry.tsv"

    @property
    def registry_description(self) -> Path:
        """What the columns of the registry mean."""
        return self.folder / "registry.json"

    @property
    def inventory(self) -> Path:
        """One row a file that was given to ``study add``, and what became of it."""
        return self.folder / "inventory.tsv"

    @property
    def journal(self) -> Path:
        """A file for every person and computer."""
        return self.folder / "journal"

    @property
    def leases(self) -> Path:
        """Files that somebody holds while a case or the registry is open."""
        return self.folder / ".leases"

    @property
    def sourcedata(self) -> Path:
        """De-identified DICOM."""
        return self.folder / "sourcedata"

    @property
    def derivatives(self) -> Path:
        """All results."""
        return self.folder / "derivatives" / "braintumorseg"

    def lease(self, name: str) -> Path:
        """The lease of a case, or of anything else that one person at a time may change."""
        return self.leases / f"{name}.lease"

    def source(self, case: CaseName) -> Path:
        """The DICOM files of a case."""
        return self.sourcedata / case.folder

    def anat(self, case: CaseName) -> Path:
        """The scans of a case."""
        return self.folder / case.folder / "anat"

    def raw(self, case: CaseName, sequence: Sequence, enhanced: bool = False) -> Path:
        """The scan of a sequence.

        Args:
            case: which.
            sequence: which; T1CE always is enhanced.
            enhanced: whether a FLAIR was taken after the contrast agent.
        """
        contrast = CONTRAST if enhanced or sequence is Sequence.T1CE else ""
        return self.anat(case) / f"{case}{contrast}_{_SUFFIXES[sequence]}.nii.gz"

    def scans(self, case: CaseName) -> dict[Sequence, Path]:
        """The raw scans that are there."""
        found = {}
        for sequence in Sequence:
            for enhanced in (False, True):
                path = self.raw(case, sequence, enhanced)
                if (sequence is not Sequence.T1 or not enhanced) and path.is_file():
                    found[sequence] = path
        return found

    def results(self, case: CaseName) -> Path:
        """The folder of a case's registered scans, segmentations and records."""
        return self.derivatives / case.folder / "anat"

    def registered(self, case: CaseName, sequence: Sequence) -> Path:
        """A scan on the grid of the contrast-enhanced T1."""
        return self.results(case) / f"{case}{ON_T1CE}_{_SUFFIXES[sequence]}.nii.gz"

    def segmentation(self, case: CaseName, description: str, ending: str = LABELMAP) -> Path:
        """A segmentation, or what belongs to it (another ending).

        Args:
            case: which.
            description: `AUTO`, `APPROVED`, or what `reader_description` says.
            ending: `LABELMAP`, `SLICER`, ``_record.json``, ``_overview.png``, ...
        """
        return self.results(case) / f"{case}{CONTRAST}_desc-{description}{ending}"

    def has_segmentation(self, case: CaseName, description: str) -> bool:
        """Whether there is one, in either format."""
        paths = (self.segmentation(case, description, ending) for ending in (LABELMAP, SLICER))
        return any(path.is_file() for path in paths)

    def cases(self) -> Iterator[CaseName]:
        """Cases that have a folder among the raw scans or the DICOM files, in order."""
        names = {
            f"{place.parent.name}_{place.name}"
            for top in (self.folder, self.sourcedata)
            for place in top.glob("sub-*/ses-*")
        }
        yield from sorted(CaseName.parse(name) for name in names if _CASE.fullmatch(name))
