"""Samples as files: a cohort that training reads like one of real cases."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.atomic import atomic_group, atomic_path, check_writable, make_folder
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.synthesis.tumours.generate import Sample

_PROTOCOL = "necrosis1_edema2_nonenhancing3_enhancing4"


@dataclass
class CohortWriter:
    """Writes samples to ``<folder>/brats/<case>/`` and lists them in ``<folder>/cases.tsv``.

    Raises:
        OutputError: when a file exists and ``overwrite`` is not set, or cannot be written.
    """

    folder: Path
    overwrite: bool = False
    _rows: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_folder(self.folder)
        check_writable(self.table, self.overwrite)

    @property
    def table(self) -> Path:
        """The table of cases."""
        return self.folder / "cases.tsv"

    def add(self, name: str, fold: int, sample: Sample) -> None:
        """Write one sample: scans, labels, brain mask, and the record as JSON.

        Raises:
            InputError: when its truth merges tissues, which one label map cannot say.
        """
        # A mask that cut tumour off allows background there, which is no merging.
        merged = sample.allowed & ~np.uint8(1)
        if np.any(merged & (merged - 1)):
            raise InputError(
                f"The truth of {name} merges tissues.", "Carved samples cannot be written as files."
            )
        place = self.folder / "brats" / name
        place.mkdir(parents=True, exist_ok=True)
        arrays = {s.value: a * sample.brain for s, a in sample.scans.items()}
        arrays |= {"seg": sample.labels, "brain": sample.brain.astype(np.uint8)}
        paths = {key: place / f"{name}_{key}.nii.gz" for key in arrays}
        record = place / f"{name}.json"
        with atomic_group([*paths.values(), record], self.overwrite) as temporary:
            for key, array in arrays.items():
                write_image(sample.image(array), temporary[paths[key]])
            text = json.dumps(dict(sample.record), indent=2, sort_keys=True)
            temporary[record].write_text(text, encoding="utf-8")
        self._rows.append((name, str(sample.record["kind"]), str(fold), _PROTOCOL))

    def finish(self) -> Path:
        """Write the table and return its path."""
        lines = [("case", "looks_like", "fold", "label_protocol"), *self._rows]
        with atomic_path(self.table, self.overwrite) as path:
            path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
        return self.table
