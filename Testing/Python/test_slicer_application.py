"""What differs between Slicer and plain Python: who computes, folders, settings, language."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import BrainTumorSegLib
from BrainTumorSegLib.core.errors import Cancelled, DependencyError, OutputError
from BrainTumorSegLib.slicer_app.host import application
from BrainTumorSegLib.slicer_app.host.application import (
    getSetting,
    runFolder,
    setSetting,
    workerPython,
)
from BrainTumorSegLib.slicer_app.host.host import inApplication, processEvents
from BrainTumorSegLib.slicer_app.host.translation import tr
from BrainTumorSegLib.slicer_app.worker.failures import describe

LIBRARY_PARENT = Path(BrainTumorSegLib.__file__).parent.parent


class Settings(dict):
    """As much of QSettings as is used."""

    def value(self, name):
        return self.get(name)

    def setValue(self, name, value):  # noqa: N802
        self[name] = value


class Environment(dict):
    """As much of QProcessEnvironment as `slicer.util.startupEnvironment` uses."""

    def value(self, name):
        return self[name]


@pytest.fixture
def slicer_app(scene, monkeypatch, tmp_path):
    """``slicer.app`` with the few things of it that are used."""
    import slicer

    home = tmp_path / "Slicer 5.12"
    (home / "bin").mkdir(parents=True)
    app = SimpleNamespace(
        temporaryPath=str(tmp_path / "Slicer temporär"),
        slicerHome=str(home),
        settings=Settings(),
        events=0,
        translations={},
    )
    app.userSettings = lambda: app.settings
    app.translate = lambda context, text: app.translations.get((context, text), text)
    app.startupEnvironment = lambda: Environment(HOME="/home/x", PATH="/usr/bin")

    def process_events():
        app.events += 1

    app.processEvents = process_events
    monkeypatch.setattr(slicer, "app", app, raising=False)
    return app


@pytest.fixture
def python_slicer(slicer_app, monkeypatch):
    path = Path(slicer_app.slicerHome) / "bin" / "PythonSlicer"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    return path


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv("BRAINTUMORSEG_PYTHON", raising=False)


def python_of(environment, *code):
    return subprocess.run(
        [sys.executable, "-c", *code], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


# Where we are


def test_importing_slicer_does_not_make_an_application(scene):
    import slicer

    assert slicer is not None and not inApplication()
    processEvents()


def test_slicer_with_an_application_is_recognised(slicer_app):
    assert inApplication()
    processEvents()
    assert slicer_app.events == 1


def test_the_scene_code_loads_with_nothing_but_the_standard_library():
    """The module must load in a Slicer in which nothing was installed."""
    files = ("host.application", "worker.process_tree", "worker.worker")
    imports = "; ".join(f"import BrainTumorSegLib.slicer_app.{name}" for name in files)
    code = (
        f"import sys; before = set(sys.modules); {imports}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    told = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.append({str(LIBRARY_PARENT)!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "['BrainTumorSegLib']"


def test_the_run_loads_with_nothing_but_what_slicer_ships():
    code = (
        f"import sys; sys.path.append({str(LIBRARY_PARENT)!r})\n"
        "import BrainTumorSegLib.slicer_app.run.segmentation_run\n"
        "import BrainTumorSegLib.slicer_app.run.brainsfit\n"
        "heavy = {'torch', 'scipy', 'nrrd', 'psutil', 'tqdm', 'jsonschema', 'safetensors',"
        " 'slicer', 'vtk'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr


# The Python of the worker


def test_plain_python_computes_by_itself():
    python = workerPython()
    assert python.executable == Path(sys.executable)
    assert str(python.executable) in python.description
    assert python.program == ("-m", "BrainTumorSegLib")


def test_the_library_comes_first_on_the_path_and_speaks_utf8(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", "", "/elsewhere"]))
    environment = workerPython().environment
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(LIBRARY_PARENT), "/elsewhere"]
    code = "import sys; print(sys.stdout.encoding, sys.flags.utf8_mode)"
    assert python_of(environment, code) == "utf-8 1"
    assert environment["PYTHONUNBUFFERED"] == "1"


def test_a_library_in_site_packages_does_not_put_all_of_it_first(monkeypatch):
    installed = "/x/lib/python3.12/site-packages/BrainTumorSegLib/__init__.py"
    monkeypatch.setattr(BrainTumorSegLib, "__file__", installed)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "PYTHONPATH" not in workerPython().environment


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locales of Linux")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LC_ALL": "C"}, "C.UTF-8"),
        ({}, "C.UTF-8"),
        ({"LANG": "ru_RU.UTF-8"}, None),
        ({"LC_ALL": "de_DE.UTF-8", "LANG": "C"}, "de_DE.UTF-8"),
    ],
)
def test_a_locale_without_letters_is_replaced(monkeypatch, variables, expected):
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert workerPython().environment.get("LC_ALL") == expected


def test_slicer_computes_with_its_own_python(python_slicer, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/slicer/python")
    python = workerPython()
    assert python.executable == python_slicer
    # It is Slicer's own: Slicer's variables belong to it.
    assert python.environment["PYTHONHOME"] == "/slicer/python"
    assert str(python_slicer) in python.description


def test_slicers_python_is_found_without_a_path(python_slicer, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert workerPython().executable == python_slicer


def test_the_application_itself_is_never_started_as_python(slicer_app, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    with pytest.raises(DependencyError, match="PythonSlicer"):
        workerPython()


@pytest.mark.parametrize("by", ["variable", "setting"])
def test_a_chosen_python_gets_nothing_of_slicers(slicer_app, python_slicer, monkeypatch, by):
    """Slicer's PYTHONHOME would make it load Slicer's library in place of its own."""
    for name in ("PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONPATH"):
        monkeypatch.setenv(name, "/slicer/lib/Python")
    environment = Environment(PATH="/usr/bin", PYTHONHOME="/slicer/lib/Python", KEPT="yes")
    slicer_app.startupEnvironment = lambda: environment
    if by == "variable":
        monkeypatch.setenv("BRAINTUMORSEG_PYTHON", sys.executable)
    else:
        setSetting("WorkerPython", sys.executable)
    python = workerPython()
    assert python.executable == Path(sys.executable)
    assert python.environment["KEPT"] == "yes"
    assert "PYTHONHOME" not in python.environment
    assert python.environment["PYTHONPATH"] == str(LIBRARY_PARENT)
    code = "import json, BrainTumorSegLib; print(BrainTumorSegLib.__version__)"
    assert python_of(python.environment, code) == BrainTumorSegLib.__version__


def test_the_variable_comes_before_the_setting(slicer_app, monkeypatch):
    setSetting("WorkerPython", "/of/the/setting")
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", "/of/the/variable")
    assert workerPython().executable == Path("/of/the/variable")


# Settings


def test_settings_are_kept_by_slicer(slicer_app, monkeypatch):
    assert getSetting("WheelFolder", "none") == "none"
    setSetting("WheelFolder", "/wheels")
    assert slicer_app.settings == {"BrainTumorSeg/WheelFolder": "/wheels"}
    assert getSetting("WheelFolder") == "/wheels"
    setSetting("WheelFolder", "")
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", "/of/the/environment")
    assert getSetting("WheelFolder") == "/of/the/environment"


def test_settings_are_variables_on_plain_python(monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", "/wheels")
    assert getSetting("WheelFolder") == "/wheels"
    setSetting("WheelFolder", "/others")
    assert os.environ["BRAINTUMORSEG_WHEEL_FOLDER"] == "/others"
    assert getSetting("Unheard") == "" and getSetting("Unheard", "x") == "x"


# Temporary files


def test_run_folders_lie_where_slicer_keeps_temporary_files(slicer_app):
    folder = runFolder()
    assert folder.parent == Path(slicer_app.temporaryPath) and list(folder.iterdir()) == []


def test_run_folders_that_a_crash_has_left_are_deleted_after_days(slicer_app):
    old, recent = runFolder(), runFolder()
    (old / "t1.nrrd").write_text("a patient", encoding="utf-8")
    foreign = old.with_name("BrainTumorSeg-run-of my own")
    foreign.mkdir()
    for folder in (old, foreign):
        os.utime(folder, (0, 0))
    runFolder()
    assert not old.exists() and recent.exists() and foreign.exists()


def test_a_place_that_takes_no_folder_is_named(slicer_app, tmp_path):
    (tmp_path / "a file").write_text("", encoding="utf-8")
    slicer_app.temporaryPath = str(tmp_path / "a file" / "temp")
    with pytest.raises(OutputError, match="a file") as failure:
        runFolder()
    assert "temporary folder" in failure.value.remedy


# Translations


def test_texts_stay_as_they_are_without_an_application():
    assert tr("Loading {name}") == "Loading {name}"


def test_texts_are_translated_by_the_file_that_says_them(slicer_app):
    context = Path(__file__).stem
    slicer_app.translations[(context, "Cancel {name}")] = "{name} abbrechen"
    assert tr("Cancel {name}") == "{name} abbrechen"
    assert tr("Something else") == "Something else"
    slicer_app.translations[("worker.failures", "Cancelled")] = "Abgebrochen"
    assert describe(Cancelled()).title == "Abgebrochen"


@pytest.mark.parametrize("wrong", ["{nom} annuler", "annuler", "{name} {", "{name} {0}"])
def test_a_translation_that_could_not_be_filled_in_is_ignored(slicer_app, caplog, wrong):
    slicer_app.translations[(Path(__file__).stem, "Cancel {name}")] = wrong
    assert tr("Cancel {name}") == "Cancel {name}"
    assert "placeholders" in caplog.text


def test_no_text_is_formatted_before_it_is_translated():
    """An f-string inside ``_()`` could never be found in a translation file."""
    import ast

    folder = Path(application.__file__).parent
    guilty = []
    for path in folder.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("_", "tr")
                and not isinstance(node.args[0], ast.Constant)
            ):
                guilty.append(f"{path.name}:{node.lineno}")
    assert guilty == []
