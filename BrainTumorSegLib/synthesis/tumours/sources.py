"""Where samples come from: label maps of heads, real tumour shapes, real scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.synthesis.tumours.canvas import Anatomy
from BrainTumorSegLib.synthesis.tumours.drawn_heads import drawn_head
from BrainTumorSegLib.synthesis.tumours.heads import read_head
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.real_scans import (
    MIN_SYMMETRY,
    RealCase,
    healthy_half,
    read_real,
)
from BrainTumorSegLib.synthesis.tumours.real_shapes import RealShape, read_shape

#: Every fifth head and shape is kept for held-out samples.
_HELD_OUT_EVERY = 5

#: Heads that are drawn where there are no label maps, for each part.
_DRAWN = 4


@dataclass(frozen=True)
class Sources:
    """Files that samples are made of.

    Attributes:
        heads: FreeSurfer-style label maps of whole heads at 1 mm; when there are none, a
            few heads are drawn, which needs no data.
        shapes: label maps of real tumours (1 oedema, 2 core, 3 enhancing); may be empty.
        cases: real scans to paint on and carve from; may be empty. Give training cases
            only: what is painted on them shows their anatomy.
    """

    heads: tuple[Path, ...] = ()
    shapes: tuple[Path, ...] = ()
    cases: tuple[RealCase, ...] = ()

    def head(self, rng: np.random.Generator, part: str) -> Anatomy:
        """A head of a part, see `settings.PARTS`."""
        if not self.heads:
            first = _DRAWN if part == "held_out" else 0
            return drawn_head(first + int(rng.integers(_DRAWN)))
        paths = _of_part(self.heads, part)
        if not paths:
            raise InputError(
                f"There is no head label map for {part} samples.",
                "Give five label maps at least, or none, so that heads are drawn.",
            )
        return read_head(paths[rng.integers(len(paths))])

    def shape(self, rng: np.random.Generator, kind: Kind, part: str) -> RealShape | None:
        """A real shape that suits a kind of glioma; None when a few tries found none."""
        paths = _of_part(self.shapes, part)
        for _ in range(12 if paths else 0):
            shape = read_shape(paths[rng.integers(len(paths))])
            if shape is None:
                continue
            enhancing = shape.enhancing_ml > 0.12 * shape.core_ml
            if enhancing == (kind is Kind.GLIOBLASTOMA):
                return shape
        return None

    def case(self, rng: np.random.Generator) -> Anatomy:
        """A real case with its tumour."""
        return read_real(self.cases[rng.integers(len(self.cases))])

    def case_with_a_healthy_half(self, rng: np.random.Generator, symmetric: bool) -> Anatomy | None:
        """A real case one half of which is free of tumour; None when a few tries found none.

        Args:
            rng: source of chance.
            symmetric: whether its midline must not be shifted, so that it can be mirrored.
        """
        for _ in range(8 if self.cases else 0):
            anatomy = self.case(rng)
            if symmetric and anatomy.symmetry < MIN_SYMMETRY:
                continue
            if healthy_half(anatomy) is not None:
                return anatomy
        return None


def find_sources(data: Path, cases: Iterable[RealCase] = ()) -> Sources:
    """The sources in a data folder: ``synthseg_head_labels/`` and ``msd_tumour_labels/``.

    Either may be missing: then heads are drawn, and shapes are made up.

    Raises:
        InputError: when there is no such folder.
    """
    if not data.is_dir():
        raise InputError(f"The folder {data} does not exist.", "Check its name.")
    heads = tuple(sorted((data / "synthseg_head_labels").glob("*.nii.gz")))
    shapes = tuple(sorted((data / "msd_tumour_labels").glob("*.nii.gz")))
    return Sources(heads, shapes, tuple(cases))


def _of_part(paths: tuple[Path, ...], part: str) -> list[Path]:
    if part == "all":
        return list(paths)
    held_out = part == "held_out"
    return [p for n, p in enumerate(paths) if (n % _HELD_OUT_EVERY == 4) == held_out]
