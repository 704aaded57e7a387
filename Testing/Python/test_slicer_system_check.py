"""*Check my system*: the doctor in the worker, the application itself, and buttons for both."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from BrainTumorSegLib.core.errors import BrainTumorSegError, OutputError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED
from BrainTumorSegLib.slicer_app.install import packages, system_check
from BrainTumorSegLib.slicer_app.install.system_check import (
    Action,
    Finding,
    SystemCheck,
    examineApplication,
    fromDoctor,
    perform,
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("PYTHON", "WHEEL_FOLDER", "WORKER_PYTHON"):
        monkeypatch.delenv(f"BRAINTUMORSEG_{name}", raising=False)


@pytest.fixture
def slicer(monkeypatch, tmp_path):
    """The application as far as the check looks at it; attributes can be changed."""
    (tmp_path / "temp").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "PythonSlicer").write_text("")
    (tmp_path / "bin" / "PythonSlicer.exe").write_text("")
    application = ModuleType("slicer")
    application.__path__ = []
    application.cli = object()
    application.modules = SimpleNamespace(brainsfit=object())
    application.app = SimpleNamespace(
        applicationVersion="5.12.0",
        majorVersion=5,
        minorVersion=12,
        platform="linux-amd64",
        slicerHome=str(tmp_path),
        temporaryPath=str(tmp_path / "temp"),
        userSettings=lambda: SimpleNamespace(value=lambda name: None),
        testingEnabled=lambda: False,
        processEvents=lambda: None,
        translate=lambda context, text: text,
    )
    application.opened = []
    application.util = SimpleNamespace(selectModule=application.opened.append)
    monkeypatch.setitem(sys.modules, "slicer", application)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", ModuleType("PyTorchUtils"))
    return application


def doctor_says(*entries: dict) -> str:
    return json.dumps({"version": "1", "status": "ok", "findings": list(entries)}, indent=2)


def entry(name: str, status: str = "problem", remedy: str | None = "Do this.") -> dict:
    return {"name": name, "status": status, "detail": "found", "remedy": remedy}


# --- the worker ----------------------------------------------------------------------------


def test_the_doctor_runs_in_the_worker_without_blocking():
    told = []
    check = SystemCheck(told.append)
    began = time.monotonic()
    check.start()
    assert time.monotonic() - began < 2
    taken, end = [], time.monotonic() + 240
    while True:
        began = time.monotonic()
        over = check.poll()
        taken.append(time.monotonic() - began)
        if over:
            break
        assert time.monotonic() < end
        time.sleep(0.02)
    assert statistics.quantiles(taken, n=20)[-1] < 0.2
    assert told == [check]
    found = {finding.name: finding for finding in check.findings}
    assert {need.name for need in REQUIRED} <= set(found)
    assert found["torch"].status == "ok"
    assert "default pack" in found
    # Outside the application the doctor's own findings about the computer stay.
    assert {"BRAINSFit", "disk, temporary", "memory"} <= set(found)
    assert "torch" in check.text()


def test_cancelling_ends_the_worker_and_tells_nobody():
    told = []
    check = SystemCheck(told.append)
    check.start()
    folder = check._worker.folder
    check.cancel()
    assert not check.running
    assert check.poll()
    assert told == []
    assert not folder.exists()


def test_a_worker_that_cannot_start_is_a_finding(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(tmp_path / "absent"))
    told = []
    check = SystemCheck(told.append)
    check.start()
    (finding,) = check.findings
    assert finding.status == check.status == "problem"
    assert "absent" in finding.detail
    assert finding.remedy
    assert told == [check]


def test_a_worker_that_crashes_is_a_finding(monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import os\nos.abort()\n")
    before = system_check.runWorker

    def run(arguments):
        python = packages.workerPython()
        python.environment["PYTHONPATH"] = str(broken)
        return before(arguments, python)

    monkeypatch.setattr(system_check, "runWorker", run)
    check = SystemCheck()
    check.start()
    check.wait(60)
    (finding,) = check.findings
    assert finding.status == "problem"
    assert finding.detail


@pytest.mark.parametrize("output", ["", "Traceback", "{}", '{"findings": 3}', "[1]", '{"a"'])
def test_what_is_no_answer_of_the_doctor_is_not_taken_for_one(output):
    with pytest.raises(ValueError):
        fromDoctor(output)


def test_the_gravest_finding_comes_first():
    check = SystemCheck()
    check._found = [Finding(s, s, "") for s in ("ok", "problem", "warning", "ok")]
    assert [finding.status for finding in check.findings] == ["problem", "warning", "ok", "ok"]
    assert check.status == "problem"


# --- remedies ------------------------------------------------------------------------------


def test_in_slicer_a_missing_package_gets_a_button_that_installs(slicer):
    (finding,) = fromDoctor(doctor_says(entry("pynrrd")))
    assert finding.action == Action("Install packages", "install")
    assert "pip" not in finding.remedy


def test_in_slicer_a_missing_extra_gets_a_button_of_its_own(slicer):
    for extra in EXTRAS:
        (finding,) = fromDoctor(doctor_says(entry(f"extra {extra}", "ok")))
        assert finding.action == Action("Install", "install", extra)


def test_a_python_of_the_users_gets_the_command_to_copy(slicer, monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", sys.executable)
    (finding,) = fromDoctor(doctor_says(entry("pynrrd", remedy="python -m pip install pynrrd")))
    assert finding.action == Action("Copy", "copy", "python -m pip install pynrrd")


def test_networks_that_do_not_start_lead_to_pytorch_utils(slicer, monkeypatch):
    (finding,) = fromDoctor(doctor_says(entry("networks")))
    assert finding.action == Action("Open PyTorch Utils", "open", "PyTorchUtils")
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    (finding,) = fromDoctor(doctor_says(entry("networks")))
    assert finding.action.kind == "copy"


def test_what_is_well_needs_no_button(slicer):
    (finding,) = fromDoctor(doctor_says(entry("torch", "ok", None)))
    assert finding.action is None


def test_the_application_answers_for_brainsfit_and_disks(slicer):
    told = [entry(name) for name in ("BRAINSFit", "disk, this folder", "disk, temporary", "GPU")]
    assert [finding.name for finding in fromDoctor(doctor_says(*told))] == ["GPU"]


# --- the application -----------------------------------------------------------------------


def named(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_a_good_slicer_has_no_problems(slicer):
    found = named(examineApplication())
    assert {finding.status for finding in found.values()} == {"ok"}
    assert "5.12.0" in found["3D Slicer"].detail
    assert "GB free" in found["temporary folder"].detail
    assert list(Path(slicer.app.temporaryPath).iterdir()) == []


def test_an_old_slicer_is_a_problem_with_a_link(slicer):
    slicer.app.minorVersion = 8
    finding = named(examineApplication())["3D Slicer"]
    assert finding.status == "problem"
    assert finding.action.kind == "open"
    assert finding.action.payload.startswith("https://")


def test_a_slicer_without_brainsfit_says_what_registers_instead(slicer):
    del slicer.modules.brainsfit
    finding = named(examineApplication())["BRAINSFit"]
    assert finding.status == "warning"
    assert "SimpleITK" in finding.detail


def test_without_torch_the_extension_is_offered(slicer, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    assert named(examineApplication())["PyTorch extension"].status == "ok"
    torch = type(REQUIRED[0])
    monkeypatch.setattr(torch, "installed", property(lambda need: None))
    finding = named(examineApplication())["PyTorch extension"]
    assert finding.status == "problem"
    assert finding.action == Action("Install extension", "extension", "PyTorch")


def test_a_full_disk_is_a_warning(slicer, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2e8))
    finding = named(examineApplication())["temporary folder"]
    assert finding.status == "warning"
    assert finding.remedy


def test_a_temporary_folder_that_cannot_be_made_is_a_problem(slicer, monkeypatch):
    def refuse():
        raise OutputError("No folder.", "Choose another.")

    monkeypatch.setattr(system_check, "runFolder", refuse)
    finding = named(examineApplication())["temporary folder"]
    assert (finding.status, finding.remedy) == ("problem", "Choose another.")


def test_the_text_holds_every_remedy():
    check = SystemCheck()
    check._found = [Finding("CPU", "ok", "fast"), Finding("GPU", "warning", "none", "Buy one.")]
    assert [line.split() for line in check.text().splitlines()[:3]] == [
        ["warning", "GPU", "none"],
        ["->", "Buy", "one."],
        ["ok", "CPU", "fast"],
    ]


# --- buttons -------------------------------------------------------------------------------


def test_the_install_button_installs_what_it_names(monkeypatch):
    asked = []
    monkeypatch.setattr(system_check, "install", lambda extras: asked.append(extras))
    assert perform(Action("", "install"))
    assert perform(Action("", "install", "dicom"))
    assert asked == [(), ("dicom",)]


@pytest.mark.parametrize("installed", [True, False])
def test_the_extension_button_says_what_became_of_it(monkeypatch, installed):
    monkeypatch.setattr(system_check, "installPytorchExtension", lambda: installed)
    said = perform(Action("", "extension", "PyTorch"))
    assert ("Restart" in said) is installed
    assert ("Extensions Manager" in said) is not installed


def test_a_module_and_an_address_are_opened(slicer, monkeypatch):
    shown = []
    qt = SimpleNamespace(
        QDesktopServices=SimpleNamespace(openUrl=shown.append),
        QUrl=str,
        QApplication=SimpleNamespace(clipboard=lambda: SimpleNamespace(setText=shown.append)),
    )
    monkeypatch.setitem(sys.modules, "qt", qt)
    perform(Action("", "open", "PyTorchUtils"))
    perform(Action("", "open", "https://download.slicer.org"))
    perform(Action("", "copy", "pip install it"))
    assert slicer.opened == ["PyTorchUtils"]
    assert shown == ["https://download.slicer.org", "pip install it"]


def test_an_error_of_a_button_reaches_the_panel(monkeypatch):
    def fail(extras):
        raise BrainTumorSegError("no", "yes")

    monkeypatch.setattr(system_check, "install", fail)
    with pytest.raises(BrainTumorSegError):
        perform(Action("", "install"))


def test_an_unknown_button_is_a_mistake():
    with pytest.raises(ValueError):
        perform(Action("", "dance"))
