"""The doctor finds what is there, notices what is missing, and names a remedy."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import torch
from cohort_cases import write_pack

from BrainTumorSegLib.bootstrap import doctor
from BrainTumorSegLib.bootstrap.doctor import (
    OK,
    PROBLEM,
    WARNING,
    Finding,
    as_json,
    as_text,
    examine,
    worst,
)
from BrainTumorSegLib.cli.application import main
from BrainTumorSegLib.core import requirements as installed
from BrainTumorSegLib.models.packs import MODELS_VARIABLE


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory) -> Path:
    """A folder of packs with one tiny pack."""
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder, "tiny-test")
    return folder


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch, pack_folder):
    """The tiny pack is the only one; nothing of this computer's owner is looked at."""
    empty = tmp_path / "bundled"
    monkeypatch.setattr("BrainTumorSegLib.models.packs.library.resource_path", lambda *_: empty)
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("SLICER_HOME", raising=False)
    monkeypatch.delenv("BRAINTUMORSEG_BRAINSFIT", raising=False)
    monkeypatch.setenv(MODELS_VARIABLE, str(pack_folder))


def named(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def pretend(monkeypatch, **versions: str | None) -> None:
    """Other versions of packages than are installed; None for absent."""
    real = installed.installed_version
    chosen = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(
        installed,
        "installed_version",
        lambda name: chosen[name] if name in chosen else real(name),
    )


def test_a_working_installation_has_no_problem():
    findings = examine()
    assert [f for f in findings if f.status == PROBLEM] == []
    names = {finding.name for finding in findings}
    assert {"Python", "torch", "networks", "CPU", "memory", "BRAINSFit"} <= names
    assert {requirement.name for requirement in installed.REQUIRED} <= names
    assert {f"extra {name}" for name in installed.EXTRAS} <= names


def test_everything_that_is_not_well_has_a_remedy(monkeypatch):
    pretend(monkeypatch, torch=None, numpy="1.0", pydicom=None)
    monkeypatch.setenv(MODELS_VARIABLE, "/nowhere")
    ill = [finding for finding in examine() if finding.status != OK]
    assert len(ill) >= 4
    assert all(finding.remedy for finding in ill)


def test_versions_are_told():
    assert named(examine(), "torch").detail == torch.__version__


def test_a_missing_package_is_a_problem_with_the_command_that_installs_it(monkeypatch):
    pretend(monkeypatch, SimpleITK=None)
    found = named(doctor._packages(), "SimpleITK")
    assert (found.status, found.detail) == (PROBLEM, "not installed")
    assert found.remedy.endswith('-m pip install "SimpleITK>=2.3"')


@pytest.mark.parametrize(
    ("version", "status"),
    [("1.9", PROBLEM), ("2.4", OK), ("2.4.0+cu128", OK), ("2.10.1", OK), ("2.3.9", PROBLEM)],
)
def test_releases_are_compared_as_numbers(monkeypatch, version, status):
    pretend(monkeypatch, torch=version)
    assert named(doctor._packages(), "torch").status == status


def test_torch_inside_slicer_is_left_to_slicers_extension(monkeypatch):
    pretend(monkeypatch, torch=None)
    monkeypatch.setattr(doctor.sys, "executable", "/opt/Slicer-5.12/bin/PythonSlicer")
    assert "PyTorch extension" in named(doctor._packages(), "torch").remedy


def test_an_absent_extra_is_no_problem_but_can_be_added(monkeypatch):
    pretend(monkeypatch, highdicom=None)
    found = named(doctor._extras(), "extra dicom")
    assert found.status == OK
    assert "not installed: highdicom" in found.detail
    assert "highdicom>=0.24" in found.remedy
    assert "pydicom" not in found.remedy


def test_an_extra_that_is_too_old_is_a_warning(monkeypatch):
    pretend(monkeypatch, pydicom="2.4.4")
    found = named(doctor._extras(), "extra dicom")
    assert found.status == WARNING
    assert "pydicom>=3.0" in found.remedy


def test_packages_that_do_not_fit_together_are_noticed(monkeypatch):
    def broken() -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("BrainTumorSegLib.core.compat.ensure_torchvision_imports", broken)
    found = named(examine(), "networks")
    assert found.status == PROBLEM
    assert "torchvision::nms" in found.detail


def test_a_check_that_cannot_run_does_not_stop_the_others(monkeypatch):
    def broken() -> list[Finding]:
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(doctor, "_devices", broken)
    findings = examine()
    assert named(findings, "device").status == PROBLEM
    assert "No module named 'torch'" in named(findings, "device").detail
    assert named(findings, "memory")


def test_a_good_pack_is_verified(pack_folder):
    findings = examine()
    found = named(findings, "pack tiny-test")
    assert found.status == OK
    assert "1 members, every hash agrees" in found.detail
    assert named(findings, "default pack").detail == "tiny-test"


def test_an_altered_pack_is_a_problem(pack_folder, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(pack_folder, tmp_path / "packs"))
    (weights,) = folder.rglob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    found = named(doctor._packs(), "pack tiny-test")
    assert found.status == PROBLEM
    assert weights.name in found.detail


def test_a_pack_without_readable_manifest_is_a_problem(pack_folder, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(pack_folder, tmp_path / "packs"))
    (folder / "tiny-test" / "pack.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    found = named(doctor._packs(), "pack tiny-test")
    assert found.status == PROBLEM
    assert found.remedy


def test_no_pack_at_all_is_a_problem(monkeypatch):
    monkeypatch.delenv(MODELS_VARIABLE)
    found = named(examine(), "default pack")
    assert found.status == PROBLEM
    assert "import" in found.remedy


@pytest.mark.parametrize(("free_gb", "status"), [(30, OK), (3, WARNING), (1, PROBLEM)])
def test_little_memory_is_told(monkeypatch, free_gb, status):
    memory = namedtuple("memory", "available total")(free_gb * 1e9, 32e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    (found,) = doctor._memory()
    assert found.status == status
    assert found.detail == f"{free_gb:.1f} of 32.0 GB free"


def test_a_full_disk_is_told(monkeypatch):
    usage = namedtuple("usage", "total used free")(1e12, 1e12, 2e8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert {finding.status for finding in doctor._disk()} == {WARNING}


def test_a_disk_that_does_not_know_how_much_is_free_is_no_full_one(monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for finding in doctor._disk():
        assert finding.status == OK
        assert "does not tell how much is free" in finding.detail


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BRAINTUMORSEG_CACHE", str(tmp_path / "file"))
    (found,) = doctor._engine()
    assert found.status == WARNING
    assert "every run converts the networks again" in found.detail
    assert "BRAINTUMORSEG_CACHE" in found.remedy


def test_no_folder_for_temporary_files_is_a_problem_and_no_traceback(monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    found = named(examine(), "disk")
    assert found.status == PROBLEM
    assert "TMPDIR" in found.remedy


def test_brainsfit_is_found_where_the_variable_says(tmp_path, monkeypatch):
    program = tmp_path / "BRAINSFit"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("BRAINTUMORSEG_BRAINSFIT", str(program))
    found = named(examine(), "BRAINSFit")
    assert (found.status, found.remedy) == (OK, None)
    assert str(program) in found.detail


def test_brainsfit_that_was_named_and_is_not_there_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_BRAINSFIT", str(tmp_path / "absent"))
    found = named(examine(), "BRAINSFit")
    assert found.status == PROBLEM
    assert found.remedy


def test_no_brainsfit_means_simpleitk(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(
        "BrainTumorSegLib.preprocessing.registration.discovery._usual_places", lambda: iter(())
    )
    found = named(examine(), "BRAINSFit")
    assert found.status == OK
    assert "SimpleITK" in found.detail
    assert "--brainsfit" in found.remedy


def pretend_cuda(monkeypatch, free: float = 70e9, works: bool = True) -> None:
    """One CUDA device, as far as torch's answers go."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 80e9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA Test")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    ones = torch.ones

    def on_the_cpu(*size: int, device: str) -> torch.Tensor:
        if not works:
            raise RuntimeError("CUDA error: no kernel image is available\nmore lines")
        return ones(*size)

    monkeypatch.setattr(torch, "ones", on_the_cpu)


def test_a_gpu_is_told_with_its_memory(monkeypatch):
    pretend_cuda(monkeypatch)
    found = named(doctor._devices(), "cuda:0")
    assert (found.status, found.detail) == (OK, "NVIDIA Test, 70.0 of 80.0 GB free, fp16, bf16")


def test_a_gpu_without_free_memory_is_a_warning(monkeypatch):
    pretend_cuda(monkeypatch, free=1e9)
    assert named(doctor._devices(), "cuda:0").status == WARNING


def test_a_gpu_that_does_not_compute_is_a_problem(monkeypatch):
    pretend_cuda(monkeypatch, works=False)
    found = named(doctor._devices(), "cuda:0")
    assert (found.status, found.detail) == (
        PROBLEM,
        "does not compute: CUDA error: no kernel image is available",
    )


def test_a_gpu_that_torch_cannot_use_is_a_warning(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "has_nvidia_gpu", lambda: True)
    found = named(doctor._devices(), "GPU")
    assert found.status == WARNING
    assert "CUDA" in found.remedy


def test_threads_of_the_cpu_are_told(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 8)
    assert "7 of 8 threads" in doctor._cpu().detail


FINDINGS = [
    Finding("Python", OK, "3.11"),
    Finding("torch", PROBLEM, "not installed", "pip install torch"),
    Finding("memory", WARNING, "3.0 of 4.0 GB free " * 12, "Close other programs."),
]


def test_the_gravest_status_counts():
    assert [worst(FINDINGS[:n]) for n in range(4)] == [OK, OK, PROBLEM, PROBLEM]
    assert worst(FINDINGS[2:]) == WARNING


def test_the_json_says_all_that_was_found():
    told = json.loads(as_json(FINDINGS))
    assert told["status"] == PROBLEM
    assert [Finding(**finding) for finding in told["findings"]] == FINDINGS


def test_the_table_puts_remedies_below_and_keeps_to_its_width():
    lines = as_text(FINDINGS, width=60).splitlines()
    assert lines[0].split() == ["ok", "Python", "3.11"]
    assert lines[1].split() == ["problem", "torch", "not", "installed"]
    assert lines[2].strip() == "-> pip install torch"
    assert max(len(line) for line in lines) <= 60
    assert lines[-1] == "1 problem(s), 1 warning(s)."


def test_the_command_fails_only_when_something_needed_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: FINDINGS)
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == PROBLEM
    monkeypatch.setattr(doctor, "examine", lambda: [FINDINGS[0], FINDINGS[2]])
    assert main(["doctor"]) == 0
    assert "0 problem(s), 1 warning(s)." in capsys.readouterr().out
