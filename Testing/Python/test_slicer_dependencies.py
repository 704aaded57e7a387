"""Packages for the worker: asked for once, added only, from the internet or from a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from BrainTumorSegLib.core.errors import Cancelled, DependencyError, InputError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED, Requirement
from BrainTumorSegLib.slicer_app.host.application import workerPython
from BrainTumorSegLib.slicer_app.install import dependencies, packages
from BrainTumorSegLib.slicer_app.install.dependencies import constraints, install, installedVersions
from BrainTumorSegLib.slicer_app.install.packages import (
    Package,
    describeMissing,
    importProblems,
    installCommand,
    missingPackages,
)

TORCH = Requirement("torch", "2.4")
NETWORKS = Requirement("segmentation-models-pytorch", "0.4")
NRRD = Requirement("pynrrd", "1.0")
SMP = Requirement("segmentation-models-pytorch", "0.4")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("PYTHON", "WHEEL_FOLDER", "WORKER_PYTHON"):
        monkeypatch.delenv(f"BRAINTUMORSEG_{name}", raising=False)
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)


class Slicer:
    """What `install` uses of the application, as Slicer 5.12 (or 5.10) offers it."""

    def __init__(self, monkeypatch, lacking: list[Requirement], modern: bool = True) -> None:
        self.lacking = list(lacking)
        self.agrees = True
        self.testing = False
        self.restarted = False
        self.extension = True
        self.asked: list[str] = []
        self.pip: list[tuple[list[str], list[str]]] = []
        self.torch: list[dict] = []
        self.torch_constraint = ""
        self.failure: Exception | None = None
        self.model = SimpleNamespace(installExtensionFromServer=lambda name: name == "PyTorch")
        util = SimpleNamespace(
            confirmOkCancelDisplay=self.ask,
            confirmYesNoDisplay=self.ask,
            restart=lambda: setattr(self, "restarted", True),
            pip_install=self.old_pip,
            WaitCursor=lambda: __import__("contextlib").nullcontext(),
        )
        app = SimpleNamespace(
            testingEnabled=lambda: self.testing,
            extensionsManagerModel=lambda: self.model,
            userSettings=lambda: SimpleNamespace(value=lambda name: None),
            temporaryPath=tempfile.gettempdir(),
            processEvents=lambda: None,
            translate=lambda context, text: text,
        )
        python = workerPython()
        # Importing everything takes seconds; it has tests of its own.
        monkeypatch.setattr(dependencies, "importProblems", lambda _: {})
        monkeypatch.setattr(packages, "workerPython", lambda: python)
        slicer = ModuleType("slicer")
        slicer.util, slicer.app, slicer.__path__ = util, app, []
        monkeypatch.setitem(sys.modules, "slicer", slicer)
        modules: dict = dict.fromkeys(("slicer.packaging", "PyTorchUtils"))
        if modern:
            modules["slicer.packaging"] = SimpleNamespace(
                pip_install=self.new_pip, pip_ensure=self.ensure
            )
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        self.monkeypatch = monkeypatch
        self.offer_extension()
        monkeypatch.setattr(
            packages,
            "REQUIRED",
            tuple(r for r in REQUIRED if r not in lacking) + tuple(lacking),
        )
        present = Requirement.installed.fget
        monkeypatch.setattr(
            Requirement,
            "installed",
            property(lambda r: None if r in self.lacking else present(r)),
        )

    def offer_extension(self, there: bool = True) -> None:
        module = SimpleNamespace(
            PyTorchUtilsLogic=lambda: SimpleNamespace(installTorch=self.install_torch)
        )
        self.monkeypatch.setitem(sys.modules, "PyTorchUtils", module if there else None)

    def ask(self, question: str, title: str) -> bool:
        self.asked.append(question)
        return self.agrees

    def install_torch(self, **arguments) -> object:
        self.torch.append(arguments)
        self.torch_constraint = os.environ.get("PIP_CONSTRAINT", "")
        self.arrive(["torch>=2.4"])
        return object()

    def old_pip(self, arguments: list[str]) -> None:
        position = arguments.index("-c")
        pins = Path(arguments[position + 1]).read_text(encoding="utf-8").splitlines()
        self.arrive([*arguments[:position], *arguments[position + 2 :]], pins)

    def new_pip(self, requirements: list[str], constraints: str, requester: str) -> None:
        assert requester == "BrainTumorSeg"
        self.arrive(requirements, Path(constraints).read_text(encoding="utf-8").splitlines())

    def ensure(self, requirements, constraints, requester, prompt_install, prompt_restart) -> None:
        assert not prompt_install
        assert not prompt_restart
        assert all(not requirement.startswith("-") for requirement in requirements)
        self.new_pip(requirements, constraints, requester)

    def arrive(self, arguments: list[str], pins: list[str] | None = None) -> None:
        if self.failure:
            raise self.failure
        if pins is not None:
            self.pip.append((arguments, pins))
        names = {argument.split(">=")[0] for argument in arguments}
        if "segmentation-models-pytorch" in names:
            names.add("torch")
        self.lacking = [r for r in self.lacking if r.name not in names]


@pytest.fixture
def slicer(monkeypatch):
    return lambda *lacking, **more: Slicer(monkeypatch, list(lacking), **more)


# --- what is missing -----------------------------------------------------------------------


def test_nothing_is_missing_where_the_tests_run():
    assert missingPackages() == []


def test_a_missing_package_is_listed_with_purpose_and_size(slicer):
    slicer(TORCH, NRRD)
    listed = {package.name: package for package in missingPackages()}
    assert set(listed) == {"torch", "pynrrd"}
    text = describeMissing(listed.values())
    assert "torch>=2.4: PyTorch, computes the networks, about 750 MB" in text
    assert "up to 5.0 GB" in text
    assert "Together about 751 MB" in text


def test_every_package_has_its_own_purpose_and_size():
    needs = [*REQUIRED, *(need for _, more in EXTRAS.values() for need in more)]
    purposes = {packages._known(need.name)[1] for need in needs}
    assert len(purposes) == len(needs)
    assert packages._known("unknown")[1] not in purposes


def test_a_release_that_is_too_old_counts_as_missing(monkeypatch):
    newer = Requirement("numpy", "99")
    monkeypatch.setattr(packages, "REQUIRED", (newer,))
    (package,) = missingPackages()
    assert package.installed == installedVersions()["numpy"]


def test_extras_are_asked_about_when_they_are_wanted(monkeypatch):
    monkeypatch.setattr(packages, "EXTRAS", {"dicom": ("", (Requirement("no-such-package", "1"),))})
    assert missingPackages() == []
    assert [p.name for p in missingPackages(["dicom"])] == ["no-such-package"]


def test_another_python_is_asked_about_its_own_packages(tmp_path, monkeypatch):
    """A bare environment lacks everything; this Python's packages do not count."""
    bare = tmp_path / "bare für Ärzte"
    command = [sys.executable, "-m", "venv", "--without-pip", str(bare)]
    subprocess.run(command, check=True)
    program = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(program))
    missing = missingPackages()
    assert {package.name for package in missing} == {need.name for need in REQUIRED}
    command = installCommand(missing)
    assert str(program) in command
    assert "segmentation-models-pytorch>=0.4" in command
    with pytest.raises(DependencyError) as caught:
        install(confirm=False)
    assert command in caught.value.remedy


def test_another_python_that_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(tmp_path / "absent"))
    with pytest.raises(DependencyError, match="absent"):
        missingPackages()


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_another_python_that_talks_nonsense_is_named(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho nonsense\n")
    program.chmod(0o755)
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(program))
    with pytest.raises(DependencyError, match="cannot say which packages"):
        missingPackages()


# --- installing ----------------------------------------------------------------------------


def test_nothing_is_asked_when_nothing_is_missing(slicer):
    there = slicer()
    install()
    assert there.asked == []


def test_outside_slicer_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(packages, "REQUIRED", (Requirement("no-such-package", "1"),))
    with pytest.raises(DependencyError, match="no-such-package") as caught:
        install(confirm=False)
    assert "-m pip install" in caught.value.remedy


@pytest.mark.parametrize("modern", [True, False])
def test_one_question_is_asked_and_torch_comes_through_its_extension(slicer, modern):
    there = slicer(TORCH, NRRD, modern=modern)
    install()
    assert len(there.asked) == 1
    for word in ("torch>=2.4", "pynrrd>=1.0", "Together about"):
        assert word in there.asked[0]
    assert there.torch == [{"askConfirmation": False, "torchVersionRequirement": ">=2.4"}]
    ((requirements, pins),) = there.pip
    assert requirements == ["pynrrd>=1.0"]
    assert f"numpy=={installedVersions()['numpy']}" in pins


def test_pip_is_bound_while_the_extension_calls_it(slicer):
    there = slicer(TORCH)
    install(confirm=False)
    assert there.torch_constraint.startswith("file://")
    assert " " not in there.torch_constraint
    assert "PIP_CONSTRAINT" not in os.environ


def test_a_constraint_of_the_user_stays(slicer, monkeypatch):
    there = slicer(TORCH)
    monkeypatch.setenv("PIP_CONSTRAINT", "/etc/pip-constraints.txt")
    install(confirm=False)
    assert there.torch_constraint.startswith("/etc/pip-constraints.txt file://")
    assert os.environ["PIP_CONSTRAINT"] == "/etc/pip-constraints.txt"


def test_declining_installs_nothing(slicer):
    there = slicer(TORCH, NRRD)
    there.agrees = False
    with pytest.raises(Cancelled):
        install()
    assert there.pip == there.torch == []


def test_a_script_is_not_asked(slicer):
    there = slicer(NRRD)
    install(confirm=False)
    assert there.asked == []
    assert len(there.pip) == 1


def test_testing_mode_installs_nothing(slicer):
    there = slicer(NRRD)
    there.testing = True
    with pytest.raises(DependencyError, match="pynrrd"):
        install()
    assert there.pip == there.asked == []


def test_without_the_pytorch_extension_its_installation_is_offered(slicer):
    there = slicer(TORCH, NRRD)
    there.offer_extension(False)
    with pytest.raises(DependencyError) as caught:
        install()
    assert "Restart Slicer" in caught.value.remedy
    assert len(there.asked) == 1
    assert there.pip == []


@pytest.mark.parametrize("model", [None, SimpleNamespace(installExtensionFromServer=bool)])
def test_without_an_extensions_manager_the_way_is_told(slicer, model):
    there = slicer(TORCH)
    there.offer_extension(False)
    there.model = model
    if model:
        model.installExtensionFromServer = lambda name: False
    with pytest.raises(DependencyError) as caught:
        install()
    assert "Extensions Manager" in caught.value.remedy
    assert "wheels" in caught.value.remedy


def test_who_declines_the_extension_is_not_told_off(slicer):
    there = slicer(TORCH)
    there.offer_extension(False)
    there.agrees = False
    with pytest.raises(Cancelled):
        install()
    assert len(there.asked) == 1
    assert "wheels" in there.asked[0]


def test_a_failing_pip_is_told_with_a_remedy(slicer):
    there = slicer(NRRD)
    there.failure = subprocess.CalledProcessError(1, "pip install")
    with pytest.raises(DependencyError, match="pynrrd") as caught:
        install(confirm=False)
    assert "proxy" in caught.value.remedy


def test_what_is_missing_after_all_is_told(slicer, monkeypatch):
    there = slicer(NRRD)
    monkeypatch.setattr(there, "arrive", lambda *_: None)
    with pytest.raises(DependencyError, match="still missing: pynrrd"):
        install(confirm=False)


def test_slicers_own_package_is_never_exchanged(slicer, monkeypatch):
    there = slicer()
    monkeypatch.setattr(packages, "REQUIRED", (Requirement("numpy", "99"),))
    with pytest.raises(DependencyError, match="too old: numpy"):
        install(confirm=False)
    assert there.pip == []


def test_a_torch_that_is_too_old_is_for_the_user_to_remove(slicer, monkeypatch):
    slicer()
    monkeypatch.setattr(packages, "REQUIRED", (Requirement("torch", "99"),))
    with pytest.raises(DependencyError) as caught:
        install(confirm=False)
    assert "PyTorch Utils" in caught.value.remedy


# --- without internet ----------------------------------------------------------------------


@pytest.mark.parametrize("modern", [True, False])
def test_a_folder_of_wheels_replaces_the_internet_and_the_extension(
    slicer, tmp_path, monkeypatch, modern
):
    there = slicer(TORCH, NRRD, modern=modern)
    there.offer_extension(False)
    wheels = tmp_path / "Räder 1"
    wheels.mkdir()
    (wheels / "pynrrd-1.0-py3-none-any.whl").touch()
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", str(wheels))
    install()
    assert str(wheels) in there.asked[0]
    ((arguments, _),) = there.pip
    assert arguments[:3] == ["--no-index", "--find-links", str(wheels)]
    # PyTorch is no request of ours; it comes as what the architectures depend on.
    assert set(arguments[3:]) == {"pynrrd>=1.0", "segmentation-models-pytorch"}
    assert there.torch == []


def test_a_folder_of_wheels_that_is_not_there_is_named(slicer, tmp_path, monkeypatch):
    slicer(NRRD)
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", str(tmp_path / "absent"))
    with pytest.raises(InputError, match="absent"):
        install()


def test_an_empty_folder_of_wheels_is_told_before_anything_is_asked(slicer, tmp_path, monkeypatch):
    there = slicer(NRRD)
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", str(tmp_path))
    with pytest.raises(InputError, match="holds no wheels"):
        install()
    assert there.asked == []


def test_what_a_folder_of_wheels_lacks_is_not_blamed_on_the_internet(slicer, tmp_path, monkeypatch):
    there = slicer(TORCH, SMP)
    there.failure = subprocess.CalledProcessError(1, "pip install")
    (tmp_path / "pynrrd-1.0-py3-none-any.whl").touch()
    monkeypatch.setenv("BRAINTUMORSEG_WHEEL_FOLDER", str(tmp_path))
    with pytest.raises(DependencyError) as caught:
        install()
    assert str(tmp_path) in caught.value.remedy
    assert "proxy" not in caught.value.remedy
    assert caught.value.message.count("segmentation-models-pytorch") == 1


def wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """A wheel that holds nothing but its own name."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")


def dry_run(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess:
    pytest.importorskip("pip", reason="this environment has no pip to try")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--find-links"]
    return subprocess.run(
        [*command, str(folder), *options],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pip_itself_keeps_slicers_packages_under_our_constraints(tmp_path):
    """The real pip: it would exchange numpy, and with our pins does not, either way given."""
    wheels, pins = tmp_path / "wheels", tmp_path / "pins for pip" / "constraints.txt"
    wheels.mkdir()
    pins.parent.mkdir()
    wheel(wheels, "numpy", "99.0")
    wheel(wheels, "greedy", "1.0", "numpy>=99")
    wheel(wheels, "modest", "1.0", "numpy>=1.20")
    pins.write_text("\n".join(constraints(installedVersions())) + "\n", encoding="utf-8")
    free = dry_run(wheels, "greedy")
    assert "numpy-99.0" in free.stdout, free.stderr
    for bound in (
        dry_run(wheels, "-c", str(pins), "greedy"),
        dry_run(wheels, "greedy", PIP_CONSTRAINT=pins.as_uri()),
    ):
        assert bound.returncode != 0
        assert "conflicting dependencies" in bound.stderr
    modest = dry_run(wheels, "-c", str(pins), "modest")
    assert modest.returncode == 0, modest.stderr
    assert "numpy-99" not in modest.stdout


# --- constraints and verification ----------------------------------------------------------


def test_constraints_pin_what_slicer_ships_and_what_is_loaded(monkeypatch):
    monkeypatch.setattr(dependencies, "_loadedPackages", lambda: frozenset({"busy-package"}))
    versions = {
        "numpy": "2.4.6",
        "simpleitk": "2.5.5",
        "torch": "2.10.0+cu128",
        "busy-package": "1.0",
        "idle-package": "3.0",
        "vtk": "9.6.2.dev0+unknown version",
    }
    assert constraints(versions) == [
        "busy-package==1.0",
        "numpy==2.4.6",
        "simpleitk==2.5.5",
        "torch==2.10.0+cu128",
    ]
    assert "busy-package==1.0" not in constraints(versions, free=["Busy_Package"])


def test_what_is_loaded_is_found_by_the_name_that_pip_knows():
    import nrrd

    assert nrrd
    assert {"numpy", "pynrrd", "pytest"} <= dependencies._loadedPackages()


def test_a_restart_is_only_offered_when_something_in_use_changed(slicer, monkeypatch):
    there = slicer(NRRD)
    monkeypatch.setattr(dependencies, "_loadedPackages", lambda: frozenset({"tqdm"}))
    states = iter([{"tqdm": "4.0", "x": "1"}, {"tqdm": "4.66", "x": "2", "new": "1"}])
    monkeypatch.setattr(dependencies, "installedVersions", lambda: next(states))
    install()
    assert there.restarted
    assert there.asked[-1].startswith("tqdm were exchanged")


def test_no_restart_is_offered_otherwise(slicer):
    there = slicer(NRRD)
    install()
    assert len(there.asked) == 1
    assert not there.restarted


def test_packages_are_imported_in_the_worker():
    wanted = [Package(NRRD, "", 1), Package(NETWORKS, "", 1)]
    assert importProblems(wanted) == {}


def test_openvino_is_imported_without_its_report_to_the_maker(tmp_path):
    pytest.importorskip("openvino")
    heard = tmp_path / "heard.txt"
    (tmp_path / "openvino_telemetry.py").write_text(f"open({str(heard)!r}, 'w').close()\n")
    python = workerPython()
    python.environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{python.environment['PYTHONPATH']}"
    assert importProblems([Package(Requirement("openvino", "1"), "", 1)], python) == {}
    assert not heard.exists()
    importProblems([Package(Requirement("openvino_telemetry", "1"), "", 1)], python)
    assert heard.exists(), "this test would not notice"


def test_a_package_that_does_not_import_is_told_with_the_reason():
    problems = importProblems([Package(Requirement("no_such_module", "1"), "", 1)])
    assert "ModuleNotFoundError" in problems["no_such_module"]


def test_a_worker_that_dies_while_importing_is_told(tmp_path):
    (tmp_path / "deadly.py").write_text("import os\nprint('last words', flush=True)\nos._exit(3)\n")
    python = workerPython()
    python.environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
    with pytest.raises(DependencyError, match="last words"):
        importProblems([Package(Requirement("deadly", "1"), "", 1)], python)


def test_installed_but_not_working_is_an_error(slicer, monkeypatch):
    slicer(NRRD)
    monkeypatch.setattr(dependencies, "importProblems", lambda _: {"nrrd": "OSError: DLL"})
    with pytest.raises(DependencyError, match=r"nrrd \(OSError: DLL\)"):
        install(confirm=False)
