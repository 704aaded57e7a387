"""What a peer notes about itself: the time of its stages and of single passes of its network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: The stage whose time is compared on its own: from normalised images to probabilities.
NETWORK = "network"


class Stopwatch:
    """Wall and CPU time of named stages, in seconds; CPU time is that of all threads."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        spent = self.stages.setdefault(name, {"wall_s": 0.0, "cpu_s": 0.0})
        spent["wall_s"] += time.perf_counter() - wall
        spent["cpu_s"] += time.process_time() - cpu


class Passes:
    """Times every call of a network; after ``limit`` calls it repeats its last answer instead.

    Everything around the network goes on as usual, so that only what was not computed has
    to be estimated afterwards. The result is worthless then; only the time counts.

    Args:
        network: a torch module; its ``forward`` is replaced.
        limit: calls that are really made; None for all.
    """

    def __init__(self, network: Any, limit: int | None = None) -> None:
        self._forward, self._limit, self._last = network.forward, limit, None
        self.timed: list[dict[str, float]] = []
        self.skipped_items = 0
        network.forward = self

    def __call__(self, images: Any) -> Any:
        enough = self._limit is not None and len(self.timed) >= self._limit
        if enough and len(self._last) >= len(images):
            self.skipped_items += len(images)
            return self._last[: len(images)].clone()
        wall, cpu = time.perf_counter(), time.process_time()
        output = self._forward(images)
        self.timed.append(
            {
                "items": len(images),
                "wall_s": time.perf_counter() - wall,
                "cpu_s": time.process_time() - cpu,
            }
        )
        # A copy, because callers may add to the answer in place.
        self._last = output.clone() if self._limit == len(self.timed) else self._last
        return output

    def as_record(self) -> dict[str, Any]:
        return {"timed": self.timed, "skipped_items": self.skipped_items}


def write_notes(path: Path, stopwatch: Stopwatch, **more: Any) -> None:
    """Write what was noted as JSON."""
    notes = {"stages": stopwatch.stages, **more}
    path.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
