"""From a bare Python to an installation: what is checked, what is run, what is said."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from BrainTumorSegLib.bootstrap import installer as bootstrap
from BrainTumorSegLib.core.errors import DependencyError, InputError, OutputError

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY = CHECKOUT / "BrainTumorSegLib"

posix_only = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")


@pytest.fixture
def no_gpu_files(monkeypatch):
    """The kernel's list of GPUs is empty, whatever this machine has."""
    monkeypatch.setattr(bootstrap.Path, "glob", lambda self, pattern: iter(()))


def stand_in(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


# What runs before anything is installed


def early_files() -> list[Path]:
    names = ("__init__", "core/__init__", "core/errors", "bootstrap/__init__")
    names += ("bootstrap/__main__", "bootstrap/environment", "bootstrap/installer")
    return [LIBRARY / f"{name}.py" for name in names]


@pytest.mark.parametrize("path", early_files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_python_can_read_the_bootstrap_to_hear_that_it_is_too_old(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_bootstrap_needs_nothing_but_the_standard_library():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import BrainTumorSegLib.bootstrap.installer\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(CHECKOUT)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split()) - {"BrainTumorSegLib", "__main__"}
    assert loaded <= set(sys.stdlib_module_names)


def test_an_old_python_is_refused_and_a_newer_one_named(tmp_path, monkeypatch):
    stand_in(tmp_path, "python3.12", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match=r"needs Python 3\.11 or newer; this is 3\.9") as e:
        bootstrap.check_python((3, 9))
    assert "python3.12 -m BrainTumorSegLib.bootstrap" in e.value.remedy


def test_an_old_python_is_refused_where_there_is_no_newer_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError) as caught:
        bootstrap.check_python((3, 10))
    assert caught.value.remedy.startswith("Install Python 3.11")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_refused_with_the_package_to_install(monkeypatch, module):
    real = bootstrap.importlib.util.find_spec
    monkeypatch.setattr(
        bootstrap.importlib.util, "find_spec", lambda name: None if name == module else real(name)
    )
    with pytest.raises(DependencyError) as caught:
        bootstrap.check_python()
    assert "apt-get install python3-venv" in caught.value.remedy


def test_this_checkout_is_complete():
    bootstrap.check_checkout(CHECKOUT)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no pyproject\.toml"):
        bootstrap.check_checkout(tmp_path)


# Which build of torch


@posix_only
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'GPU 0: NVIDIA Test (UUID: 1)'", True),
        ("echo 'NVIDIA-SMI has failed because it could not reach the driver'; exit 9", False),
        ("echo 'No devices found.'", False),
    ],
)
def test_a_gpu_is_what_the_driver_sees(tmp_path, monkeypatch, no_gpu_files, script, expected):
    stand_in(tmp_path, "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert bootstrap.has_nvidia_gpu() is expected


def test_without_the_drivers_program_there_is_no_gpu(tmp_path, monkeypatch, no_gpu_files):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.has_nvidia_gpu() is False


@pytest.mark.parametrize(
    ("wish", "platform", "gpu", "expected"),
    [
        ("auto", "linux", False, "cpu"),
        ("auto", "linux", True, "default"),
        ("auto", "darwin", False, "default"),
        ("auto", "win32", False, "default"),
        ("cpu", "linux", True, "cpu"),
        ("default", "linux", False, "default"),
    ],
)
def test_cuda_is_left_out_where_it_would_be_no_use(monkeypatch, wish, platform, gpu, expected):
    monkeypatch.setattr(bootstrap, "has_nvidia_gpu", lambda: gpu)
    assert bootstrap.torch_choice(wish, platform) == expected


# The commands


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """Commands instead of their execution; the environment counts as ready."""
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap.Environment, "ensure", lambda self, extras: None)
    monkeypatch.setattr(bootstrap.Environment, "distributions", lambda self: [])
    monkeypatch.chdir(CHECKOUT)

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, 0)

    def become(command: list[object]) -> int:
        commands.append([str(word) for word in command])
        return 5

    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    monkeypatch.setattr(bootstrap, "_become", become)
    return commands


def test_demo_passes_its_arguments_on(started):
    assert bootstrap.main(["demo", "--tta", "none", "-o", "here"]) == 5
    assert started[-1][1:] == ["-m", "BrainTumorSegLib", "demo", "--tta", "none", "-o", "here"]


def test_test_lints_first_and_ends_with_pytest_on_every_core(started):
    assert bootstrap.main(["test", "-k", "views", "-n", "0"]) == 5
    assert [command[2:] for command in started] == [
        ["ruff", "check", "--quiet", "."],
        ["ruff", "format", "--check", "--quiet", "."],
        ["pytest", "-n", "auto", "--dist", "worksteal", "-k", "views", "-n", "0"],
    ]


def test_tests_do_not_run_on_code_that_ruff_refuses(started, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_, **__: failed)
    assert bootstrap.main(["test"]) == 1
    assert started == []
    assert "ruff check --fix" in capsys.readouterr().out


def test_missing_system_libraries_are_named_and_the_tests_run(started, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "ensure_system_libraries", lambda _: "Install libgl1.")
    assert bootstrap.main(["test"]) == 5
    assert "Warning: Install libgl1." in capsys.readouterr().err


def test_an_error_is_told_with_its_remedy_and_code(monkeypatch, capsys):
    def refuse() -> None:
        raise DependencyError("This is wrong.", "Do that.")

    monkeypatch.setattr(bootstrap, "check_python", refuse)
    assert bootstrap.main(["demo"]) == DependencyError.exit_code
    assert capsys.readouterr().err == "Error: This is wrong.\nWhat to do: Do that.\n"


def test_an_interruption_is_told_in_a_line(monkeypatch, capsys):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "check_python", interrupt)
    assert bootstrap.main(["demo"]) == 130
    assert capsys.readouterr().err.startswith("Stopped")


@posix_only
def test_the_command_takes_this_process_so_that_signals_reach_it():
    code = (
        "import os, sys; from BrainTumorSegLib.bootstrap.installer import _become\n"
        "print(os.getpid(), flush=True)\n"
        "_become([sys.executable, '-c', 'import os; print(os.getpid())'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.split()
    assert first == second


# Wheels for a machine without internet


def test_wheels_are_collected_with_what_builds_them(tmp_path, monkeypatch, capsys):
    calls: list[list[str]] = []
    folder = tmp_path / "wheels"

    def pip(self: bootstrap.Environment, arguments: list[str]) -> None:
        calls.append(arguments)
        (folder / f"part{len(calls)}.whl").write_bytes(b"x" * 1_000_000)

    monkeypatch.setattr(bootstrap.Environment, "pip", pip)
    monkeypatch.setattr(bootstrap.Environment, "runs", lambda self: True)
    environment = bootstrap.Environment(CHECKOUT, "cpu")
    assert bootstrap.collect_wheels(environment, folder, ["dicom"]) == 0
    assert all(call[:3] == ["wheel", "--wheel-dir", str(folder)] for call in calls)
    assert f"{CHECKOUT}[dicom]" in calls[-1]
    assert set(bootstrap.BUILD_REQUIREMENTS) <= set(calls[-1])
    assert any(word.endswith("+cpu") for word in calls[-1])
    said = capsys.readouterr().out
    assert f"{len(calls)} wheels, {len(calls)} MB" in said
    assert '"BrainTumorSeg[dicom]"' in said


def test_wheels_need_a_folder(capsys):
    assert bootstrap.main(["wheels"]) == InputError.exit_code
    assert "wheels FOLDER" in capsys.readouterr().err


# System libraries


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """One library that cannot exist, needed by one package; apt-get writes what it is told."""
    table = {"needy": {"libdoesnotexist.so.1": "libdoesnotexist1", "libc.so.6": "libc6"}}
    monkeypatch.setattr(bootstrap, "LIBRARIES_BY_DISTRIBUTION", table)
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    stand_in(tmp_path / "bin", "apt-get", f'echo "$@" >> "{tmp_path}/told"; exit ${{APT_RC:-0}}')
    return bootstrap


linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for libc.so.6")


@linux_only
def test_only_libraries_that_do_not_load_are_missing(libraries):
    assert libraries.missing_libraries(["Needy"]) == {"libdoesnotexist.so.1": "libdoesnotexist1"}


@linux_only
def test_what_is_not_installed_needs_nothing(libraries):
    assert libraries.missing_libraries(["torch", "numpy"]) == {}
    assert libraries.ensure_system_libraries(["torch"]) is None


@linux_only
def test_root_installs_missing_libraries(libraries, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 0)
    assert libraries.ensure_system_libraries(["needy"]) is None
    update, install = (tmp_path / "told").read_text(encoding="utf-8").splitlines()
    assert update.startswith("update")
    assert install == "install -y -q --no-install-recommends libdoesnotexist1"


@linux_only
def test_others_are_told_what_to_install(libraries, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 1000)
    advice = libraries.ensure_system_libraries(["needy"])
    assert "sudo apt-get install" in advice
    assert "libdoesnotexist1" in advice
    assert not (tmp_path / "told").exists()


@linux_only
def test_other_systems_are_told_the_library(libraries, monkeypatch):
    monkeypatch.setattr(libraries.shutil, "which", lambda _: None)
    assert "libdoesnotexist.so.1" in libraries.ensure_system_libraries(["needy"])


@linux_only
def test_a_failing_apt_get_is_an_error(libraries, monkeypatch):
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 0)
    monkeypatch.setenv("APT_RC", "100")
    with pytest.raises(DependencyError, match="could not install libdoesnotexist1"):
        libraries.ensure_system_libraries(["needy"])


def test_other_platforms_bring_their_own(libraries, monkeypatch):
    monkeypatch.setattr(libraries.sys, "platform", "win32")
    assert libraries.missing_libraries(["needy"]) == {}


# Room


def test_a_full_disk_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(1e12, 1e12, 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"Only 1\.0 GB are free"):
        bootstrap.Environment(tmp_path, "cpu").check_room()
