"""One short job of the worker in a folder of its own: files in, a command, files out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from BrainTumorSegLib.slicer_app.host.application import workerPython
from BrainTumorSegLib.slicer_app.scene.provenance import pageWithNodeNames, withNodeNames
from BrainTumorSegLib.slicer_app.worker.worker import Worker

_LOG_LINES = 30


class WorkerTask:
    """A folder to write inputs into, and the worker that makes outputs of them there.

    Args:
        folder: an empty one, from `application.runFolder`; deleted by `close`.

    Attributes:
        names: what people call the files in the folder, for warnings and reports.
        warnings: what the worker warned of.
        logTail: its last lines, after a failure.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, str] = {}
        self.warnings: list[str] = []
        self.logTail = ""
        self._worker: Worker | None = None

    def run(self, arguments: Sequence[str]) -> Iterator[None]:
        """Start the worker and look after it, a look at every step, until it has ended.

        Raises:
            Cancelled: after `cancel`, when everything that it had started is gone.
            BrainTumorSegError: why it failed.
        """
        worker = self._worker = Worker(arguments, workerPython(), self.folder)
        worker.start()
        lastError = None
        running = True
        while running:
            yield
            running = worker.running
            for line in worker.poll():
                if line.get("kind") == "error":
                    lastError = line
                elif line.get("kind") == "warning":
                    self.warnings.append(withNodeNames(str(line["message"]), self.names))
        if worker.cancelled or lastError is not None or worker.exitCode != 0:
            self.logTail = worker.logTail(_LOG_LINES)
            raise worker.failure(lastError)

    def readReport(self, file: str) -> str:
        """A report that the worker has written, with people's names for the files."""
        text = (self.folder / file).read_text(encoding="utf-8")
        if file.endswith(".html"):
            return pageWithNodeNames(text, self.names)
        report = withNodeNames(json.loads(text), self.names)
        return json.dumps(report, indent=2, ensure_ascii=False) + "\n"

    def cancel(self) -> None:
        """Request the end of the worker; `run` carries it on."""
        if self._worker is not None:
            self._worker.cancel()

    def close(self) -> None:
        """End what still runs, at once, and delete the folder."""
        if self._worker is not None:
            self._worker.dispose()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
