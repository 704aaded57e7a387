"""The command line, which opens every other door.

Exit codes: 0 success; 1 unexpected error, or a problem that ``doctor`` found;
2 wrong usage; 3 input; 4 output; 5 registration; 6 model pack; 7 missing
program or package; 8 device or memory; 9 training; 10 some cases of a cohort
failed; 130 Ctrl-C; 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from types import FrameType

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, DependencyError, DeviceError
from BrainTumorSegLib.core.language import catalogue, wanted_language
from BrainTumorSegLib.core.version import __version__

from .commands import (
    benchmark,
    bids,
    cohort,
    demo,
    dicom_seg,
    doctor,
    evaluate,
    experiment,
    follow_up,
    models,
    repeatability,
    report,
    segment,
    shared,
    study,
    synthesise,
    train,
)

TERMINATED = 143


class _Terminated(BaseException):
    """SIGTERM arrived: raised wherever the program is, so that temporary files are removed.

    Like `KeyboardInterrupt` it is no `Exception`, which packages catch when an import fails.
    """


def main(arguments: SequenceOf[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as after the program's name; None for those of this process.

    Returns:
        The exit code, see the module's description.
    """
    _write_utf8()
    _wait_briefly()
    _keep_out_of_temporary_folder()
    parser = build_parser()
    args = parser.parse_args(arguments)
    with _termination_raises():
        try:
            shared.check_outputs_are_no_inputs(args)
            return args.run(args)
        except BrokenPipeError:
            # The reader of our output has gone.
            with contextlib.suppress(OSError):
                sys.stdout.close()
            return 1
        except (Exception, KeyboardInterrupt, _Terminated) as error:
            return _fail(_explained(error), getattr(args, "progress", None) == "json")


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
    research = (models, train, evaluate, repeatability, experiment, synthesise, benchmark)
    usual = (segment, cohort, study, bids, report, follow_up, dicom_seg, demo, doctor)
    for command in (*usual, *research):
        command.add_parser(commands)
    return parser


def _explained(error: BaseException) -> BrainTumorSegError:
    """What ended a command, as one of our own errors."""
    if isinstance(error, BrainTumorSegError):
        return error
    if isinstance(error, KeyboardInterrupt | _Terminated):
        terminated = isinstance(error, _Terminated)
        # What was being put in place knows how far it came.
        notes = getattr(error, "__notes__", ["No file was left half written."])
        failure = Cancelled(" ".join(["Terminated." if terminated else "Cancelled.", *notes]))
        failure.exit_code = TERMINATED if terminated else Cancelled.exit_code
        return failure
    if isinstance(error, MemoryError):
        return DeviceError(
            f"This computer ran out of memory. {error}".rstrip(),
            "Close other programs, or use fewer --members.",
        )
    if isinstance(error, OSError) and _is_of_the_medium(error):
        from BrainTumorSegLib.io.atomic import explain_write_failure

        return explain_write_failure(Path(error.filename or tempfile.gettempdir()), error)
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package not in ("", "BrainTumorSegLib"):
        return DependencyError(
            f"The Python package {package} is not installed ({error}).",
            "brain-tumor-seg doctor says what is missing and how to install it.",
        )
    traceback.print_exception(error)
    return BrainTumorSegError(
        f"Unexpected error: {type(error).__name__}: {error}",
        "Please report it with the lines above.",
    )


def _is_of_the_medium(error: OSError) -> bool:
    """Whether it speaks of a full or read-only disk, which need not be that of a result."""
    if "temporary directory" in str(error):  # of `tempfile`, which found none to write to
        error.errno, error.filename = errno.EROFS, "The folder for temporary files (TMPDIR)"
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _keep_out_of_temporary_folder() -> None:
    """Have torch make its folder of compiled code, though it stays empty, in the person's cache.

    Else each import leaves ``torchinductor_<user>`` in the folder for temporary files.
    """
    from BrainTumorSegLib.core.resources import cache_folder

    folder = cache_folder("TorchInductor")
    above = next(place for place in folder.parents if place.exists())
    if os.access(above, os.W_OK):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def _fail(error: BrainTumorSegError, machine_readable: bool) -> int:
    if machine_readable:
        line = {
            "kind": "error",
            "message": error.message,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
        # The reader may have gone; the exit code still says what happened.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(line), flush=True)
    told = catalogue(wanted_language()).message
    print(f"brain-tumor-seg: {told(error.message)}", file=sys.stderr)
    if error.remedy:
        print(f"  {told(error.remedy)}", file=sys.stderr)
    return error.exit_code


def _write_utf8() -> None:
    """File names and units survive consoles and pipes of any code page."""
    for stream in (sys.stdout, sys.stderr):
        # Replaced streams (Slicer's console, tests) may lack the method.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _wait_briefly() -> None:
    """Let idle threads of torch free their core within microseconds.

    On Linux (libgomp, which reads this when torch is imported) they otherwise spin for
    milliseconds after every operation. With two threads on a shared machine this took 0.58 of the
    CPU time, from files of a scan with skull to the same labels. A value that the user has set
    takes precedence.
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
