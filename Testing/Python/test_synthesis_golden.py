"""Samples of the generator are those that the shipped packs were trained with, seed by seed.

On one machine a change that is not meant to alter samples leaves every voxel as it was; other
processors round differently, so what is recorded are summaries, and a little may differ. After a
change that is meant, raise `GENERATOR_VERSION`, and remake the record with
``python Testing/Python/test_synthesis_golden.py``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from BrainTumorSegLib.synthesis import sources
from BrainTumorSegLib.synthesis.config import Kind, SynthesisConfig, held_out
from BrainTumorSegLib.synthesis.generator import Sample, synthesize

RECORD = Path(__file__).with_name("synthesis_golden.json")
CONFIG = SynthesisConfig(slab=16)
CASES = {
    **{kind.value: CONFIG.only(kind) for kind in Kind if kind.value != "carved"},
    "held_out": held_out(CONFIG.only(Kind.GLIOBLASTOMA)),
}
FIRST_HEAD = partial(lambda draw, seed: draw(0), sources.drawn_head)


@pytest.fixture(scope="module", autouse=True)
def one_head():
    """Drawing a head takes seconds: all samples are made of one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "drawn_head", FIRST_HEAD)
        yield


def make(name: str) -> Sample:
    return synthesize(replace(CASES[name], real_share=0.0), sources.Sources(), [11, 4])


def summary(sample: Sample) -> dict:
    """Counts and moments that tell two samples apart."""
    scans = {
        sequence.value: [float(v) for v in (scan.mean(), scan.std(), np.percentile(scan, 99))]
        for sequence, scan in sorted(sample.scans.items(), key=lambda pair: pair[0].value)
    }
    return {
        "shape": list(sample.labels.shape),
        "voxels": np.bincount(sample.labels.ravel(), minlength=5).tolist(),
        "brain": int(sample.brain.sum()),
        "scans": scans,
        "record": json.loads(json.dumps(dict(sample.record))),
    }


@pytest.mark.parametrize("name", CASES)
def test_a_seed_gives_the_sample_on_record(name):
    found, expected = summary(make(name)), json.loads(RECORD.read_text(encoding="utf-8"))[name]
    assert found["record"] == expected["record"]
    assert found["shape"] == expected["shape"]
    assert found["voxels"] == pytest.approx(expected["voxels"], rel=0.002, abs=3)
    assert found["brain"] == pytest.approx(expected["brain"], rel=0.0005)
    assert found["scans"].keys() == expected["scans"].keys()
    for sequence, moments in expected["scans"].items():
        assert found["scans"][sequence] == pytest.approx(moments, rel=1e-4)


if __name__ == "__main__":
    sources.drawn_head = FIRST_HEAD
    lines = [f'"{name}": {json.dumps(summary(make(name)), sort_keys=True)}' for name in CASES]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
