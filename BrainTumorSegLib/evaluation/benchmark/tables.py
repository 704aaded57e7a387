"""The document as Markdown tables, with what their figures mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from typing import Any

_Document = Mapping[str, Any]


def markdown_tables(document: _Document) -> str:
    """The figures of a document from `document.make_document`, for people."""
    return "\n".join(
        line.rstrip()
        for part in (_head, _stages, _comparisons, _size, _cases, _roofline, _failures)
        for line in part(document)
    )


def _head(document: _Document) -> Iterator[str]:
    machine, settings, case = document["machine"], document["settings"], document["case"]
    scans = ", ".join(
        f"{scan['sequence']} {'x'.join(map(str, scan['size']))} at "
        f"{'x'.join(f'{value:g}' for value in scan['spacing'])} mm"
        for scan in case["scans"]
    )
    work, network = case["work"], document["pack"]["network"]
    used = settings["used_threads"] or {}
    threads = ", ".join(f"{name} {count}" for name, count in used.items()) or "not known"
    yield "# Benchmark"
    yield ""
    yield f"    {document['command']}"
    yield ""
    if not document["complete"]:
        yield "**Not complete: the measurement was still going on, or was stopped.**"
        yield ""
    yield f"* Case: {case['name']}; {scans}. The networks see {work['slices']} slices of "
    yield f"  {work['rows']}x{work['columns']}."
    yield f"* Pack: {document['pack']['name']} {document['pack']['version']}, "
    yield f"  {network['architecture']} {network['encoder']}, depth {network['encoder_depth']}, "
    yield f"  {document['pack']['members']} members."
    yield f"* Machine: {machine['processor']}, {machine['usable_threads']} of "
    yield f"  {machine['threads']} hardware threads usable, {machine['instructions']}"
    yield f"  {'with' if machine['bf16'] else 'without'} bf16, "
    yield f"  {machine['memory_bytes'] / 1e9:.1f} GB, {machine['system']}."
    if "gpu" in machine:
        gpu = machine["gpu"]
        yield f"* GPU: {gpu['name']}, {gpu['memory_bytes'] / 1e9:.1f} GB, CUDA {gpu['cuda']}."
    loads = [run["load_average"] for arm in document["arms"] for run in arm["runs"]]
    known = [load for load in loads if load is not None]
    load = f" Load average before the runs: {min(known):g} to {max(known):g}." if known else ""
    yield f"* CPU threads: {threads}. {settings['runs']} runs of every arm in turns, each in a"
    yield f"  fresh process.{load}"
    yield "* Cells are the median (lowest to highest) over the runs. A ratio is taken between runs"
    yield "  of one round; below 1 is faster than the first row. CPU time adds up all threads."
    yield ""


def _stages(document: _Document) -> Iterator[str]:
    arm = _arms(document)[document["base"]]
    yield f"## Stages: {document['base']}"
    yield ""
    if arm["summary"] is None:
        yield "No run of it succeeded."
        yield ""
        return
    whole = arm["summary"]["whole_wall_s"]["median"]
    rows = [
        [
            stage,
            _spread(times["wall_s"]),
            f"{100 * times['wall_s']['median'] / whole:.0f} %",
            _spread(times["cpu_s"]),
        ]
        for stage, times in arm["summary"]["stages"].items()
    ]
    summary = arm["summary"]
    rows.append(
        ["whole", _spread(summary["whole_wall_s"]), "100 %", _spread(summary["whole_cpu_s"])]
    )
    yield from _table(["stage", "wall, s", "share", "CPU, s"], rows)
    yield f"Peak memory: {_megabytes(summary['peak_bytes'])}."
    if summary["gpu_peak_bytes"]:
        yield f"On the GPU: {_megabytes(summary['gpu_peak_bytes'])}."
    yield "`start` is Python with its imports, `prepare` opens the engine, `segment` is the"
    yield "networks at work, with members that are loaded on the way; `whole` goes from the"
    yield "start of the process to its end, the networks' libraries closing down included."
    yield ""


def _comparisons(document: _Document) -> Iterator[str]:
    arms = _arms(document)
    for chosen in document["comparisons"]:
        rows = []
        for row in chosen["rows"]:
            summary, ratios = arms[row["arm"]]["summary"], row["ratios"]
            if summary is None:
                rows.append([row["label"], "failed, see below", *[""] * 7])
                continue
            rows.append(
                [
                    row["label"],
                    _spread(summary["network_wall_s"]),
                    _spread(ratios["network_wall_s"]),
                    _spread(ratios["network_cpu_s"]),
                    _spread(summary["whole_wall_s"]),
                    _spread(ratios["whole_wall_s"]),
                    _spread(ratios["whole_cpu_s"]),
                    _megabytes(summary["peak_bytes"]),
                    {True: "same", False: "other", None: ""}[ratios["same_labels"]],
                ]
            )
        yield f"## {chosen['title']}"
        yield ""
        head = ["", "networks, s", "ratio", "CPU ratio", "whole, s", "ratio", "CPU ratio"]
        yield from _table([*head, "peak memory", "labels"], rows)
    for name, reason in document["unavailable"].items():
        yield f"* Not measured here: {name}. {reason}"
    if document["unavailable"]:
        yield ""


def _size(document: _Document) -> Iterator[str]:
    size = document["size"]
    fits = {stage: fit for stage, fit in (size or {"stages": {}})["stages"].items() if fit}
    if not fits:
        return
    slices = ", ".join(f"{name} {count}" for name, count in size["slices"].items())
    yield f"Growth with the number of slices ({slices}), straight line through the medians:"
    yield ""
    rows = [[s, f"{fit['fixed']:.2f}", f"{1000 * fit['each']:.1f}"] for s, fit in fits.items()]
    yield from _table(["stage", "fixed, s", "each slice, ms"], rows)


def _cases(document: _Document) -> Iterator[str]:
    cases = document["cases"]
    if cases is None:
        return
    names = {
        "start_s": "start of a process with its imports",
        "networks_loaded_s": "loading the networks",
        "networks_converted_and_loaded_s": "converting and loading them, the first time",
        "first_case_s": f"first of {cases['in_one_process']} cases in one process, without start",
        "later_case_s": "each later one",
    }
    rows = [[text, _spread(cases[key])] for key, text in names.items() if cases[key]]
    yield from _table(["what is paid once, and what each time", "wall, s"], rows)


def _roofline(document: _Document) -> Iterator[str]:
    roofline = document["roofline"]
    if roofline is None:
        return
    image = roofline["image"]
    yield "## Roofline"
    yield ""
    yield f"One image of {image['rows']}x{image['columns']}: {image['flop'] / 1e9:.2f} GFLOP; "
    yield f"{image['weights'] / 1e6:.1f} million weights; numbers moved: "
    yield f"{image['numbers_moved_fused'] / 1e6:.1f} million when all else is fused into the"
    yield "convolutions (the floor), "
    yield f"{image['numbers_moved_unfused'] / 1e6:.1f} million when nothing is."
    yield ""
    rows = [
        [
            f"{peaks['device']}, {peaks['threads']} CPU thread(s)",
            *(_rate(peaks["flop_per_s"].get(p), 1e9) for p in ("fp32", "bf16", "fp16")),
            _rate(peaks["bytes_per_s"], 1e9),
        ]
        for peaks in roofline["peaks"]
    ]
    head = ["measured peak", "fp32, GFLOP/s", "bf16, GFLOP/s", "fp16, GFLOP/s", "memory, GB/s"]
    yield from _table(head, rows)
    rows = [
        [
            place["arm"],
            _spread(place["measured_s"]),
            _seconds(place["compute_s"]),
            _seconds(place["memory_s"]),
            f"{place['times_floor']:.2f}",
            f"{place['flop_per_s'] / 1e9:.0f}",
            f"{100 * place['share_of_peak']:.0f} %",
            _percent(place["share_of_peak_cpu"]),
            f"{100 * place['share_of_bandwidth']:.0f} %",
        ]
        for place in roofline["arms"]
    ]
    head = ["networks", "measured, s", "floor: arithmetic, s", "floor: memory, s"]
    yield from _table(
        [*head, "times the floor", "GFLOP/s", "of peak", "by CPU time", "of bandwidth"], rows
    )
    yield "Peaks are the best of a matrix product and a convolution, and of the triad, over all"
    yield "rounds, at the same number of threads; on a CPU by CPU time a thread, so that other"
    yield "programs do not count. `of peak` is by wall time."
    yield ""


def _failures(document: _Document) -> Iterator[str]:
    if not document["failures"]:
        return
    yield "## Failed"
    yield ""
    for failure in document["failures"]:
        text = " ".join(f"{failure['message']} {failure['remedy'] or ''}".split())
        yield f"* {failure['arm']}: {text}"
    yield ""


def _arms(document: _Document) -> dict[str, Any]:
    return {arm["name"]: arm for arm in document["arms"]}


def _table(head: SequenceOf[str], rows: SequenceOf[SequenceOf[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _spread(value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    if value["runs"] == 1:
        return _seconds(value["median"])
    low, high = _seconds(value["low"]), _seconds(value["high"])
    return f"{_seconds(value['median'])} ({low} to {high})"


def _seconds(value: float) -> str:
    """Three digits that count: a tenth of a percent is below what repeats."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _megabytes(value: Mapping[str, float]) -> str:
    return f"{value['high'] / 1e6:.0f} MB"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _rate(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:.1f}"
