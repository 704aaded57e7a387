"""The virtual environment: made once, reused, brought up to date, never a stranger's harmed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from BrainTumorSegLib.bootstrap import environment as module
from BrainTumorSegLib.bootstrap.environment import (
    PYTORCH_CPU_INDEX,
    Environment,
    explain_failure,
    pinned_version,
)
from BrainTumorSegLib.core.errors import DependencyError, InputError, OutputError

CONSTRAINTS = "# pins\ntorch==2.13.0\ntorchvision==0.28.0\n"


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The files of a checkout that decide what the environment holds."""
    folder = tmp_path / "clone with a space"
    (folder / "Resources" / "Setup").mkdir(parents=True)
    (folder / "BrainTumorSegLib").mkdir()
    (folder / "BrainTumorSegLib" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (folder / "Resources" / "Setup" / "constraints.txt").write_text(CONSTRAINTS, encoding="utf-8")
    return folder


class Pip:
    """Stands in for pip: keeps what it was told, and refuses what a test wants refused."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.refuses: list[set[str]] = []

    def __call__(self, arguments: list[str]) -> None:
        self.calls.append(arguments)
        if any(words <= set(arguments) for words in self.refuses):
            raise DependencyError(f"no {arguments}", "Try something else.")


@pytest.fixture
def pip(monkeypatch) -> Pip:
    told = Pip()
    monkeypatch.setattr(Environment, "pip", lambda self, arguments: told(arguments))
    return told


@pytest.fixture
def quick(monkeypatch):
    """Environments without pip are made in a fraction of the time."""
    real = subprocess.run

    def run(command, **options):
        if "venv" in command:
            command = [*command[:3], "--without-pip", *command[3:]]
        return real(command, **options)

    monkeypatch.setattr(module.subprocess, "run", run)


def test_an_environment_is_made_filled_and_recorded(checkout, pip, quick, capsys):
    environment = Environment(checkout, "cpu")
    environment.ensure(["dev"])
    assert environment.runs()
    assert environment.is_ready(["dev"])
    assert pip.calls[-1] == [
        *("install", "-c", str(environment.constraints), "torch==2.13.0+cpu"),
        *("--editable", f"{checkout}[dev]"),
    ]
    said = capsys.readouterr().out
    assert [f"[{n}/3]" in said for n in (1, 2, 3)] == [True] * 3


def test_a_ready_environment_is_left_alone(checkout, pip, quick, capsys):
    Environment(checkout, "cpu").ensure(["dev"])
    pip.calls.clear()
    capsys.readouterr()
    Environment(checkout, "cpu").ensure([])
    assert pip.calls == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "name",
    ["pyproject.toml", "Resources/Setup/constraints.txt", "BrainTumorSegLib/__init__.py"],
)
def test_a_change_of_what_is_needed_installs_again(checkout, pip, quick, name):
    Environment(checkout, "cpu").ensure([])
    pip.calls.clear()
    with (checkout / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert not Environment(checkout, "cpu").is_ready([])
    Environment(checkout, "cpu").ensure([])
    assert pip.calls


def test_extras_add_up(checkout, pip, quick):
    Environment(checkout, "cpu").ensure(["dicom"])
    Environment(checkout, "cpu").ensure(["dev"])
    assert pip.calls[-1][-1] == f"{checkout}[dev,dicom]"
    assert Environment(checkout, "cpu").is_ready(["dicom", "dev"])


def test_a_failed_installation_does_not_count_and_is_taken_up_again(checkout, pip, quick):
    environment = Environment(checkout, "cpu")
    pip.refuses = [{"--editable"}]
    with pytest.raises(DependencyError):
        environment.ensure([])
    assert not environment.is_ready([])
    pip.refuses = []
    marker = environment.folder / "kept"
    marker.touch()
    environment.ensure([])
    assert environment.is_ready([])
    assert marker.exists()


def test_another_build_of_torch_makes_the_environment_anew(checkout, pip, quick):
    Environment(checkout, "cpu").ensure([])
    marker = Environment(checkout, "cpu").folder / "old"
    marker.touch()
    Environment(checkout, "default").ensure([])
    assert not marker.exists()
    assert Environment(checkout, "default").is_ready([])


def test_a_broken_environment_of_ours_is_made_anew(checkout, pip, quick):
    environment = Environment(checkout, "cpu")
    environment.ensure([])
    environment.python.unlink()
    environment.ensure([])
    assert environment.runs()


def test_a_broken_environment_of_somebody_else_is_left_alone(checkout, pip):
    environment = Environment(checkout, "cpu")
    environment.folder.mkdir()
    precious = environment.folder / "precious"
    precious.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="was not made by this command"):
        environment.ensure([])
    assert precious.read_text(encoding="utf-8") == "mine"


def test_a_working_environment_that_was_there_is_used(checkout, pip):
    environment = Environment(checkout, "cpu")
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment.folder)]
    subprocess.run(command, check=True)
    environment.ensure([])
    assert environment.is_ready([])


def test_a_damaged_record_means_not_ready(checkout, pip, quick):
    environment = Environment(checkout, "cpu")
    environment.ensure([])
    for text in ("", "{", "[1]", '{"extras": "dev"}', json.dumps({"fingerprint": None})):
        environment.stamp.write_text(text, encoding="utf-8")
        assert not environment.is_ready([])
        assert environment.recorded_extras() == set()


def test_a_moved_checkout_is_not_ready(checkout, pip, quick):
    Environment(checkout, "cpu").ensure([])
    moved = checkout.rename(checkout.with_name("moved"))
    assert not Environment(moved, "cpu").is_ready([])


def test_an_unwritable_checkout_is_refused(checkout, pip, monkeypatch):
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written to"):
        Environment(checkout, "cpu").ensure([])
    assert not (checkout / ".venv").exists()


def test_failing_to_make_an_environment_is_explained(checkout, pip, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "OSError: [Errno 28] No space left on device")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr(Environment, "runs", lambda self: False)
    with pytest.raises(OutputError, match="disk became full"):
        Environment(checkout, "cpu").create()


def test_installed_packages_are_listed(checkout, pip, quick):
    environment = Environment(checkout, "cpu")
    environment.ensure([])
    site = next(environment.folder.rglob("site-packages"))
    information = site / "made_up-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: made-up\nVersion: 1.0\n", encoding="utf-8")
    assert environment.distributions() == ["made-up"]


# Which build of torch


CPU, PAIR = "torch==2.13.0+cpu", "torchvision==0.28.0+cpu"


def test_the_cpu_build_is_taken_from_pips_own_sources_first(checkout, pip):
    assert Environment(checkout, "cpu").install_torch(["install"]) == [CPU]
    assert pip.calls == [["install", CPU], ["install", CPU, PAIR]]


def test_torchvision_of_the_general_build_will_do(checkout, pip):
    pip.refuses = [{PAIR}]
    Environment(checkout, "cpu").install_torch(["install"])
    assert pip.calls[-1] == ["install", CPU, "torchvision==0.28.0"]


def test_pytorchs_own_index_comes_second(checkout):
    told: list[list[str]] = []

    def only_there(arguments: list[str]) -> None:
        told.append(arguments)
        if PYTORCH_CPU_INDEX not in arguments:
            raise DependencyError("not here", "look elsewhere")

    environment = Environment(checkout, "cpu")
    environment.pip = only_there
    assert environment.install_torch(["install"]) == [CPU]
    assert told[-1] == ["install", "--extra-index-url", PYTORCH_CPU_INDEX, CPU, PAIR]


def test_no_cpu_build_anywhere_is_an_error_with_three_ways_out(checkout, pip):
    pip.refuses = [{CPU}]
    with pytest.raises(DependencyError, match="neither") as caught:
        Environment(checkout, "cpu").install_torch(["install"])
    for way in ("Try something else.", "PIP_FIND_LINKS", "--torch default"):
        assert way in caught.value.remedy


def test_with_a_gpu_pip_chooses_the_build(checkout, pip):
    assert Environment(checkout, "default").install_torch(["install"]) == ["torch==2.13.0"]
    assert pip.calls == [["install", "torch==2.13.0", "torchvision==0.28.0"]]


def test_versions_are_read_from_the_constraints():
    assert pinned_version(CONSTRAINTS, "torch") == "2.13.0"
    assert pinned_version(CONSTRAINTS, "torchvision") == "0.28.0"
    with pytest.raises(InputError, match="does not pin numpy"):
        pinned_version(CONSTRAINTS, "numpy")


# pip itself


def test_pip_is_quiet_and_its_failure_is_explained(checkout, tmp_path, capfd, monkeypatch):
    environment = Environment(checkout, "cpu")
    environment.create()
    capfd.readouterr()
    # What a person's own settings say must not reach further than this test.
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_USER", "1")
    environment.pip(["list"])
    with pytest.raises(DependencyError, match="no-such-package") as caught:
        environment.pip(["install", "--no-index", "no-such-package"])
    assert str(environment.log) in str(caught.value)
    assert "$ pip install --no-index no-such-package" in environment.log.read_text("utf-8")
    assert capfd.readouterr() == ("", "")


def sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_long_work_gives_a_sign_of_life(monkeypatch, capsys):
    monkeypatch.setattr(module, "_HEARTBEAT_SECONDS", 0.2)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.7)"])
    assert module._wait(process) == 0
    assert "still working" in capsys.readouterr().out


def test_an_interrupted_pip_does_not_live_on(monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("builtins.print", interrupt)
    process = sleeping()
    with pytest.raises(KeyboardInterrupt):
        module._wait(process)
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("output", "kind", "words"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", OutputError, "full"),
        ("ERROR: [Errno 13] Permission denied: '/x'", OutputError, "No right to write"),
        (
            "WARNING: Retrying after NewConnectionError: Name or service not known\n"
            "ERROR: No matching distribution found for torch",
            DependencyError,
            "could not be reached",
        ),
        ("ERROR: No matching distribution found for torch==9", DependencyError, "no build for"),
        ("something unforeseen", DependencyError, "something unforeseen"),
    ],
)
def test_failures_are_explained(output, kind, words):
    error = explain_failure(output, "installing")
    assert type(error) is kind
    assert words in error.message
    assert error.remedy


def test_pips_list_of_versions_is_left_out():
    output = (
        "ERROR: Could not find a version that satisfies the requirement x==9 "
        "(from versions: 1.0, 2.0)\nERROR: No matching distribution found for x==9"
    )
    message = explain_failure(output, "installing").message
    assert "x==9" in message
    assert "2.0" not in message
