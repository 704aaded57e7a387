"""A stand-in for ``slicer.cli`` and the module ``slicer.modules.brainsfit``.

It runs the stand-in program as Slicer's logic of command line modules runs the real one:

* a real ``vtkMRMLCommandLineModuleNode`` in the scene goes Scheduled, Running, Completing,
  Completed (or CompletedWithErrors, Cancelled), while a child process computes;
* inputs are written by the nodes' storage nodes, transforms as ``.h5``; a parameter that
  is False is left off the command line;
* a wish to cancel that comes between the first look at it and the start of the program is
  forgotten, and one that comes after the program has ended leaves the node cancelling;
* results are loaded into the nodes, which thereby get storage and display nodes; the moving
  volume is put under the transform; with ``update_display`` the output is selected.

Where Slicer's worker thread and event loop advance things, here every look at the status
does, and `Cli.processEvents`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import slicer

INPUT_VOLUMES = ("fixedVolume", "movingVolume")
VOLUMES = (*INPUT_VOLUMES, "outputVolume")
TRANSFORMS = ("linearTransform", "initialTransform")
OUTPUTS = ("linearTransform", "outputVolume")
LETTERS = str.maketrans("0123456789", "ABCDEFGHIJ")


def known_parameters() -> set[str]:
    """What the stand-in program's command line, held against nipype by a test, knows."""
    path = Path(__file__).with_name("BRAINSFit.py")
    spec = importlib.util.spec_from_file_location("fake_brainsfit_names", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    lists = (program.STRINGS, program.INTEGERS, program.REALS, program.SWITCHES, program.WORDS)
    return {name for names in lists for name in names}


class Node(slicer.vtkMRMLCommandLineModuleNode):
    """The real node; without an application looking at its status is what moves it on."""

    def GetStatus(self) -> int:  # noqa: N802
        self.task.advance()
        return super().GetStatus()


class Task:
    """One run of the program."""

    def __init__(self, cli: Cli, node: Node, parameters: dict[str, Any], display: bool) -> None:
        self.cli, self.node, self.parameters, self.display = cli, node, parameters, display
        self.files: dict[str, Path] = {}
        self.process: subprocess.Popen | None = None
        self.stage = self.wait
        self.advancing = False

    @property
    def status(self) -> int:
        return slicer.vtkMRMLCommandLineModuleNode.GetStatus(self.node)

    def advance(self) -> None:
        # Events of the node may look at its status again.
        if self.advancing or self.cli.paused:
            return
        self.advancing = True
        try:
            self.stage()
        finally:
            self.advancing = False

    def wait(self) -> None:
        if self.cli.blocked:
            return
        if self.status in (self.node.Cancelling, self.node.Cancelled):
            self.node.SetStatus(self.node.Cancelled)
            self.stage = self.over
            return
        for name in (*VOLUMES, *TRANSFORMS):
            if name in self.parameters:
                node = slicer.mrmlScene.GetNodeByID(self.parameters[name])
                assert node is not None, name
                extension = "h5" if name in TRANSFORMS else "nrrd"
                # Slicer puts letters for digits lest files be taken for a series.
                title = f"{os.getpid()}_{node.GetID()}".translate(LETTERS)
                self.files[name] = self.cli.folder / f"{title}.{extension}"
                if name not in OUTPUTS:
                    storage = node.CreateDefaultStorageNode()
                    storage.UnRegister(None)
                    storage.ConfigureForDataExchange()
                    storage.SetFileName(str(self.files[name]))
                    assert storage.WriteData(node)
        self.stage = self.start

    def start(self) -> None:
        words = [str(self.cli.program)]
        for name, value in self.parameters.items():
            if isinstance(value, bool):
                words += [f"--{name}"] if value else []
            else:
                words += [f"--{name}", str(self.files.get(name, value))]
        self.cli.commands.append(words)
        # The node is not asked first: a wish to cancel that is there already is lost.
        self.node.SetStatus(self.node.Running)
        self.log = (self.cli.folder / f"{self.node.GetID()}.log").open("wb")
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log)
        self.stage = self.watch

    def watch(self) -> None:
        if self.status == self.node.Cancelling:
            for process in [
                *psutil.Process(self.process.pid).children(recursive=True),
                psutil.Process(self.process.pid),
            ]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait()
            self.end(self.node.Cancelled)
        elif self.process.poll() is not None:
            good = self.process.returncode == 0
            self.end(self.node.Completing if good else self.node.CompletedWithErrors)

    def end(self, status: int) -> None:
        self.log.close()
        text = Path(self.log.name).read_text(encoding="utf-8", errors="replace")
        self.node.SetErrorText(text, False)
        self.stage = self.load if status == self.node.Completing else self.over
        if status != self.node.Completing:
            self.clear()
        self.node.SetStatus(status)

    def load(self) -> None:
        for name in OUTPUTS:
            if name in self.files and self.files[name].is_file():
                node = slicer.mrmlScene.GetNodeByID(self.parameters[name])
                node.AddDefaultStorageNode(str(self.files[name]))
                storage = node.GetStorageNode()
                storage.SetFileName(str(self.files[name]))
                storage.ReadData(node, True)
                node.CreateDefaultDisplayNodes()
                if self.display and name == "outputVolume":
                    selection = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode")
                    if selection is not None:
                        selection.SetActiveVolumeID(node.GetID())
        moving = slicer.mrmlScene.GetNodeByID(self.parameters["movingVolume"])
        if "linearTransform" in self.parameters:
            moving.SetAndObserveTransformNodeID(self.parameters["linearTransform"])
            transform = slicer.mrmlScene.GetNodeByID(self.parameters["linearTransform"])
            transform.AddNodeReferenceID("spatialRegistrationMoving", moving.GetID())
            transform.AddNodeReferenceID("spatialRegistrationFixed", self.parameters["fixedVolume"])
        self.clear()
        self.stage = self.over
        self.node.SetStatus(self.node.Completed)

    def over(self) -> None:
        """Nothing more happens."""

    def clear(self) -> None:
        for path in self.files.values():
            path.unlink(missing_ok=True)


class Cli:
    """``slicer.cli`` for a program that takes BRAINSFit's command line.

    Attributes:
        paused: whether time stands still.
        blocked: whether another of the user's modules runs, behind which ours waits.
        commands: every command line that was started.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.paused = self.blocked = False
        self.commands: list[list[str]] = []
        self.tasks: list[Task] = []
        self.module = SimpleNamespace(name="BRAINSFit", title="General Registration (BRAINS)")
        self._known = known_parameters()

    def run(
        self,
        module: Any,
        node: Any = None,
        parameters: dict[str, Any] | None = None,
        wait_for_completion: bool = False,
        delete_temporary_files: bool = True,
        update_display: bool = True,
        hide_window: bool = True,
    ) -> Any:
        assert module is self.module
        assert node is None
        assert delete_temporary_files
        assert not wait_for_completion, "that would freeze the application"
        given = dict(parameters or {})
        assert set(given) <= self._known, set(given) - self._known
        for name, value in given.items():
            assert isinstance(value, str | bool | int | float), (name, value)
        node = Node()
        node.SetName("General Registration (BRAINS)")
        node.task = Task(self, node, given, update_display)
        slicer.mrmlScene.AddNode(node)
        self.tasks.append(node.task)
        node.SetStatus(node.Scheduled)
        return node

    def processEvents(self) -> None:  # noqa: N802
        """What the application's event loop would bring about."""
        for task in self.tasks:
            task.advance()

    def close(self) -> None:
        """End what still runs."""
        for task in self.tasks:
            if task.process is not None and task.process.poll() is None:
                task.node.SetStatus(task.node.Cancelling)
                task.advance()
