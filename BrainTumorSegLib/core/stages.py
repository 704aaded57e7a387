"""The stages of a run, known before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping

#: Stages of `pipeline.segment` and around it, with their rough share of the time on a CPU.
STAGES: Mapping[str, float] = {
    "read": 2,
    "register": 20,
    "brain": 15,
    "prepare": 4,
    "segment": 50,
    "restore": 6,
    "write": 3,
}
