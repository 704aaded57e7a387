"""What is installed, what this computer offers, and what to do about what is missing."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from BrainTumorSegLib.core.errors import BrainTumorSegError, OutputError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED, Requirement, installed_version
from BrainTumorSegLib.core.resources import CACHE_VARIABLE
from BrainTumorSegLib.core.version import __version__

from .installer import OLDEST_PYTHON, has_nvidia_gpu

OK, WARNING, PROBLEM = "ok", "warning", "problem"

#: From the gravest on.
STATUSES = (PROBLEM, WARNING, OK)

#: Free memory and disk in GB below which a run may fail or crawl.
ENOUGH_MEMORY_GB, LEAST_MEMORY_GB = 4.0, 2.0
ENOUGH_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        status: ``ok``; ``warning``, works but not as well as it could; or
            ``problem``, a run cannot succeed.
        detail: what was found.
        remedy: what to do, where there is something to do; also for optional things that
            are absent, whose status is ``ok``.
    """

    name: str
    status: str
    detail: str
    remedy: str | None = None


def examine() -> list[Finding]:
    """Look at this installation and computer; nothing is changed, nothing is downloaded.

    Takes seconds: torch and the networks' libraries are imported and every pack is hashed
    and loaded. A check that itself fails becomes a finding; the others still run.
    """
    checks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("BrainTumorSeg", _program),
        ("packages", _packages),
        ("networks", _networks),
        ("device", _devices),
        ("engine", _engine),
        ("model packs", _packs),
        ("default pack", _default_pack),
        ("memory", _memory),
        ("disk", _disk),
        ("BRAINSFit", _brainsfit),
        ("extras", _extras),
    )
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings.extend(check())
        except BrainTumorSegError as error:
            findings.append(Finding(name, PROBLEM, error.message, error.remedy))
        except ImportError as error:
            findings.append(
                Finding(name, PROBLEM, f"cannot be checked: {error}", "Install what is missing.")
            )
        except OSError as error:
            remedy = "Check that this folder, and one for temporary files (TMPDIR), can be used."
            findings.append(Finding(name, PROBLEM, f"cannot be checked: {error}", remedy))
    return findings


def worst(findings: Iterable[Finding]) -> str:
    """The gravest status among the findings."""
    return min((finding.status for finding in findings), key=STATUSES.index, default=OK)


def as_json(findings: Iterable[Finding]) -> str:
    """The findings for programs: an object with ``version``, ``status`` and ``findings``."""
    findings = list(findings)
    return json.dumps(
        {
            "version": __version__,
            "status": worst(findings),
            "findings": [asdict(finding) for finding in findings],
        },
        indent=2,
    )


def as_text(findings: Iterable[Finding], width: int = 100) -> str:
    """The findings as a table for people; remedies stand below what they are for."""
    findings = list(findings)
    column = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        begin = f"{finding.status:<8} {finding.name:<{column}}  "
        indent = " " * len(begin)
        lines += _wrapped(finding.detail, width, begin, indent)
        if finding.remedy:
            lines += _wrapped(finding.remedy, width, indent + "-> ", indent + "   ")
    counts = {status: sum(f.status == status for f in findings) for status in (PROBLEM, WARNING)}
    lines += ["", f"{counts[PROBLEM]} problem(s), {counts[WARNING]} warning(s)."]
    return "\n".join(lines)


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    # Paths and commands are copied from here and must stay in one piece.
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _program() -> Iterator[Finding]:
    yield Finding("BrainTumorSeg", OK, f"{__version__} in {Path(__file__).resolve().parents[1]}")
    python = f"Python {platform.python_version()} on {platform.platform()}"
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("Python", OK, f"{python}, {sys.executable}")
    else:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding("Python", PROBLEM, python, f"Use Python {oldest} or newer.")


def _packages() -> Iterator[Finding]:
    for requirement in REQUIRED:
        remedy = f"{_pip()} install {requirement.quoted}"
        if requirement.name == "torch" and "slicer" in Path(sys.executable).name.lower():
            remedy = "Install it through Slicer's PyTorch extension."
        if requirement.installed is None:
            yield Finding(requirement.name, PROBLEM, "not installed", remedy)
        elif requirement.too_old:
            detail = f"{requirement.installed} is too old; {requirement.least} is the oldest"
            yield Finding(requirement.name, PROBLEM, detail, remedy)
        else:
            yield Finding(requirement.name, OK, requirement.installed)


def _pip() -> str:
    """How pip is called for the Python that runs this, Slicer's included."""
    return f'"{sys.executable}" -m pip'


def _networks() -> Iterator[Finding]:
    """Installed is not yet working: builds of torch and torchvision may not fit together."""
    from BrainTumorSegLib.core.compat import ensure_torchvision_imports

    try:
        ensure_torchvision_imports()
        importlib.import_module("segmentation_models_pytorch")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        versions = ", ".join(f"{n} {installed_version(n)}" for n in ("torch", "torchvision"))
        yield Finding(
            "networks",
            PROBLEM,
            f"segmentation-models-pytorch does not start with {versions}: {error}",
            "Install torch and torchvision of one release and one build (CPU or CUDA).",
        )
    else:
        yield Finding("networks", OK, "segmentation-models-pytorch starts")


def _devices() -> Iterator[Finding]:
    import torch

    yield _cpu()
    cards, apple = torch.cuda.is_available(), torch.backends.mps.is_available()
    if cards:
        yield from map(_cuda, range(torch.cuda.device_count()))
    elif has_nvidia_gpu():
        yield Finding(
            "GPU",
            WARNING,
            f"there is an NVIDIA GPU, which torch {torch.__version__} cannot use",
            "Install a build of torch with CUDA that fits the driver; else the CPU computes.",
        )
    elif not apple:
        yield Finding("GPU", OK, "none; the CPU computes")
    if apple:
        yield Finding("GPU", OK, "Apple MPS")


def _cpu() -> Finding:
    import torch

    from BrainTumorSegLib.inference.engines.choosing import native_bf16

    ask = getattr(torch.cpu, "get_capabilities", dict)
    bf16 = native_bf16()
    parts = [
        str(ask().get("cpu_name") or platform.processor() or platform.machine()),
        f"{torch.get_num_threads()} of {os.cpu_count()} threads",
        torch.backends.cpu.get_cpu_capability(),
    ]
    if bf16 is not None:
        parts.append("bf16" if bf16 else "no bf16")
    return Finding("CPU", OK, ", ".join(parts))


def _cuda(index: int) -> Finding:
    import torch

    name = f"cuda:{index}"
    try:
        free, total = torch.cuda.mem_get_info(index)
        title = torch.cuda.get_device_name(index)
        # A driver too old for this build says so only when something is computed.
        torch.ones(8, device=name).sum().item()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        return Finding(
            name, PROBLEM, f"does not compute: {reason}", "Update its driver, or use --device cpu."
        )
    # Emulated bf16 would be slower than none.
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    half = "fp16, bf16" if bf16 else "fp16"
    detail = f"{title}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free, {half}"
    if free < 2e9:
        return Finding(
            name, WARNING, detail, "Close other programs on this GPU, or use --device cpu."
        )
    return Finding(name, OK, detail)


def _engine() -> Iterator[Finding]:
    """Which engine a run takes by itself; OpenVINO is started, since installed is not working."""
    from BrainTumorSegLib.core.compat import import_openvino
    from BrainTumorSegLib.inference.engines.choosing import plan_engine
    from BrainTumorSegLib.inference.engines.model_cache import networks_folder
    from BrainTumorSegLib.io.atomic import check_folder
    from BrainTumorSegLib.models.packs import load_pack

    try:
        bf16 = load_pack().allows_bf16
    except BrainTumorSegError:
        bf16 = False  # there is a finding of its own for that
    plan = plan_engine(bf16=bf16)
    detail = f"{plan.name} on {plan.device}, {plan.precision}: {plan.reason}"
    if plan.name == "openvino":
        import_openvino()
        try:
            check_folder(networks_folder())
        except OutputError as error:
            detail += f"; every run converts the networks again: {error.message}"
            remedy = f"Name a folder that you can write to with {CACHE_VARIABLE}."
            yield Finding("engine", WARNING, detail, remedy)
            return
        detail += f"; converted networks are kept in {networks_folder()}"
    yield Finding("engine", OK, detail)


def _packs() -> Iterator[Finding]:
    from BrainTumorSegLib.models.packs import find_packs, verify_pack

    for found in find_packs():
        name = f"pack {found.name}"
        if found.shadowed_by is not None:
            remedy = f"Remove one of the two if {found.shadowed_by} is not the one you mean."
            detail = f"{found.folder} is hidden by {found.shadowed_by}"
            yield Finding(name, WARNING, detail, remedy)
            continue
        if found.pack is None:
            detail = found.problem or "cannot be read"
            remedy = "Import the pack again, or remove its folder."
            yield Finding(name, PROBLEM, f"{found.folder}: {detail}", remedy)
            continue
        try:
            verify_pack(found.pack)
        except BrainTumorSegError as error:
            yield Finding(name, PROBLEM, error.message, error.remedy)
            continue
        pack = found.pack
        detail = f"{pack.version}, {len(pack.members)} members, every hash agrees, {found.folder}"
        yield Finding(name, OK, detail)


def _default_pack() -> Iterator[Finding]:
    from BrainTumorSegLib.models.packs import default_pack

    # Raises, and is thereby found, when there is no pack or no choice among several.
    yield Finding("default pack", OK, default_pack())


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free = memory.available / 1e9
    detail = f"{free:.1f} of {memory.total / 1e9:.1f} GB free"
    if free >= ENOUGH_MEMORY_GB:
        yield Finding("memory", OK, detail)
    else:
        status = WARNING if free >= LEAST_MEMORY_GB else PROBLEM
        yield Finding("memory", status, detail, "Close other programs before a run.")


def _disk() -> Iterator[Finding]:
    for name, folder in (("disk, this folder", Path.cwd()), ("disk, temporary", _temporary())):
        yield disk_finding(name, folder, "Make room, or write to another disk.")


def disk_finding(name: str, folder: Path, remedy: str) -> Finding:
    """How much room there is at a folder, with the remedy where that is little."""
    free = shutil.disk_usage(folder).free / 1e9
    if not free:
        # Network mounts say 0 where they do not know.
        return Finding(name, OK, f"{folder} does not tell how much is free")
    detail = f"{free:.1f} GB free in {folder}"
    if free >= ENOUGH_DISK_GB:
        return Finding(name, OK, detail)
    return Finding(name, WARNING, detail, remedy)


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _brainsfit() -> Iterator[Finding]:
    from BrainTumorSegLib.preprocessing.registration.discovery import find_brainsfit

    found = find_brainsfit()
    if found is not None:
        yield Finding("BRAINSFit", OK, f"{found.path} ({found.origin})")
        return
    yield Finding(
        "BRAINSFit",
        OK,
        "not found; SimpleITK registers the scans",
        "Optional: it comes with 3D Slicer. Install Slicer, or name the program with "
        "--brainsfit or BRAINTUMORSEG_BRAINSFIT.",
    )


def _extras() -> Iterator[Finding]:
    return (_extra(name, purpose, needs) for name, (purpose, needs) in EXTRAS.items())


def _extra(name: str, purpose: str, needs: tuple[Requirement, ...]) -> Finding:
    title = f"extra {name}"
    absent = [need for need in needs if need.installed is None]
    old = [need for need in needs if need.too_old]
    shown = ", ".join(f"{need.name} {need.installed}" for need in needs if need.installed)
    if not absent and not old:
        return Finding(title, OK, f"{purpose}: {shown}")
    remedy = f"{_pip()} install {' '.join(need.quoted for need in absent + old)}"
    if old:
        return Finding(title, WARNING, f"{purpose}: too old: {shown}", remedy)
    lacking = ", ".join(need.name for need in absent)
    return Finding(title, OK, f"{purpose}: optional, not installed: {lacking}", remedy)
