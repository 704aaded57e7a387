"""The command line, which opens every other door.

Exit codes: 0 success; 1 unexpected error, or a problem that ``doctor`` found;
2 wrong usage; 3 input; 4 output; 5 registration; 6 model pack; 7 missing
program or package; 8 device or memory; 9 training; 130 Ctrl-C; 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from types import FrameType

from BrainTumorSegLib.cli.commands import (
    benchmark,
    demo,
    dicom_seg,
    doctor,
    evaluate,
    experiment,
    models,
    report,
    segment,
    synthesise,
    train,
)
from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, DependencyError, DeviceError
from BrainTumorSegLib.core.version import __version__

INTERRUPTED, TERMINATED = 130, 143


class _Terminated(BaseException):
    """SIGTERM arrived; raised where the program happens to be, so that it cleans up.

    Like `KeyboardInterrupt` it is no `Exception`: packages that try whether something can be
    imported must not take it for a failure of theirs.
    """


def main(arguments: SequenceOf[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as after the program's name; None for those of this process.

    Returns:
        The exit code, see the module's description.
    """
    _speak_utf8()
    _wait_briefly()
    parser = build_parser()
    args = parser.parse_args(arguments)
    machine_readable = getattr(args, "progress", None) == "json"
    with _termination_raises():
        try:
            return args.run(args)
        except KeyboardInterrupt:
            return _fail(Cancelled(), machine_readable)
        except _Terminated:
            failure = Cancelled("Terminated. No half of a result was left.")
            failure.exit_code = TERMINATED
            return _fail(failure, machine_readable)
        except MemoryError as error:
            failure = DeviceError(
                f"This computer ran out of memory. {error}".rstrip(),
                "Close other programs, or use fewer --members.",
            )
            return _fail(failure, machine_readable)
        except BrainTumorSegError as error:
            return _fail(error, machine_readable)
        except BrokenPipeError:
            # The reader of our output has gone; nobody is left to tell.
            with contextlib.suppress(OSError):
                sys.stdout.close()
            return 1
        except Exception as error:
            missing = _missing_package(error)
            if missing is not None:
                return _fail(missing, machine_readable)
            traceback.print_exc()
            failure = BrainTumorSegError(
                f"Unexpected error: {type(error).__name__}: {error}",
                "Please report it with the lines above.",
            )
            return _fail(failure, machine_readable)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="brain-tumor-seg",
        description="Segmentation of brain tumours on T1, contrast-enhanced T1 and FLAIR. "
        "Research use only; not a medical device.",
        epilog=__doc__.split("\n\n", 1)[1],
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    laboratory = (models, train, evaluate, experiment, synthesise, benchmark)
    for command in (segment, report, dicom_seg, demo, doctor, *laboratory):
        command.add_parser(commands)
    return parser


def _missing_package(error: Exception) -> DependencyError | None:
    """What to say of a package that is not there; None for errors of any other kind."""
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package in ("", "BrainTumorSegLib"):
        return None
    return DependencyError(
        f"The Python package {package} is not installed ({error}).",
        "brain-tumor-seg doctor says what is missing and how to install it.",
    )


def _fail(error: BrainTumorSegError, machine_readable: bool) -> int:
    if machine_readable:
        line = {
            "kind": "error",
            "message": error.message,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
        # Who stopped reading cannot be told; the exit code still says what happened.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(line), flush=True)
    print(f"brain-tumor-seg: {error.message}", file=sys.stderr)
    if error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)
    return error.exit_code


def _speak_utf8() -> None:
    """File names and units survive consoles and pipes of any code page."""
    for stream in (sys.stdout, sys.stderr):
        # Replaced streams (Slicer's console, tests) may lack the method.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _wait_briefly() -> None:
    """Have threads of torch that wait for work give their core back within microseconds.

    On Linux (libgomp, which reads this when torch is imported) they would keep it busy for
    milliseconds after every operation, while OpenVINO or another program could use it. Measured
    with two threads on a machine shared with other programs, a scan with skull from files to
    labels: 0.58 of the CPU time, the same labels. A choice of the person's own stands.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@contextlib.contextmanager
def _termination_raises() -> Iterator[None]:
    """While active, SIGTERM raises `_Terminated`, so that temporary files are removed."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        # A second signal must not break the cleaning up after the first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread only; here the host decides.
        yield
        return
    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
