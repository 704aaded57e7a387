"""One run in a process of its own, started with the paths of its order and of its answer.

The order is a JSON file; the answer is another one, which appears when the run is over:
``{"result": {...}}`` or ``{"failure": {"message": ..., "remedy": ...}}``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.core.progress import Progress, ProgressEvent
from BrainTumorSegLib.io.atomic import write_text

if TYPE_CHECKING:
    import SimpleITK as sitk

    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.result import Segmentation

#: No crop gets thinner than this, since a scan must be able to hold a head.
_MIN_MM = 45.0


@dataclass(frozen=True)
class Order:
    """What a worker shall do.

    Attributes:
        kind: ``segment``, ``open``, ``peaks`` or ``prepare``.
        options: fields of `core.options.Options`.
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
    folder: str = ""
    started: float = 0.0
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
        answer = {"result": work(order, _limit_threads(order.threads))}
    except BrainTumorSegError as error:
        answer = {"failure": {"message": error.message, "remedy": error.remedy}}
    except MemoryError as error:
        message = f"Out of memory. {error}".rstrip()
        answer = {"failure": {"message": message, "remedy": "Use fewer members."}}
    write_text(answer_file, json.dumps(answer), overwrite=True)
    return 0


def _segment(order: Order, threads: dict[str, int]) -> dict[str, Any]:
    """Cases from files to files, as ``brain-tumor-seg segment`` does them."""
    import SimpleITK as sitk

    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case
    from BrainTumorSegLib.reporting.outputs import Outputs, write_outputs

    # What was needed until now: the interpreter and the imports.
    start = {"wall_s": time.time() - order.started, "cpu_s": cpu_seconds()}
    case_walls, clock, result = [], StageClock(), None
    for number in range(order.cases):
        begin = time.perf_counter()
        progress = Progress({}, (clock,))
        progress.stage("read")
        case = load_case(_paths(order), identity="benchmark")
        result = segment(case, _options(order), progress)
        progress.stage("write")
        files = Outputs(
            segmentation=Path(order.folder) / f"{number}.seg.nrrd",
            reports=(Path(order.folder) / f"{number}.json",),
        )
        write_outputs(files, case, result)
        progress.finish()
        case_walls.append(time.perf_counter() - begin)
    labels = sitk.GetArrayFromImage(result.labels)
    return {
        "stages": {"start": start, **clock.spent},
        "case_wall_s": case_walls,
        "threads": threads,
        **_process_cost(),
        "labels_sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
        "engine": result.record["engine"],
        "work": _grid_work(result, order),
        "warnings": [_without_folders(text, order) for text in result.record["warnings"]],
    }


def _without_folders(text: str, order: Order) -> str:
    """A warning that does not say where files lie on this computer."""
    for path in order.scans.values():
        text = text.replace(path, Path(path).name)
    return text


def _open(order: Order, _: dict[str, int]) -> dict[str, Any]:
    """Load the networks, converting them where they are not in the cache."""
    open_for = _opener(order, order.options)
    begin, cpu = time.perf_counter(), cpu_seconds()
    # An engine prepares itself for a size; this one is usual for a head at 1 mm.
    open_for(192, 160)
    spent = {"open_s": time.perf_counter() - begin, "open_cpu_s": cpu_seconds() - cpu}
    return {**spent, **_process_cost()}


def _peaks(order: Order, threads: dict[str, int]) -> dict[str, Any]:
    """What the device can do at best."""
    from .roofline import measure_peaks

    return {**measure_peaks(**order.options), "threads": threads, **_process_cost()}


def _prepare(order: Order, _: dict[str, int]) -> dict[str, Any]:
    """A run that is not timed: it fills caches, and the case is cut to sizes with its results."""
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case

    case = load_case(_paths(order))
    # One member and no TTA are enough for a brain mask and registered scans.
    options = replace(_options(order), members=1, tta="none", registered=bool(order.sizes))
    result = segment(case, options)
    work = _grid_work(result, order)
    sizes = write_sizes(result, order.sizes, Path(order.folder)) if order.sizes else {}
    not_opened = []
    for engine in order.engines:
        try:
            _opener(order, engine)(work["rows"], work["columns"])
        except BrainTumorSegError as error:
            # Its own arm will say so again, where it is counted.
            not_opened.append(error.message)
    return {
        "machine": describe_machine(options.device),
        "identity": case.identity,
        # Never where a scan lies or what it is called.
        "scans": [
            {
                "sequence": sequence.value,
                "size": list(scan.image.GetSize()),
                "spacing": [round(value, 4) for value in scan.image.GetSpacing()],
            }
            for sequence, scan in case.scans.items()
        ],
        "sizes": sizes,
        "work": work,
        "not_opened": not_opened,
    }


def _opener(order: Order, engine: Mapping[str, Any]) -> Callable[[int, int], object]:
    """What loads the networks of an engine for slices of so many rows and columns."""
    from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
    from BrainTumorSegLib.models.packs import load_pack

    pack = load_pack(order.options.get("pack"))
    plan = plan_engine(engine["engine"], engine["device"], engine["precision"])
    members = pack.members[: order.options["members"]]
    channels = pack.network.in_channels
    return lambda rows, columns: open_engine(plan, pack, members, (channels, rows, columns))


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


def write_sizes(
    result: Segmentation, sizes: Mapping[str, float], folder: Path
) -> dict[str, dict[str, Any]]:
    """Write the registered case in several sizes, each with its brain mask.

    Up to 1 a size is the share of the brain's axial slices, around their middle; above 1 the
    extent of the volume along every axis, filled with zeros.

    Args:
        result: of a run with `Options.registered`.
        sizes: share by name.
        folder: for the files.

    Returns:
        By name: ``scans`` (file by sequence key) and ``mask`` (file).
    """
    from BrainTumorSegLib.io.volumes import write_image

    written = {}
    for number, (name, share) in enumerate(sizes.items()):
        paths = {}
        for key, image in {**result.registered, "mask": result.brain}.items():
            path = folder / f"size{number}_{key}.nii.gz"
            write_image(resized(image, result.brain, share), path)
            paths[key] = str(path)
        mask = paths.pop("mask")
        written[name] = {"scans": paths, "mask": mask}
    return written


def resized(image: sitk.Image, brain: sitk.Image, share: float) -> sitk.Image:
    """Cut an image to a share of the brain's slices, or put zeros around it.

    Args:
        image: on the grid of ``brain``.
        brain: brain mask, not empty.
        share: see `write_sizes`.
    """
    import numpy as np
    import SimpleITK as sitk

    if share > 1:
        size = np.array(image.GetSize())
        whole = np.round((share - 1) * size).astype(int)
        before = whole // 2
        return sitk.ConstantPad(image, before.tolist(), (whole - before).tolist(), 0.0)
    if share == 1:
        return image
    axis = int(np.argmax(np.abs(np.array(image.GetDirection()).reshape(3, 3)[2])))
    inside = sitk.GetArrayViewFromImage(brain).any(axis=tuple({0, 1, 2} - {2 - axis}))
    places = np.flatnonzero(inside)
    least = int(np.ceil(_MIN_MM / image.GetSpacing()[axis]))
    count = min(max(round(share * len(places)), least, 5), image.GetSize()[axis])
    middle = (places[0] + places[-1] + 1) / 2
    first = int(np.clip(round(middle - count / 2), 0, image.GetSize()[axis] - count))
    index, size = [0, 0, 0], list(image.GetSize())
    index[axis], size[axis] = first, count
    return sitk.RegionOfInterest(image, size, index)


class StageClock:
    """A sink of `Progress` that adds up what each stage took.

    A stage lasts from its first event to the first event of the next one.

    Attributes:
        spent: seconds by stage, ``wall_s`` and ``cpu_s``; the stage ``done`` is none.
    """

    def __init__(self) -> None:
        self.spent: dict[str, dict[str, float]] = {}
        self._stage, self._since = "", (0.0, 0.0)

    def __call__(self, event: ProgressEvent) -> None:
        """Close a stage when the next one begins."""
        if event.stage == self._stage:
            return
        now = (time.perf_counter(), cpu_seconds())
        if self._stage not in ("", "done"):
            spent = self.spent.setdefault(self._stage, {"wall_s": 0.0, "cpu_s": 0.0})
            for key, begin, end in zip(spent, self._since, now, strict=True):
                spent[key] += end - begin
        self._stage, self._since = event.stage, now


def cpu_seconds() -> float:
    """CPU time of this process, all of its threads, and of programs that it ran and awaited."""
    return sum(os.times()[:4])


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once (resident set)."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux a process inherits that figure from the one that started it.
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _process_cost() -> dict[str, float]:
    """CPU time and the most memory, on the GPU that of torch's tensors."""
    import torch

    gpu = {}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
        gpu = {"gpu_peak_bytes": torch.cuda.max_memory_allocated()}
    return {"cpu_s": cpu_seconds(), "peak_bytes": peak_memory_bytes(), **gpu}


def describe_machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, memory, GPU, system and versions; plain JSON types."""
    import psutil
    import torch

    from BrainTumorSegLib.core.requirements import computing_versions
    from BrainTumorSegLib.inference.engines.choosing import native_bf16

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    described: dict[str, Any] = {
        "processor": processor_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16": bool(native_bf16()),
        "cores": psutil.cpu_count(logical=False),
        "threads": os.cpu_count(),
        "usable_threads": usable or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **computing_versions()},
    }
    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(device)
        described["gpu"] = {
            "name": properties.name,
            "memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
        }
    return described


def processor_name() -> str:
    """What the processor is called, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
