"""Which engine is taken, why, and what happens when it fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from BrainTumorSegLib.cli.commands.segment import add_run_options
from BrainTumorSegLib.core.errors import DependencyError, DeviceError, InputError, PackError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.requirements import installed_version
from BrainTumorSegLib.inference.engines import choosing
from BrainTumorSegLib.inference.engines.choosing import (
    ENGINES,
    PRECISIONS,
    native_bf16,
    open_engine,
    plan_engine,
)
from BrainTumorSegLib.models.packs import load_pack

SHAPE = (3, 64, 96)


def pretend(monkeypatch, installed: str | None):
    """Let OpenVINO seem to be there in some release, or not at all."""
    (need,) = choosing.EXTRAS["openvino"][1]

    class Seeming(type(need)):
        @property
        def installed(self):
            return installed

        @property
        def too_old(self):
            return installed is not None and installed.startswith("2023")

    extras = {**choosing.EXTRAS, "openvino": ("", (Seeming(need.name, need.least),))}
    monkeypatch.setattr(choosing, "EXTRAS", extras)


@pytest.fixture
def with_openvino(monkeypatch):
    pretend(monkeypatch, "2026.1")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def told(plan):
    return plan.name, plan.device, plan.precision


def test_on_the_cpu_openvino_is_taken_where_it_is_installed(with_openvino):
    plan = plan_engine(device="cpu")
    assert told(plan) == ("openvino", "cpu", "fp32")
    assert not plan.binding and plan.reason


@pytest.mark.parametrize(("release", "why"), [(None, "not installed"), ("2023.3", "older")])
def test_on_the_cpu_torch_is_taken_where_it_is_not(monkeypatch, release, why):
    pretend(monkeypatch, release)
    plan = plan_engine(device="cpu")
    assert told(plan) == ("torch", "cpu", "fp32")
    assert why in plan.reason
    with pytest.raises(DependencyError, match=why) as caught:
        plan_engine("openvino")
    assert "BrainTumorSeg[openvino]" in caught.value.remedy


def test_on_a_gpu_torch_is_taken(with_openvino, gpu):
    assert told(plan_engine()) == ("torch", "cuda", "fp16")
    assert told(plan_engine(precision="fp32")) == ("torch", "cuda", "fp32")
    assert told(plan_engine("openvino")) == ("openvino", "cpu", "fp32")


def test_an_engine_named_by_hand_is_binding(with_openvino):
    for name in ("torch", "openvino"):
        plan = plan_engine(name, "cpu")
        assert plan.name == name and plan.binding and plan.reason == "user-selected"


def test_lower_precision_is_only_taken_when_asked_for(with_openvino):
    assert plan_engine(device="cpu").precision == "fp32"
    plan = plan_engine(device="cpu", precision="bf16")
    assert told(plan) == ("openvino", "cpu", "bf16") and plan.binding
    assert told(plan_engine("torch", "cpu", "bf16")) == ("torch", "cpu", "bf16")


def has_bf16(monkeypatch, native: bool | None, openvino: bool = True):
    """Let the processor have bf16 or not, and OpenVINO compute in it or not."""
    abilities = ["FP32", "BF16"] if openvino else ["FP32"]
    core = SimpleNamespace(get_property=lambda *_: abilities)
    seeming = SimpleNamespace(Core=lambda: core)
    monkeypatch.setattr(choosing, "native_bf16", lambda: native)
    monkeypatch.setattr(choosing, "import_openvino", lambda: seeming)


def test_bf16_is_taken_for_a_pack_that_was_checked_for_it(with_openvino, monkeypatch):
    has_bf16(monkeypatch, native=True)
    plan = plan_engine(device="cpu", bf16=True)
    # Nobody asked for bf16: torch in fp32 may take its place.
    assert told(plan) == ("openvino", "cpu", "bf16") and not plan.binding
    assert "checked" in plan.reason
    assert told(plan_engine("openvino", bf16=True)) == ("openvino", "cpu", "bf16")
    assert told(plan_engine(device="cpu", precision="fp32", bf16=True))[2] == "fp32"
    assert told(plan_engine("torch", "cpu", bf16=True)) == ("torch", "cpu", "fp32")


@pytest.mark.parametrize(
    ("checked", "native", "openvino"),
    [(False, True, True), (True, False, True), (True, None, True), (True, True, False)],
)
def test_fp32_is_taken_where_the_pack_the_processor_or_openvino_is_not_made_for_bf16(
    with_openvino, monkeypatch, checked, native, openvino
):
    has_bf16(monkeypatch, native, openvino)
    for engine in ("auto", "openvino"):
        plan = plan_engine(engine, "cpu", bf16=checked)
        assert told(plan) == ("openvino", "cpu", "fp32") and "bf16" not in plan.reason


def test_bf16_of_a_pack_does_not_concern_other_engines(monkeypatch):
    pretend(monkeypatch, None)
    has_bf16(monkeypatch, native=True)
    assert told(plan_engine(device="cpu", bf16=True)) == ("torch", "cpu", "fp32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert told(plan_engine(bf16=True)) == ("torch", "cuda", "fp16")


def test_an_openvino_that_does_not_start_is_told_later_and_not_by_the_look_for_bf16(
    with_openvino, monkeypatch
):
    def fails():
        raise DependencyError("OpenVINO cannot start.")

    has_bf16(monkeypatch, native=True)
    monkeypatch.setattr(choosing, "import_openvino", fails)
    assert told(plan_engine(device="cpu", bf16=True)) == ("openvino", "cpu", "fp32")


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": False, "avx2": True}, False), (None, None)],
)
def test_what_torch_tells_of_the_processor_decides_whether_it_has_bf16(
    monkeypatch, abilities, expected
):
    if abilities is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert native_bf16() is expected


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        ({"engine": "tensorflow"}, InputError, "Unknown engine 'tensorflow'"),
        ({"precision": "int4"}, InputError, "Unknown precision 'int4'"),
        ({"engine": "openvino", "device": "cuda"}, InputError, "computes on the CPU"),
        ({"engine": "openvino", "precision": "fp16"}, InputError, "fp16"),
        ({"engine": "torch", "device": "cpu", "precision": "fp16"}, DeviceError, "fp16"),
        ({"device": "cpu", "precision": "fp16"}, DeviceError, "fp16"),
        ({"device": "cuda:99"}, DeviceError, "not there"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_anything_is_computed(
    with_openvino, wish, error, message
):
    with pytest.raises(error, match=message) as caught:
        plan_engine(**wish)
    assert caught.value.remedy


def test_the_command_line_offers_what_the_engines_know():
    import argparse

    parser = argparse.ArgumentParser()
    add_run_options(parser)
    choices = {action.dest: action.choices for action in parser._actions}
    assert tuple(choices["engine"]) == ENGINES
    assert tuple(choices["precision"]) == PRECISIONS


# Opening


@pytest.fixture(scope="module")
def pack():
    return load_pack()


def opened(pack, plan, progress=None, count=1):
    return open_engine(plan, pack, pack.members[:count], SHAPE, progress)


def test_a_failing_conversion_makes_torch_take_over_with_a_warning(
    pack, with_openvino, monkeypatch
):
    def fails(*_args, **_kwargs):
        raise DeviceError("OpenVINO cannot convert this network: no such operation")

    monkeypatch.setattr(choosing, "OpenVinoEngine", fails)
    progress = Progress()
    result = opened(pack, plan_engine(device="cpu"), progress)
    assert result.engine.name == "torch" and result.engine.members == 1
    assert "no such operation" in result.notes[0]
    assert progress.warnings == list(result.notes)
    with pytest.raises(DeviceError, match="no such operation"):
        opened(pack, plan_engine("openvino"))


def test_a_package_that_is_installed_and_does_not_start_makes_torch_take_over(
    pack, with_openvino, monkeypatch
):
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = opened(pack, plan_engine(device="cpu"))
    assert result.engine.name == "torch" and "cannot start" in result.notes[0]
    with pytest.raises(DependencyError, match="cannot start"):
        opened(pack, plan_engine("openvino"))


def test_a_precision_that_was_asked_for_is_not_replaced(pack, with_openvino, monkeypatch):
    def fails(*_args, **_kwargs):
        raise DeviceError("This processor cannot compute in bf16.")

    monkeypatch.setattr(choosing, "OpenVinoEngine", fails)
    with pytest.raises(DeviceError, match="bf16"):
        opened(pack, plan_engine(device="cpu", precision="bf16"))


def test_a_gpu_without_room_for_the_networks_hands_over_to_the_cpu(pack, monkeypatch):
    real = choosing.TorchEngine

    def full_gpu(networks, device="cpu", *more):
        if device != "cpu":
            raise MemoryError("CUDA out of memory")
        return real(networks, device, *more)

    monkeypatch.setattr(choosing, "TorchEngine", full_gpu)
    plan = replace(plan_engine("torch", "cpu"), device="cuda", precision="fp16")
    progress = Progress()
    result = opened(pack, plan, progress)
    assert result.engine.device == "cpu" and result.engine.precision == "fp32"
    assert "no room" in progress.warnings[0]


def test_when_the_cpu_has_no_room_either_the_error_names_the_remedy(pack, monkeypatch):
    def full(*_args):
        raise MemoryError

    monkeypatch.setattr(choosing, "TorchEngine", full)
    with pytest.raises(DeviceError, match="Not enough memory") as caught:
        opened(pack, plan_engine("torch", "cpu"))
    assert "fewer members" in caught.value.remedy


def test_a_changed_weights_file_is_refused_even_when_its_network_is_in_the_cache(
    tmp_path, monkeypatch
):
    if installed_version("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    import shutil

    monkeypatch.setenv("BRAINTUMORSEG_CACHE", str(tmp_path / "cache"))
    original = load_pack()
    shutil.copytree(original.folder, tmp_path / "pack")
    pack = load_pack(tmp_path / "pack")
    plan = plan_engine("openvino")
    first = opened(pack, plan)
    assert first.engine.name == "openvino" and first.reason == "user-selected"
    assert first.fallback().name == "torch"
    path = pack.member_path(pack.members[0])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(PackError, match="SHA-256 differs"):
        opened(pack, plan)
