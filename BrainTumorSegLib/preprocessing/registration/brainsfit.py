"""Rigid registration with BRAINSFit, the registration program of 3D Slicer.

Johnson, Harris and Williams, "BRAINSFit: Mutual Information Registrations of
Whole-Brain 3D Images, Using the Insight Toolkit", Insight Journal 2007. Its exit code
says nothing of success: every result is looked at, see `quality`.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import DependencyError, RegistrationError
from BrainTumorSegLib.core.progress import CancelToken
from BrainTumorSegLib.core.sequences import Sequence

from .brainsfit_client import BrainsfitClient, BrainsfitRequest
from .discovery import Executable, launch_environment
from .rigid import matrix_and_offset, rigid_from_matrix

#: Longest time in seconds for one start; measured runs take 3 to 30.
TIME_LIMIT_S = 300.0

FIXED, MOVING, INITIAL = "fixed.nrrd", "moving.nrrd", "initial.txt"
TRANSFORM, VOLUME = "transform.txt", "registered.nrrd"

#: Parameters that name files.
FILES = ("fixedVolume", "movingVolume", "linearTransform", "outputVolume", "initialTransform")

#: How far a matrix may be from a rotation: files keep some digits only.
_ROTATION_TOLERANCE = 1e-4

#: A loader's exit codes: POSIX "not found / cannot execute", Windows "DLL not found",
#: "entry point not found" and "DLL initialisation failed".
_CANNOT_START = {126, 127, 0xC0000135, 0xC0000139, 0xC0000142}

_LOADER_WORDS = ("error while loading shared libraries", "Library not loaded", "symbol lookup")

Value = str | int | float | bool


def parameters(
    initialize_mode: str, stripped: bool, initial_transform: bool = False
) -> dict[str, Value]:
    """BRAINSFit's parameters for one start; file names are relative to its folder.

    Args:
        initialize_mode: ``Off``, ``useGeometryAlign`` or ``useMomentsAlign``.
        stripped: no head mask is computed on scans without scalp.
        initial_transform: begin at a given transform; only with ``Off``.
    """
    chosen: dict[str, Value] = {
        "fixedVolume": FIXED,
        "movingVolume": MOVING,
        "linearTransform": TRANSFORM,
        "outputVolume": VOLUME,
        "useRigid": True,
        "initializeTransformMode": initialize_mode,
        "maskProcessingMode": "NOMASK" if stripped else "ROIAUTO",
        # The default of 0.002 leaves thick-slice scans where they are.
        "samplingPercentage": 0.05,
        "costMetric": "MMI",
        "numberOfHistogramBins": 50,
        # Histograms of different sequences have nothing to be matched.
        "histogramMatch": False,
        "numberOfIterations": 1500,
        "minimumStepLength": 0.001,
        "maximumStepLength": 0.05,
        "relaxationFactor": 0.5,
        "translationScale": 1000.0,
        "interpolationMode": "Linear",
        "outputVolumePixelType": "float",
        "backgroundFillValue": 0.0,
    }
    if not stripped:
        chosen["ROIAutoDilateSize"] = 3.0
    if initial_transform:
        chosen["initialTransform"] = INITIAL
    return chosen


def command_line(executable: Path, chosen: dict[str, Value]) -> list[str]:
    """The command with its arguments. A true parameter is a bare flag, a false one absent."""
    words = [str(executable)]
    for name, value in chosen.items():
        if isinstance(value, bool):
            words += [f"--{name}"] if value else []
        else:
            words += [f"--{name}", str(value)]
    return words


def version(executable: Executable) -> str:
    """What the program says its version is; running it shows that it starts at all.

    Raises:
        DependencyError: when it does not start on this machine.
        RegistrationError: when it starts but does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="BrainTumorSeg-registration-") as name:
        command = [str(executable.path), "--version"]
        code, output = _run(executable, command, Path(name), None, 30.0)
    if code != 0:
        raise RegistrationError(f"BRAINSFit --version failed with exit code {code}: {output}")
    return output


def register(
    program: Executable | BrainsfitClient,
    fixed: sitk.Image,
    moving: sitk.Image,
    chosen: dict[str, Value],
    start: sitk.Transform | None = None,
    cancel: CancelToken | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    sequences: tuple[Sequence, Sequence] = (Sequence.T1CE, Sequence.FLAIR),
) -> sitk.VersorRigid3DTransform:
    """Run BRAINSFit once, or have it run, and read its transform.

    Args:
        program: the program, or whom to ask to run it.
        fixed, moving: the whole scans as they were given.
        chosen: from `parameters`.
        start: the initial transform, where ``chosen`` names one.
        sequences: what the fixed and the moving scan show, for who is asked.

    Returns:
        The transform from points of the fixed to points of the moving scan, which
        is what BRAINSFit's ``linearTransform`` file holds (Slicer inverts it on loading).

    Raises:
        DependencyError: when the program does not start on this machine.
        RegistrationError: when it fails, or exits well but leaves nothing usable.
        InputError: when who should be asked has gone.
        Cancelled: once ``cancel`` was asked for; the program is ended first.
    """
    with tempfile.TemporaryDirectory(prefix="BrainTumorSeg-registration-") as name:
        folder = Path(name)
        # Relative names keep spaces and letters beyond ASCII off the command line.
        sitk.WriteImage(fixed, folder / FIXED)
        sitk.WriteImage(moving, folder / MOVING)
        if "initialTransform" in chosen and start is not None:
            sitk.WriteTransform(start, folder / INITIAL)
        if isinstance(program, BrainsfitClient):
            program.ask(_request(folder, chosen, sequences, time_limit_s), cancel)
            return _read_transform(folder / TRANSFORM, fixed)
        code, output = _run(
            program, command_line(program.path, chosen), folder, cancel, time_limit_s
        )
        if code != 0:
            how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
            raise RegistrationError(f"BRAINSFit {how}: {output}")
        return _read_result(folder, fixed, moving)


def _request(
    folder: Path,
    chosen: dict[str, Value],
    sequences: tuple[Sequence, Sequence],
    time_limit_s: float,
) -> BrainsfitRequest:
    folder = folder.resolve()
    return BrainsfitRequest(
        fixed=folder / FIXED,
        moving=folder / MOVING,
        fixed_sequence=sequences[0],
        moving_sequence=sequences[1],
        parameters={name: value for name, value in chosen.items() if name not in FILES},
        initial_transform=folder / INITIAL if "initialTransform" in chosen else None,
        transform=folder / TRANSFORM,
        time_limit_s=time_limit_s,
    )


def _run(
    executable: Executable,
    command: list[str],
    folder: Path,
    cancel: CancelToken | None,
    time_limit_s: float,
) -> tuple[int, str]:
    """Run the command in the folder; exit code and the end of its output."""
    log = folder / "log.txt"
    # The group lets cancelling reach what a launcher script started.
    group = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(launch_environment(executable.path)),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                **group,
            )
        except OSError as error:
            raise _cannot_start(executable, str(error)) from error
        with _ended_at_exit(process):
            limit = time.monotonic() + time_limit_s
            while process.poll() is None:
                if cancel is not None:
                    cancel.raise_if_cancelled()
                if time.monotonic() > limit:
                    raise RegistrationError(f"BRAINSFit did not finish within {time_limit_s:.0f} s")
                time.sleep(0.05)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    output = " / ".join(line.strip() for line in lines[-3:]) or "it printed nothing"
    if process.returncode in _CANNOT_START or any(
        word in line for word in _LOADER_WORDS for line in lines
    ):
        raise _cannot_start(executable, output)
    return process.returncode, output


@contextlib.contextmanager
def _ended_at_exit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process and everything it started, however the block is left."""
    try:
        yield
    finally:
        if process.poll() is None:
            if os.name == "nt":
                subprocess.run(
                    ["taskkill", "/T", "/F", "/PID", str(process.pid)],
                    capture_output=True,
                    check=False,
                )
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _cannot_start(executable: Executable, reason: str) -> DependencyError:
    return DependencyError(
        f"BRAINSFit ({executable.path}, {executable.origin}) does not start: {reason}",
        "Outside Slicer its modules need Slicer's libraries: run `Slicer --launch brain-tumor-seg "
        "...`, or set LD_LIBRARY_PATH (on Windows PATH) to Slicer's lib/Slicer-5.x folder, "
        "or choose --registration simpleitk.",
    )


def _read_result(
    folder: Path, fixed: sitk.Image, moving: sitk.Image
) -> sitk.VersorRigid3DTransform:
    for name in (TRANSFORM, VOLUME):
        if not (folder / name).is_file():
            raise RegistrationError(f"BRAINSFit exited with code 0 but wrote no {name}")
    _check_readable_numbers(folder / TRANSFORM)
    try:
        transform = sitk.VersorRigid3DTransform(sitk.ReadTransform(folder / TRANSFORM))
        registered = sitk.ReadImage(folder / VOLUME, sitk.sitkFloat32)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise RegistrationError(f"BRAINSFit's result cannot be read: {reason}") from error
    if registered.GetSize() != fixed.GetSize() or not _same_place(registered, fixed):
        raise RegistrationError("BRAINSFit's output volume is not on the grid of the reference")
    if not np.isfinite(sitk.GetArrayViewFromImage(registered)).all():
        raise RegistrationError("BRAINSFit's output volume is not finite")
    _check_match(registered, moving, transform)
    return transform


def _read_transform(path: Path, fixed: sitk.Image) -> sitk.VersorRigid3DTransform:
    """The transform that somebody else wrote, in whichever way they put a rigid one.

    There is no output volume to hold it against; pointing the wrong way it would be refused
    for its score.
    """
    if not path.is_file():
        raise RegistrationError(f"BRAINSFit reported success but wrote no {path.name}")
    _check_readable_numbers(path)
    try:
        found = sitk.ReadTransform(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise RegistrationError(f"BRAINSFit's result cannot be read: {reason}") from error
    if found.GetDimension() != 3 or not found.IsLinear():
        raise RegistrationError("BRAINSFit's result is no linear transform in space")
    matrix, offset = matrix_and_offset(found)
    apart = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if apart > _ROTATION_TOLERANCE or np.linalg.det(matrix) < 0:
        raise RegistrationError("BRAINSFit's result is not rigid")
    middle = [(n - 1) / 2 for n in fixed.GetSize()]
    center = np.array(fixed.TransformContinuousIndexToPhysicalPoint(middle))
    return rigid_from_matrix(matrix, offset, center)


def _check_readable_numbers(path: Path) -> None:
    """Look at the numbers before ITK does: a versor that is not finite crashes its reader."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = [
        word
        for line in lines
        if line.startswith(("Parameters:", "FixedParameters:"))
        for word in line.partition(":")[2].split()
    ]
    try:
        finite = bool(words) and all(math.isfinite(float(word)) for word in words)
    except ValueError:
        finite = False
    if not finite:
        raise RegistrationError("BRAINSFit's transform holds no finite numbers")


def _same_place(a: sitk.Image, b: sitk.Image) -> bool:
    corners = [[0, 0, 0], [n - 1 for n in b.GetSize()]]
    return all(
        np.allclose(
            a.TransformIndexToPhysicalPoint(c), b.TransformIndexToPhysicalPoint(c), atol=0.01
        )
        for c in corners
    ) and np.allclose(a.GetDirection(), b.GetDirection(), atol=1e-4)


def _check_match(registered: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> None:
    """The output volume must be the moving scan seen through the transform.

    This proves on every run that the transform points the way we take it to.
    """
    step = [max(1, n // 40) for n in registered.GetSize()]
    sparse = registered[:: step[0], :: step[1], :: step[2]]
    expected = sitk.Resample(moving, sparse, transform, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    a, b = (sitk.GetArrayViewFromImage(i).ravel().astype(np.float64) for i in (sparse, expected))
    if a.std() == 0 or b.std() == 0 or np.corrcoef(a, b)[0, 1] < 0.99:
        raise RegistrationError("BRAINSFit's output volume does not match its transform")
