"""Comparing results of several visits of one patient."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.io.atomic import atomic_group

from ..host.application import SAVE_FOLDER, getSetting, setSetting
from ..host.job import pollUntilOver
from ..host.translation import told
from ..host.translation import tr as _
from ..viewing.display import centerViews
from ..visits.changes import latestComparison
from ..visits.choosing import VisitChoice, folderVisit, sceneVisits
from ..visits.comparing import ComparedVisits, CompareJob, pointOf
from .dialogs import confirm, errorsShown, showError
from .looks import ROW_HEIGHT, prepareTable, tableItem
from .state import PanelState

#: Columns of the table of visits, and their rows at most in sight.
_NAME, _DATE = 0, 1
_MOST_ROWS = 8


class ComparingSection:
    """The section *Compare visits*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self.job: CompareJob | None = None
        self.compared: ComparedVisits | None = None
        self._choices: list[VisitChoice] = []
        self._folders: list[VisitChoice] = []
        #: What a person has chosen, by key: marked or not, and the date.
        self._marked: dict[str, bool] = {}
        self._days: dict[str, str] = {}
        self._outcome = ""
        self._filling = False
        self._shown: Any = None
        ui = state.ui
        self._prepareTables()
        ui.visitsTable.itemChanged.connect(self.onVisit)
        ui.addVisitButton.clicked.connect(self.onAdd)
        ui.compareButton.clicked.connect(self.onCompare)
        ui.lesionsTable.cellClicked.connect(self.onLesion)
        ui.saveComparisonButton.clicked.connect(self.onSave)
        ui.comparingButton.contentsCollapsed.connect(self.update)
        state.observe(self.update)

    @property
    def busy(self) -> bool:
        """Whether visits are being compared."""
        return self.job is not None and self.job.state in ("running", "cancelling")

    def onVisit(self, *_: object) -> None:
        """A visit was marked, or its date was written."""
        import qt

        if self._filling:
            return
        table = self.state.ui.visitsTable
        for row, choice in enumerate(self._choices):
            name, day = table.item(row, _NAME), table.item(row, _DATE)
            self._marked[choice.key] = name.checkState() == qt.Qt.Checked
            self._days[choice.key] = day.text().strip()
        self.update()

    def onAdd(self) -> None:
        """Add a result on disk to the list."""
        import qt

        folder = qt.QFileDialog.getExistingDirectory(
            self.state.ui.addVisitButton, _("Add a result"), getSetting(SAVE_FOLDER, "")
        )
        if folder:
            with errorsShown():
                self.add(Path(folder))
        self.update()

    def add(self, folder: Path) -> None:
        """Add a folder, marked.

        Raises:
            InputError: when it does not hold the report of one run.
        """
        choice = folderVisit(folder)
        if all(other.key != choice.key for other in self._folders):
            self._folders.append(choice)
        self._marked[choice.key] = True

    def onCompare(self) -> None:
        """Compare the marked visits, or stop."""
        if self.busy:
            self.job.cancel()
            self.state.ui.compareLabel.text = _("Cancelling …")
            return
        with errorsShown():
            self.compare()
        self.update()

    def compare(self) -> None:
        """Begin; in the application it goes on by itself.

        Raises:
            BrainTumorSegError: when it cannot begin.
        """
        import slicer

        chosen = [(c, self._day(c)) for c in self._choices if self._isMarked(c)]
        registration = self.state.parameters.registration
        self._outcome = ""
        self.job = CompareJob(
            chosen,
            getattr(registration, "value", registration) or "auto",
            slicer.mrmlScene,
            self.onFinished,
            self.onStep,
        )
        self.job.start()
        pollUntilOver(self.job)

    def onStep(self, job: CompareJob) -> None:
        """Say what is being done."""
        if self.job is job and self.state.parameters is not None:
            self.state.ui.compareLabel.text = escape(job.step)
            self.state.ui.compareLabel.visible = True

    def onFinished(self, job: CompareJob) -> None:
        """The comparison is in the scene, or the scene is as it was."""
        if self.job is not job or self.state.parameters is None:
            return
        if job.state == "finished":
            self.compared = job.result
            warnings = dict.fromkeys([*job.result.record["warnings"], *job.result.warnings])
            self._outcome = "<br>".join(f"⚠ {escape(told(text))}" for text in warnings)
        elif job.state == "cancelled":
            self._outcome = _("Cancelled; the scene is as it was before.")
        else:
            self._outcome = _("It failed; nothing was added to the scene.")
        self.state.changed()
        if job.error is not None:
            showError(job.error, job.logTail)

    def onLesion(self, row: int, _column: int = 0) -> None:
        """Move the slices to a lesion."""
        import slicer

        with errorsShown():
            found = latestComparison(slicer.mrmlScene)
            scan = self._scanOf(found[0]) if found is not None else None
            if scan is not None:
                centerViews(slicer.mrmlScene, pointOf(found[1], row, scan))

    def onSave(self) -> None:
        """Write everything that the comparison has made into a folder."""
        import qt

        folder = qt.QFileDialog.getExistingDirectory(
            self.state.ui.saveComparisonButton, _("Save"), getSetting(SAVE_FOLDER, "")
        )
        if folder:
            with errorsShown():
                self.save(Path(folder))
        self.update()

    def save(self, folder: Path) -> None:
        """Write all files or none; existing ones are replaced only after asking.

        Raises:
            OutputError: naming the file and the remedy.
        """
        files = {folder / name: content for name, content in self.compared.files.items()}
        existing = [path.name for path in files if path.exists()]
        if existing and not confirm(
            _("Replace {names} in {folder}?").format(names=", ".join(existing), folder=folder),
            _("Replace files"),
        ):
            return
        with atomic_group(list(files), overwrite=bool(existing)) as temporary:
            for path, content in files.items():
                temporary[path].write_bytes(content)
        setSetting(SAVE_FOLDER, str(folder))
        link = f'<a href="{folder.as_uri()}">{escape(str(folder))}</a>'
        self._outcome = _("Saved in {folder}:").format(folder=link).rstrip(":") + "."

    def abandon(self) -> None:
        """Stop without touching a widget again; another scene begins."""
        job, self.job = self.job, None
        self.compared = None
        self._folders = []
        if job is not None and not job.over:
            job.cancel()
            job.poll()

    def update(self) -> None:
        """List the results that there are, and show the latest comparison."""
        import slicer

        ui = self.state.ui
        if ui.comparingButton.collapsed:
            return
        busy, idle = self.busy, not self.state.busy
        self._choices = [*sceneVisits(slicer.mrmlScene), *self._folders]
        self._showVisits(idle and not busy)
        marked = sum(map(self._isMarked, self._choices))
        ui.addVisitButton.enabled = idle and not busy
        ui.compareButton.text = _("Cancel") if busy else _("Compare")
        ui.compareButton.enabled = busy or (idle and marked > 1)
        text = escape(self.job.step) if busy else self._outcome
        if not busy and not text and marked < 2:
            text = _("Mark two or more results of one patient.")
        ui.compareLabel.text = text
        ui.compareLabel.visible = bool(text)
        self._showComparison()

    def _isMarked(self, choice: VisitChoice) -> bool:
        return self._marked.get(choice.key, False)

    def _day(self, choice: VisitChoice) -> str:
        return self._days.get(choice.key) or choice.day

    def _showVisits(self, usable: bool) -> None:
        import qt

        table = self.state.ui.visitsTable
        table.enabled = usable
        rows = [(c.key, c.name, self._isMarked(c), self._day(c)) for c in self._choices]
        self._filling = True
        table.rowCount = len(rows)
        for row, (_key, name, marked, day) in enumerate(rows):
            item = _cell(table, row, _NAME)
            item.setText(name)
            item.setToolTip(name)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked if marked else qt.Qt.Unchecked)
            cell = _cell(table, row, _DATE)
            cell.setText(day)
            cell.setToolTip(_("Date of the scan, for example 2024-05-31"))
        self._filling = False
        _fit(table, len(rows))

    def _showComparison(self) -> None:
        import slicer

        ui = self.state.ui
        found = latestComparison(slicer.mrmlScene)
        for widget in (ui.changesTable, ui.lesionsTable, ui.whoDecidesLabel):
            widget.visible = found is not None
        ui.saveComparisonButton.visible = self.compared is not None
        if found is None:
            self._shown = None
            return
        node, record = found
        if self._shown == node.GetID():
            return
        self._shown = node.GetID()
        self._showChanges(record)
        self._showLesions(record)
        ui.whoDecidesLabel.text = told(record["rano"]["who_decides"])

    def _showChanges(self, record: dict[str, Any]) -> None:
        table = self.state.ui.changesTable
        change = [c for c in record["changes"] if c["against"] == "previous"][-1]
        by_key = {row["key"]: row for row in change["volumes"]}
        keys = [*(t.key for t in TUMOR_TISSUES), *(region.name for region in Region)]
        table.rowCount = len(keys)
        for row, key in enumerate(keys):
            one = by_key[key]
            percent = "–" if one["percent"] is None else f"{one['percent']:+.0f}"
            cells = (
                told(volume_title(key)),
                f"{one['change_ml']:+.1f}",
                f"{one['error_ml']:.1f}",
                percent,
            )
            _fill(table, row, cells, bold=one["certain"])
        _fit(table, len(keys))

    def _showLesions(self, record: dict[str, Any]) -> None:
        table, lesions = self.state.ui.lesionsTable, record["lesions"]
        names = {
            "first": _("from the first visit"),
            "new": _("new"),
            "grown to size": _("was too small before"),
            "split": _("split off"),
            "merged": _("merged"),
            "vanished": _("vanished"),
        }
        table.rowCount = len(lesions)
        for row, lesion in enumerate(lesions):
            before, after = ("–" if ml is None else f"{ml:.1f}" for ml in lesion["volumes_ml"][-2:])
            cells = (str(lesion["lesion"]), before, after, names[lesion["events"][-1]["event"]])
            _fill(table, row, cells)
        _fit(table, len(lesions))

    @staticmethod
    def _scanOf(node: Any) -> Any:
        import slicer

        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        return node.GetNodeReference(role)

    def _prepareTables(self) -> None:
        ui = self.state.ui
        titles = {
            ui.visitsTable: [_("Result"), _("Date")],
            ui.changesTable: [_("Tissue"), _("mL"), _("± mL"), _("%")],
            ui.lesionsTable: [_("Lesion"), _("before"), _("after (mL)"), _("What happened")],
        }
        for table, columns in titles.items():
            prepareTable(table, columns, len(columns) - 1 if table is ui.lesionsTable else 0)


def _cell(table: Any, row: int, column: int) -> Any:
    """The cell there, made where there is none."""
    import qt

    if table.item(row, column) is None:
        table.setItem(row, column, qt.QTableWidgetItem())
    return table.item(row, column)


def _fill(table: Any, row: int, cells: tuple[str, ...], bold: bool = False) -> None:
    for column, text in enumerate(cells):
        cell = tableItem(text, figure=0 < column < 3 or text[:1] in "+-–")
        font = cell.font()
        font.setBold(bold)
        cell.setFont(font)
        table.setItem(row, column, cell)


def _fit(table: Any, rows: int) -> None:
    """As high as its rows, up to some."""
    shown = min(max(rows, 1), _MOST_ROWS)
    table.setFixedHeight(table.horizontalHeader().height + 4 + ROW_HEIGHT * shown)
