"""From files to a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from BrainTumorSegLib.core.case import Case, make_case
from BrainTumorSegLib.core.mix_ups import contradiction
from BrainTumorSegLib.core.sequences import Sequence, recognize

from .volumes import read_scan


def load_case(
    paths: Mapping[Sequence, Path],
    reference: Sequence = Sequence.T1CE,
    identity: str | None = None,
) -> Case:
    """Read one patient's scans and check them singly and together.

    A file whose name says that it is another sequence is worth a warning.

    Args:
        paths: the image file of each sequence there is.
        reference: the sequence on whose grid the result shall live.
        identity: a name for reports. Unless given it is made of the first digits of
            the reference's SHA-256, because file names may hold a patient's name.

    Raises:
        InputError: as in `read_scan` and `make_case`.
    """
    scans = {sequence: read_scan(Path(path)) for sequence, path in paths.items()}
    if identity is None:
        named = scans.get(reference) or next(iter(scans.values()), None)
        identity = f"case-{named.sha256[:8]}" if named and named.sha256 else "case"
    case = make_case(identity, scans, reference)
    noticed = [text for scan in scans.values() for text in scan.warnings]
    for sequence, path in paths.items():
        # Folders testify of nothing here: their names often speak of a whole study.
        found = contradiction(str(path), sequence, recognize(Path(path).name))
        noticed += [found] if found else []
    return replace(case, warnings=(*case.warnings, *noticed))
