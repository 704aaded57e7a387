"""What several commands share: groups of options, progress, results, and the command repeated."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.language import languages
from BrainTumorSegLib.core.option_fields import add_options, number, options_of
from BrainTumorSegLib.core.options import SEG_TYPES, Options, ProcessOptions
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import NUMBERINGS

if TYPE_CHECKING:
    from BrainTumorSegLib.core.progress import Progress, Sink

#: Keys of `evaluation.metrics.MEASURES`, whose module takes long to load.
MEASURES = ("dice", "surface", "lesions")

#: Types of argparse options: whole numbers from 0 and from 1 up.
from_zero, from_one = number(int, 0), number(int, 1)


def add_scans(group: argparse._ActionsContainer, **help_: str) -> None:
    """The options ``--t1``, ``--t1ce`` and ``--flair``."""
    for sequence in Sequence:
        key = sequence.value
        group.add_argument(f"--{key}", type=Path, metavar="FILE", help=help_.get(key))


def scan_paths(args: argparse.Namespace) -> dict[Sequence, Path]:
    """The files that were given with the options of `add_scans`."""
    given = {sequence: getattr(args, sequence.value) for sequence in Sequence}
    return {sequence: path for sequence, path in given.items() if path is not None}


def add_files(group: argparse._ActionsContainer, **help_: str) -> None:
    """Options that take one file each, with their help."""
    for name, text in help_.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=Path, metavar="FILE", help=text)


def add_folder(parser: argparse._ActionsContainer, help_: str, required: bool = True) -> None:
    """The option ``-o, --output`` of commands that write a folder."""
    parser.add_argument(
        "-o", "--output", type=Path, required=required, metavar="FOLDER", help=help_
    )


def check_outputs_are_no_inputs(args: argparse.Namespace) -> None:
    """Refuse results in the place of what they are made from, whatever ``--overwrite`` says.

    A command names with ``set_defaults(writes=...)`` the options that say what it replaces: files,
    or folders as a whole. Whatever else was given and is there is taken for an input.

    Raises:
        OutputError: naming the file and the remedy.
    """
    from BrainTumorSegLib.io.atomic import check_not_inputs

    writes = getattr(args, "writes", ())
    outputs = [path for name in writes for path in _paths(getattr(args, name))]
    passed_over = (*writes, "command", "action")
    others = (value for name, value in vars(args).items() if name not in passed_over)
    check_not_inputs(outputs, [path for value in others for path in _paths(value)])


def _paths(value: Any) -> list[Path]:
    """What of the value of an option may be a path: some are names, too."""
    if isinstance(value, list):
        return [path for one in value for path in _paths(one)]
    return [Path(value)] if isinstance(value, str | Path) else []


def add_language(parser: argparse._ActionsContainer) -> None:
    """The option ``--language``."""
    parser.add_argument(
        "--language",
        choices=languages(),
        help="of reports in .html (default: what the environment variable LANGUAGE names, else "
        "English); reports in .json are English",
    )


def add_seg_type(parser: argparse._ActionsContainer) -> None:
    """The option ``--dicom-seg-type``."""
    parser.add_argument(
        "--dicom-seg-type",
        choices=SEG_TYPES,
        default=SEG_TYPES[0],
        help="how the DICOM segmentation keeps its voxels: a mask for each tissue, or one map of "
        f"all, which is smaller but read by fewer programs (default: {SEG_TYPES[0]})",
    )


def add_study_action(
    actions: argparse._SubParsersAction, name: str, help_: str, description: str
) -> argparse.ArgumentParser:
    """An action of ``study``, whose first argument is the folder of one."""
    action: argparse.ArgumentParser = actions.add_parser(name, help=help_, description=description)
    action.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    return action


def add_machine(parser: argparse._ActionsContainer, *only: str) -> None:
    """The options ``--device``, ``--threads`` and ``--progress``, or only some of them."""
    names = only or ("device", "threads", "progress")
    for kind in (Options, ProcessOptions):
        add_options(parser, kind, [name for name in names if name in options_of(kind)])


def add_workers(parser: argparse._ActionsContainer, what: str) -> None:
    """The option ``--workers``."""
    parser.add_argument(
        "--workers", type=from_zero, metavar="N", help=f"{what} (default: 4 with a GPU, else 0)"
    )


def workers_for(device: str, given: int | None) -> int:
    """How many workers feed a device."""
    return (4 if device.startswith("cuda") else 0) if given is None else given


def count_or_all(text: str) -> int | None:
    """A number of members as the type of an option; None for the word all.

    Raises:
        ArgumentTypeError: for anything else.
    """
    return None if text == "all" else int(from_one(text))


def repeated(args: argparse.Namespace, words: Iterable[str], *names: str, **values: Any) -> str:
    """A command for whoever repeats it elsewhere: without places on this machine.

    Args:
        words: how the command begins.
        names: destinations of the options that follow, unless they are empty, zero or False.
        values: what to show for some of them instead of what was given.
    """
    shown = list(words)
    for name in names:
        value = values.get(name, getattr(args, name))
        if not value:
            continue
        shown.append(f"--{name.replace('_', '-')}")
        if value is not True:
            shown += [_shown(one) for one in (value if isinstance(value, list) else [value])]
    return shlex.join(shown)


def without_folders(names: str | Iterable[str] | None) -> list[str]:
    """Names of packs, without the folders they lie in."""
    return [Path(name).name for name in ([names] if isinstance(names, str) else names or ())]


def _shown(value: Any) -> str:
    if value is None:
        return "all"
    return value.name if isinstance(value, Path) else str(value)


def make_progress(kind: str, stages: Mapping[str, float] | None = None) -> Progress:
    """Progress that is shown as ``--progress`` says; stages of `segment` by default."""
    from BrainTumorSegLib.core.progress import STAGES, Progress

    return Progress(STAGES if stages is None else stages, (progress_sink(kind),))


def progress_sink(kind: str) -> Sink:
    """What shows progress as ``--progress`` says."""
    from BrainTumorSegLib.core.progress import JsonLines, TerminalBar, WarningLines

    sinks = {"json": JsonLines, "bar": TerminalBar, "none": WarningLines}
    # A bar drawn into a log file is only noise.
    if kind == "bar" and not sys.stderr.isatty():
        kind = "none"
    return sinks[kind]()


def limit_threads(count: int | None) -> None:
    """Compute with ``count`` CPU threads; None leaves the libraries' own choice."""
    if count is None:
        return
    import SimpleITK as sitk
    import torch

    torch.set_num_threads(count)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)


def print_volumes(record: Mapping[str, Any]) -> None:
    """The result in a few lines, for a person."""
    from BrainTumorSegLib.core.volumes import volume_title

    for name, millilitres in record["volumes_ml"].items():
        share = record["percent_of_brain"][name]
        print(f"{volume_title(name):<24} {millilitres:9.2f} mL  {share:6.2f} % of brain")


def print_result(args: argparse.Namespace, record: Mapping[str, Any], written: list[Path]) -> None:
    """The result as ``--progress`` wants it: one JSON line for a program, or a few lines."""
    if args.progress == "json":
        measured = {key: record[key] for key in ("volumes_ml", "warnings")}
        print_json(outputs=[printable(str(path)) for path in written], **measured)
        return
    print_volumes(record)
    for path in written:
        print(printable(str(path)))


def print_json(**fields: Any) -> None:
    """The result as one JSON line, for a program."""
    print(json.dumps({"kind": "result", **fields}), flush=True)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While active, Ctrl-C and SIGTERM end the process at once instead of raising.

    Only to be put around imports. Nothing is half done then that would have to be cleaned
    up, and an exception that appears in the middle of a compiled package may abort it.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread only; here the host decides.
        yield
        return
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    changed = [one for one, handler in before.items() if callable(handler)]
    for one in changed:
        signal.signal(one, signal.SIG_DFL)
    try:
        yield
    finally:
        for one in changed:
            signal.signal(one, before[one])


def add_numbering(parser: argparse._ActionsContainer) -> None:
    """The option ``--numbering`` of commands that take label maps of tissues."""
    parser.add_argument(
        "--numbering",
        choices=list(NUMBERINGS),
        help="how a label map is numbered; 3 is non-enhancing tumour in brats2015, and enhancing "
        "tumour in brats2023 (needed only where a map holds 3 but no 4)",
    )
