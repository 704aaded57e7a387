"""One run in a process of its own, started with the path of an order as its only argument.

The order is a JSON file; the answer is another one, which appears when the run is over:
``{"result": {...}}`` or ``{"failure": {"message": ..., "remedy": ...}}``.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.evaluation.benchmark.clock import StageClock, cpu_seconds, peak_memory_bytes
from BrainTumorSegLib.io.atomic import atomic_path

if TYPE_CHECKING:
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.result import Segmentation


@dataclass(frozen=True)
class Order:
    """What a worker shall do.

    Attributes:
        kind: ``segment``, ``open``, ``peaks`` or ``prepare``.
        options: fields of `options.Options`.
        scans: file of each sequence, by its key.
        mask: file with the brain mask, or None.
        cases: how many cases to do one after the other.
        threads: CPU threads; None for the libraries' own choice.
        folder: where to put files; exists.
        started: `time.time` when the process was asked for.
        sizes: with ``prepare``, the sizes to cut: share by name.
        engines: with ``prepare``, engines whose networks are to be converted beforehand.
    """

    kind: str
    options: Mapping[str, Any]
    scans: Mapping[str, str]
    folder: str
    started: float
    mask: str | None = None
    cases: int = 1
    threads: int | None = None
    sizes: Mapping[str, float] | None = None
    engines: tuple[Mapping[str, str], ...] = ()


def main(order_file: Path, answer_file: Path) -> int:
    """Carry out an order; the answer tells of an error that has an explanation."""
    order = Order(**json.loads(order_file.read_text(encoding="utf-8")))
    work = {"segment": _segment, "open": _open, "peaks": _peaks, "prepare": _prepare}[order.kind]
    try:
        answer = {"result": work(order)}
    except BrainTumorSegError as error:
        answer = {"failure": {"message": error.message, "remedy": error.remedy}}
    except MemoryError as error:
        message = f"Out of memory. {error}".rstrip()
        answer = {"failure": {"message": message, "remedy": "Use fewer members."}}
    with atomic_path(answer_file, overwrite=True) as path:
        path.write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _segment(order: Order) -> dict[str, Any]:
    """Cases from files to files, as ``brain-tumor-seg segment`` does them."""
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case
    from BrainTumorSegLib.reporting.outputs import Outputs, write_outputs

    threads = _limit_threads(order.threads)
    # What was needed until now: the interpreter and the imports.
    started = {"wall_s": time.time() - order.started, "cpu_s": cpu_seconds()}
    stages: dict[str, dict[str, float]] = {"start": started}
    case_walls = []
    result = None
    for number in range(order.cases):
        begin = time.perf_counter()
        clock = StageClock()
        progress = Progress({}, (clock,))
        progress.stage("read")
        case = load_case(_paths(order), identity="benchmark")
        options = _options(order)
        result = segment(case, options, progress)
        progress.stage("write")
        files = Outputs(
            segmentation=Path(order.folder) / f"{number}.seg.nrrd",
            reports=(Path(order.folder) / f"{number}.json",),
        )
        write_outputs(files, case, result)
        progress.finish()
        for stage, spent in clock.spent().items():
            before = stages.get(stage, {"wall_s": 0.0, "cpu_s": 0.0})
            stages[stage] = {key: before[key] + spent[key] for key in spent}
        case_walls.append(time.perf_counter() - begin)
    return {
        "stages": stages,
        "case_wall_s": case_walls,
        "cpu_s": cpu_seconds(),
        "threads": threads,
        "peak_bytes": peak_memory_bytes(),
        **_gpu_memory(),
        "labels_sha256": _labels_hash(result),
        "engine": result.record["engine"],
        "work": _grid_work(result, order),
        "warnings": _without_folders(result.record["warnings"], order),
    }


def _without_folders(texts: Iterable[str], order: Order) -> list[str]:
    """What was warned of, naming files without where they lie on this computer."""
    found = list(texts)
    for path in map(Path, order.scans.values()):
        found = [text.replace(str(path), path.name) for text in found]
    return found


def _open(order: Order) -> dict[str, Any]:
    """Load the networks, converting them where they are not in the cache."""
    from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
    from BrainTumorSegLib.models.packs import load_pack

    _limit_threads(order.threads)
    wish = dict(order.options)
    pack = load_pack(wish.get("pack"))
    plan = plan_engine(wish["engine"], wish["device"], wish["precision"])
    # An engine prepares itself for a size; this one is usual for a head at 1 mm.
    shape = (pack.network.in_channels, 192, 160)
    begin, cpu = time.perf_counter(), cpu_seconds()
    open_engine(plan, pack, pack.members[: wish["members"]], shape)
    return {
        "open_s": time.perf_counter() - begin,
        "open_cpu_s": cpu_seconds() - cpu,
        "cpu_s": cpu_seconds(),
        "peak_bytes": peak_memory_bytes(),
    }


def _peaks(order: Order) -> dict[str, Any]:
    """What the device can do at best."""
    from BrainTumorSegLib.evaluation.benchmark.peaks import measure_peaks

    threads = _limit_threads(order.threads)
    found = measure_peaks(**order.options)
    return {**found, "threads": threads, "cpu_s": cpu_seconds(), "peak_bytes": peak_memory_bytes()}


def _prepare(order: Order) -> dict[str, Any]:
    """A run that is not timed: it fills caches, and the case is cut to sizes with its results."""
    from dataclasses import replace

    from BrainTumorSegLib.evaluation.benchmark.machine import describe_machine, describe_scans
    from BrainTumorSegLib.evaluation.benchmark.scaling import write_sizes
    from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case
    from BrainTumorSegLib.models.packs import load_pack

    _limit_threads(order.threads)
    case = load_case(_paths(order))
    # One look is enough for a brain mask and registered scans.
    options = replace(_options(order), members=1, tta="none", registered=bool(order.sizes))
    result = segment(case, options)
    grid = _grid_work(result, order)
    answer: dict[str, Any] = {
        "machine": describe_machine(options.device),
        "identity": case.identity,
        "scans": describe_scans(case),
    }
    if order.sizes:
        answer["sizes"] = write_sizes(result, order.sizes, Path(order.folder))
    pack = load_pack(options.pack)
    not_opened = []
    for wish in order.engines:
        try:
            plan = plan_engine(wish["engine"], wish["device"], wish["precision"])
            shape = (pack.network.in_channels, grid["rows"], grid["columns"])
            open_engine(plan, pack, pack.members[: order.options["members"]], shape)
        except BrainTumorSegError as error:
            # Its own arm will say so again, where it is counted.
            not_opened.append(error.message)
    return {**answer, "work": grid, "not_opened": not_opened}


def _paths(order: Order) -> dict[Any, Path]:
    from BrainTumorSegLib.core.sequences import Sequence

    return {Sequence(key): Path(path) for key, path in order.scans.items()}


def _options(order: Order) -> Options:
    from BrainTumorSegLib.core.option_fields import options_of
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.io.volumes import read_image

    # Orders and the JSON of a benchmark keep the names of version 0.1.
    names = {option.was: name for name, option in options_of(Options).items()}
    given = {names.get(name, name): value for name, value in order.options.items()}
    if order.mask is not None:
        given["brain_mask"] = read_image(Path(order.mask))
    return Options(**given)


def _limit_threads(count: int | None) -> dict[str, int]:
    """Set the CPU threads and tell how many the libraries use."""
    import SimpleITK as sitk
    import torch

    if count is not None:
        torch.set_num_threads(count)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    return {
        "torch": torch.get_num_threads(),
        "SimpleITK": sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(),
    }


def _gpu_memory() -> dict[str, int]:
    """The most memory that torch's tensors took on the GPU, which has finished then."""
    import torch

    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    torch.cuda.synchronize()
    return {"gpu_peak_bytes": torch.cuda.max_memory_allocated()}


def _labels_hash(result: Segmentation) -> str:
    import SimpleITK as sitk

    return hashlib.sha256(sitk.GetArrayFromImage(result.labels).tobytes()).hexdigest()


def _grid_work(result: Segmentation, order: Order) -> dict[str, int]:
    """The slices that the networks see, from the brain mask as the pipeline makes its grid."""
    import SimpleITK as sitk

    from BrainTumorSegLib.models.packs import load_pack
    from BrainTumorSegLib.preprocessing.model_grid import model_grid, to_grid

    pack = load_pack(order.options.get("pack"))
    grid = model_grid(result.brain, result.brain, pack.in_plane_mm, pack.multiple)
    inside = to_grid(result.brain, grid, interpolator=sitk.sitkNearestNeighbor)
    slices = int(inside.any(axis=(1, 2)).sum())
    return {"slices": slices, "rows": grid.shape[1], "columns": grid.shape[2]}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
