"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

#: What a worker of pytest-xdist needs at most, a network of the training's tests included.
WORKER_BYTES = 2 * 1024**3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A worker for every core that this process may use, as far as the memory goes."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    import psutil

    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().available // WORKER_BYTES))


def pytest_configure(config: pytest.Config) -> None:
    """Workers, and the programs that they start, compute in one thread: there is one a core."""
    if hasattr(config, "workerinput"):
        for variable in ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
            os.environ.setdefault(variable, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real scans, so that ``-m "not real_scans"`` leaves it out."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_scans")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section(f"{len(skipped)} tests were skipped")
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count:5d}  {reason}")


def shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder of this run of the tests that all its workers share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    return folder


def real_data_folder() -> Path | None:
    """The folder of real scans, if this machine has it."""
    named = os.environ.get("BRAINTUMORSEG_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    return folder if (folder / "cases.tsv").is_file() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real scans; tests that need them are skipped where they are absent."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip("no real scans: set BRAINTUMORSEG_DATA to the folder that holds cases.tsv")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep converted networks out of the person's cache; programs that we start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINTUMORSEG_CACHE", str(shared_folder(tmp_path_factory, "cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def light_pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where no pack is named take the light one, as a hospital may: the tests have two cores."""
    folder = shared_folder(tmp_path_factory, "models")
    (folder / "default.txt").write_text("glioma-lite\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINTUMORSEG_MODELS", str(folder))
        yield


@pytest.fixture
def scene() -> Iterator[Any]:
    """A fresh MRML scene with Slicer's own nodes and logics (see mrml_scene.py)."""
    pytest.importorskip(
        "slicer", reason="slicer-core is not installed: pip install 'BrainTumorSeg[dev]'"
    )
    from mrml_scene import make_scene

    with make_scene() as made:
        yield made


@pytest.fixture
def settings(scene: Any) -> Any:
    """Choices for a run on three scans that are in the scene."""
    from mrml_run import add_scans

    return add_scans(scene)


@pytest.fixture
def finished(settings: Any, tmp_path: Path) -> Path:
    """The folder of a run with these choices that has finished."""
    from mrml_run import finish_run

    finish_run(tmp_path / "run", settings)
    return tmp_path / "run"


@pytest.fixture
def result(settings: Any, finished: Path) -> Any:
    """That run's result in the scene."""
    from BrainTumorSegLib.slicer_app.run.result import importResult

    return importResult(finished, settings)


@pytest.fixture
def made(scene: Any, tmp_path: Path) -> Any:
    """A result in the scene, and the settings of the run that made it."""
    from mrml_results import add_result

    return add_result(scene, tmp_path / "run")


@pytest.fixture
def module(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module's own file, loaded as Slicer loads it (see slicer_fakes.py)."""
    pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
    from slicer_fakes import module_in_application

    names = ("PYTHON", "WORKER_PYTHON", "WHEEL_FOLDER", "READER", "SAVE_FOLDER")
    for name in (*names, "CASES_FOLDER", "RESULTS_FOLDER"):
        # Set and removed again: what the panel keeps in the environment ends with the test.
        monkeypatch.setenv(f"BRAINTUMORSEG_{name}", "")
        monkeypatch.delenv(f"BRAINTUMORSEG_{name}")
    with module_in_application(monkeypatch) as loaded:
        yield loaded


@pytest.fixture
def widget(module: Any) -> Iterator[Any]:
    """The module's panel; no error may be shown in it."""
    from slicer_fakes import open_widget

    with open_widget(module) as opened:
        yield opened
    assert module.errors == []


@pytest.fixture
def scans(scene: Any) -> dict[str, Any]:
    """Three volumes of one patient, by parameter."""
    from mrml_nodes import add_volume, head

    names = {"t1": "Doe T1 native", "t1ce": "Doe T1 post contrast", "flair": "Doe FLAIR"}
    return {
        key: add_volume(scene, name, head(seed=seed))
        for seed, (key, name) in enumerate(names.items())
    }
