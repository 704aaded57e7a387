"""The OpenVINO engine says what torch says, and keeps what it has converted."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from BrainTumorSegLib.core.compat import import_openvino
from BrainTumorSegLib.core.errors import Cancelled, DependencyError, DeviceError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines import openvino_engine
from BrainTumorSegLib.inference.engines.conversion import check_agreement, convert_network
from BrainTumorSegLib.inference.engines.openvino_engine import (
    MemberSource,
    OpenVinoEngine,
    cache_key,
    stream_count,
    wait_for_all,
)
from BrainTumorSegLib.inference.engines.ready_members import ModelCache
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.inference.ensemble import predict_volume
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.models.networks import NetworkSpec, build_network, network_entries
from BrainTumorSegLib.models.packs import load_members, load_pack

try:
    openvino = import_openvino()
except DependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

SPEC = NetworkSpec("pspnet", "resnet18", 3, 3, 5)

#: Largest difference of a probability between the engines in float32, many times what was seen
#: (2e-6 with the pack's weights).
CLOSE = 1e-4


def lively(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random weights with statistics that are not those of a network fresh from the factory."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(0.2 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
            module.weight.data.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return network.eval().requires_grad_(False)


def made(spec: NetworkSpec = SPEC, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return lively(build_network(spec), seed)


class Counted:
    """A source of one member that counts how often the torch network was needed."""

    def __init__(self, seed: int = 0, spec: NetworkSpec = SPEC) -> None:
        self.seed, self.loads = seed, 0
        self.source = MemberSource(f"{seed:064d}", spec, self.load)

    def load(self) -> torch.nn.Module:
        self.loads += 1
        return made(self.source.spec, self.seed)


def images(count: int, height: int = 64, width: int = 96, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def messages_of(progress_events: list) -> list[str]:
    return [event.message for event in progress_events if event.kind == "message"]


# Agreement


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        NetworkSpec("linknet", "tu-regnety_004", 4, 3, 5),
        NetworkSpec("fpn", "mobilenet_v2", 4, 9, 5),
        NetworkSpec("unet", "resnet18", 5, 3, 5),
        NetworkSpec("linknet", "se_resnext50_32x4d", 5, 3, 5),
        NetworkSpec("linknet", "tu-tf_efficientnet_lite0", 5, heads="regions"),
    ],
    ids=lambda spec: f"{spec.architecture}-{spec.encoder}",
)
def test_a_converted_network_says_what_torch_says_at_every_size(spec):
    network = made(spec)
    source = MemberSource("0" * 64, spec, lambda: network)
    engine = OpenVinoEngine([source], threads=1)
    for height, width in ((64, 96), (96, 64), (128, 128)):
        shown = torch.randn(2, spec.in_channels, height, width)
        found = engine.predict(0, shown)
        expected = TorchEngine([network], heads=spec.heads).predict(0, shown)
        assert found.shape[1] == spec.classes
        assert found.dtype == torch.float32 and found.shape == expected.shape
        assert (found - expected).abs().max() < CLOSE


def test_labels_on_synthetic_volumes_are_those_of_torch():
    rng = np.random.default_rng(3)
    volumes = {s: rng.normal(size=(5, 64, 96)).astype(np.float32) for s in Sequence}
    sources = [Counted(seed).source for seed in (1, 2)]
    engine = OpenVinoEngine(sources, threads=2)
    reference = TorchEngine([source.load() for source in sources])
    found, expected = (
        predict_volume(volumes, "mixture", TTA_SETS["tta3"], e) for e in (engine, reference)
    )
    assert np.abs(found.probabilities - expected.probabilities).max() < CLOSE
    sure = np.sort(expected.probabilities, axis=0)
    sure = sure[-1] - sure[-2] > CLOSE
    labels = [seen.probabilities.argmax(axis=0) for seen in (found, expected)]
    assert np.array_equal(labels[0][sure], labels[1][sure]) and sure.mean() > 0.99
    assert found.engine.name == "openvino" and found.engine.precision == "fp32"


def test_labels_on_real_slices_are_those_of_torch(real_data):
    """The bundled pack on a real glioma, whole: at most one voxel in a hundred thousand differs."""
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case

    folder = real_data / "brats" / "Brats15_2013_pat0001"
    case = load_case({s: folder / f"{folder.name}_{s.value}.nii.gz" for s in Sequence})
    options = Options(members=1, tta="tta1", device="cpu", registration="none", brain="stripped")
    options = replace(options, precision="fp32", slice_preselection="off")
    results = {name: segment(case, replace(options, engine=name)) for name in ("torch", "openvino")}
    import SimpleITK as sitk

    first, second = (sitk.GetArrayFromImage(result.labels) for result in results.values())
    assert (first > 0).sum() > 10_000
    assert (first != second).mean() < 1e-5
    for name, result in results.items():
        assert result.record["engine"]["name"] == name
        assert result.record["engine"]["precision"] == "fp32"
        assert result.record["engine"]["reason"] == "user-selected"


def test_an_image_is_answered_alike_in_any_company():
    engine = OpenVinoEngine([Counted().source], threads=2)
    shown = images(7)
    together = engine.predict(0, shown)
    alone = torch.cat([engine.predict(0, shown[n : n + 1]) for n in range(7)])
    assert torch.equal(together, alone)
    assert engine.predict(0, shown[:0]).shape[0] == 0


def test_answers_are_kept_when_the_next_images_are_shown():
    engine = OpenVinoEngine([Counted().source], threads=1)
    first = engine.predict(0, images(2, seed=1))
    copy = first.clone()
    engine.predict(0, images(2, seed=2))
    assert torch.equal(first, copy)


def test_views_that_are_not_contiguous_are_answered_rightly():
    engine = OpenVinoEngine([Counted().source], threads=1)
    turned = TTA_SETS["tta3"][5].apply(images(3))
    assert torch.equal(engine.predict(0, turned), engine.predict(0, turned.contiguous()))


def test_a_network_that_says_something_else_after_conversion_is_refused(tmp_path):
    model = convert_network(made(seed=1), SPEC)
    check_agreement(openvino.Core(), model, made(seed=1), SPEC)
    with pytest.raises(DeviceError, match="something else after conversion"):
        check_agreement(openvino.Core(), model, made(seed=2), SPEC)


def test_a_network_that_cannot_be_traced_is_an_error_with_a_remedy():
    class Untraceable(torch.nn.Module):
        def forward(self, shown):
            return {"logits": [str(shown)]}

    with pytest.raises(DeviceError, match="cannot convert") as caught:
        convert_network(Untraceable(), SPEC)
    assert "--engine torch" in caught.value.remedy


UNOBSERVED = """
import socket, sys
sys.path.insert(0, sys.argv[1])

def connect(*_):
    print("connects")
socket.socket.connect = connect
if sys.argv[2] == "ours":
    from test_openvino_engine import Counted, OpenVinoEngine, images
    OpenVinoEngine([Counted().source]).predict(0, images(1))
else:
    import openvino
print("openvino" in sys.modules, "openvino_telemetry" in sys.modules)
"""


@pytest.mark.parametrize(("whose", "expected"), [("ours", "True False"), ("plain", "True True")])
def test_nothing_is_reported_over_the_internet(tmp_path, whose, expected):
    """The plain import shows that this test would notice."""
    if whose == "plain":
        pytest.importorskip("openvino_telemetry")
    here = Path(__file__).resolve().parent
    # Without a home OpenVINO's own reporting finds no consent and gives up.
    home = {"HOME": str(tmp_path / "none"), "LOCALAPPDATA": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", UNOBSERVED, here, whose],
        capture_output=True,
        text=True,
        env={**os.environ, **home, "PYTHONPATH": str(here.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(expected)
    if whose == "ours":
        assert "connects" not in done.stdout


# Precision


def can_bf16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.skipif(not can_bf16(), reason="this processor has no bf16")
def test_bf16_is_named_and_close():
    pack = load_pack()
    ((name, network),) = load_members(pack, [pack.members[0].name]).items()
    source = MemberSource(name, pack.network, lambda: network)
    shown = images(2, 96, 96)
    exact = TorchEngine([network]).predict(0, shown)
    engine = OpenVinoEngine([source], precision="bf16", threads=1)
    difference = (engine.predict(0, shown) - exact).abs()
    assert engine.precision == "bf16"
    assert difference.max() > 1e-6, "it was computed in full precision"
    assert difference.mean() < 0.02
    in_torch = TorchEngine([network], precision="bf16")
    assert in_torch.precision == "bf16"
    assert 0 < (in_torch.predict(0, shown) - exact).abs().mean() < 0.02


def test_bf16_is_refused_where_the_processor_has_none(monkeypatch):
    monkeypatch.setattr(OpenVinoEngine, "_capabilities", lambda _: ["FP32"])
    with pytest.raises(DeviceError, match="bf16"):
        OpenVinoEngine([Counted().source], precision="bf16")


def test_an_unknown_precision_is_refused():
    with pytest.raises(DeviceError, match="fp16"):
        OpenVinoEngine([Counted().source], precision="fp16")


# Cache


def test_a_member_is_converted_once(tmp_path):
    member, seen = Counted(), []
    first = OpenVinoEngine([member.source], tmp_path, progress=Progress(sinks=(seen.append,)))
    second = OpenVinoEngine([member.source], tmp_path, progress=Progress(sinks=(seen.append,)))
    assert member.loads == 1
    assert messages_of(seen) == ["Network 1 of 1 is converted for OpenVINO."]
    assert torch.equal(first.predict(0, images(2)), second.predict(0, images(2)))
    assert [path.name for path in tmp_path.iterdir()] == [cache_key(member.source)]


def test_other_weights_another_network_or_another_release_is_another_entry(monkeypatch):
    source = Counted().source
    keys = {
        cache_key(source),
        cache_key(replace(source, sha256="f" * 64)),
        cache_key(replace(source, spec=replace(SPEC, classes=4))),
    }
    monkeypatch.setattr(openvino_engine, "installed_version", lambda _: "9999.1")
    keys.add(cache_key(source))
    assert len(keys) == 4


@pytest.mark.parametrize("file", ["network.bin", "network.xml", "entry.json"])
def test_a_damaged_entry_is_converted_again(tmp_path, file):
    member = Counted()
    expected = OpenVinoEngine([member.source], tmp_path).predict(0, images(1))
    path = tmp_path / cache_key(member.source) / file
    os.truncate(path, path.stat().st_size // 2)
    again = OpenVinoEngine([member.source], tmp_path)
    assert member.loads == 2
    assert torch.equal(again.predict(0, images(1)), expected)
    OpenVinoEngine([member.source], tmp_path)
    assert member.loads == 2


def test_an_entry_that_openvino_cannot_read_is_converted_again(tmp_path, monkeypatch):
    """Hashes agree, and yet: as when it was written by a defective release."""
    member = Counted()
    OpenVinoEngine([member.source], tmp_path)
    entry = tmp_path / cache_key(member.source)
    openvino_engine.remove_entry(tmp_path, entry.name)
    openvino_engine.store_entry(
        tmp_path, entry.name, lambda folder: (folder / "network.xml").write_text("nonsense")
    )
    OpenVinoEngine([member.source], tmp_path).predict(0, images(1))
    assert member.loads == 2


def test_without_a_cache_that_can_be_written_networks_are_converted_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    member = Counted()
    expected = OpenVinoEngine([member.source]).predict(0, images(1))
    progress = Progress()
    engine = OpenVinoEngine([member.source], tmp_path / "file" / "cache", progress=progress)
    assert torch.equal(engine.predict(0, images(1)), expected)
    (warning,) = progress.warnings
    assert f"cannot be kept in {tmp_path / 'file' / 'cache'} (" in warning
    assert "every run converts them again. Name another folder with BRAINTUMORSEG_CACHE." in warning


def test_a_full_disk_costs_the_cache_and_not_the_run(tmp_path, monkeypatch):
    def truncated(model, path, compress_to_fp16):
        save(model, path, compress_to_fp16=compress_to_fp16)
        weights = Path(path).with_suffix(".bin")
        os.truncate(weights, weights.stat().st_size // 2)

    save = openvino.save_model
    monkeypatch.setattr(openvino, "save_model", truncated)
    member = Counted()
    progress = Progress()
    OpenVinoEngine([member.source], tmp_path, progress=progress).predict(0, images(1))
    assert "cannot be kept" in progress.warnings[0]
    assert list(tmp_path.iterdir()) == []


def test_cancelling_during_conversion_leaves_only_whole_entries(tmp_path):
    token, members = CancelToken(), [Counted(1), Counted(2), Counted(3)]

    def stop_at_the_second(event):
        if event.message.startswith("Network 2"):
            token.cancel()

    progress = Progress(sinks=(stop_at_the_second,), cancel=token)
    with pytest.raises(Cancelled):
        OpenVinoEngine([m.source for m in members], tmp_path, progress=progress)
    assert [m.loads for m in members] == [1, 1, 0]
    kept = {cache_key(m.source) for m in members[:2]}
    assert {path.name for path in tmp_path.iterdir()} == kept
    OpenVinoEngine([m.source for m in members], tmp_path)
    assert [m.loads for m in members] == [1, 1, 1]


BOTH_AT_ONCE = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_openvino_engine import Counted, OpenVinoEngine, images
open(sys.argv[3], "w").close()
while not Path(sys.argv[4]).exists():
    pass
engine = OpenVinoEngine([Counted(n).source for n in range(3)], Path(sys.argv[2]))
print(sum(float(engine.predict(n, images(1))[0, 1].sum()) for n in range(3)))
"""


def test_two_runs_may_convert_the_same_networks_at_the_same_time(tmp_path):
    here = Path(__file__).resolve().parent
    cache, ready = tmp_path / "cache", [tmp_path / "first", tmp_path / "second"]
    environment = {**os.environ, "PYTHONPATH": str(here.parents[1])}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", BOTH_AT_ONCE, here, cache, mine, other],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for mine, other in (ready, reversed(ready))
    ]
    answers = []
    for run in runs:
        said, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        answers.append(float(said))
    assert answers[0] == pytest.approx(answers[1], abs=1e-3)
    expected = {cache_key(Counted(n).source) for n in range(3)}
    assert {path.name for path in cache.iterdir()} == expected


# Running


def test_streams_use_every_thread():
    assert [stream_count(n) for n in (1, 2, 3, 4, 6, 8, 12, 16)] == [1, 2, 3, 4, 3, 4, 4, 4]
    for threads in range(1, 65):
        streams = stream_count(threads)
        assert streams * (threads // streams) >= 0.9 * threads


def test_a_batch_keeps_every_stream_busy():
    engine = OpenVinoEngine([Counted().source], threads=2)
    assert engine.streams == 2
    assert engine.free_batch((3, 64, 96)) % engine.streams == 0


class CountingCore:
    """Counts what is compiled."""

    def __init__(self, core) -> None:
        self.core, self.compiled = core, 0

    def __getattr__(self, name):
        return getattr(self.core, name)

    def compile_model(self, *given):
        self.compiled += 1
        return self.core.compile_model(*given)


@pytest.mark.parametrize("cached", [True, False])
def test_large_members_are_ready_one_at_a_time_and_come_back_when_asked(tmp_path, cached):
    members = [Counted(seed) for seed in (1, 2)]
    engine = OpenVinoEngine([m.source for m in members], tmp_path if cached else None, threads=1)
    engine._core = core = CountingCore(engine._core)
    engine._held = ModelCache(0)
    engine.prepare((3, 64, 96))
    shown = images(2)
    first, second = (engine.predict(n, shown) for n in (0, 1))
    assert core.compiled == 2 and len(engine._held) == 1
    assert not torch.equal(first, second)
    assert torch.equal(engine.predict(0, shown), first)
    assert core.compiled == 3 and len(engine._held) == 1
    assert [m.loads for m in members] == [1, 1]
    expected = TorchEngine([members[0].load()]).predict(0, shown)
    assert (first - expected).abs().max() < CLOSE


def test_small_members_stay_ready():
    engine = OpenVinoEngine([Counted(seed).source for seed in (1, 2)], threads=1)
    engine._core = core = CountingCore(engine._core)
    for member in (0, 1, 0, 1):
        engine.predict(member, images(1))
    assert core.compiled == len(engine._held) == 2


def test_the_size_of_a_model_is_that_of_its_weights():
    network = made()
    weights = 4 * sum(math.prod(shape) for shape in network_entries(SPEC).live.values())
    model = convert_network(network, SPEC)
    assert 0.9 < openvino_engine.weight_bytes(model) / weights < 1.2


def test_every_member_is_compiled_once_a_size_for_a_volume():
    rng = np.random.default_rng(3)
    volumes = {s: rng.normal(size=(5, 64, 96)).astype(np.float32) for s in Sequence}
    engine = OpenVinoEngine([Counted(seed).source for seed in (1, 2)], threads=1)
    engine._core = core = CountingCore(engine._core)
    engine._held = ModelCache(0)
    predict_volume(volumes, "mixture", TTA_SETS["tta3"], engine, batch=2)
    assert core.compiled == 2 * 2  # two members, upright and turned


def test_a_member_that_vanished_from_the_cache_is_converted_again(tmp_path):
    member = Counted()
    engine = OpenVinoEngine([member.source], tmp_path, threads=1)
    openvino_engine.remove_entry(tmp_path, cache_key(member.source))
    engine.predict(0, images(1))
    assert member.loads == 2


def test_openvino_s_out_of_memory_errors_become_memory_errors(monkeypatch):
    engine = OpenVinoEngine([Counted().source], threads=1)

    def full(*_args):
        raise RuntimeError("Exception from src/core: std::bad_alloc")

    monkeypatch.setattr(engine, "_requests_for", full)
    with pytest.raises(MemoryError):
        engine.predict(0, images(1))
    with pytest.raises(MemoryError):
        engine.prepare((3, 64, 96))


def test_when_memory_runs_out_the_batch_is_halved_and_the_answer_stays(monkeypatch):
    rng = np.random.default_rng(5)
    volumes = {s: rng.normal(size=(6, 64, 96)).astype(np.float32) for s in Sequence}
    engine = OpenVinoEngine([Counted().source], threads=1)
    plain = predict_volume(volumes, "mixture", TTA_SETS["tta1"], engine)
    predict = engine.predict

    def little_room(member, shown):
        if len(shown) > 1:
            raise MemoryError("no room")
        return predict(member, shown)

    monkeypatch.setattr(engine, "predict", little_room)
    seen = predict_volume(volumes, "mixture", TTA_SETS["tta1"], engine)
    assert seen.batch == 1 and "halved" in seen.notes[0]
    assert np.array_equal(seen.probabilities, plain.probabilities)


def test_other_errors_are_not_taken_for_lack_of_memory():
    engine = OpenVinoEngine([Counted().source], threads=1)
    with pytest.raises(DeviceError, match="cannot run this network"):
        engine.predict(0, torch.zeros(1, 7, 64, 96))


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DependencyError, match="OpenVINO") as caught:
        OpenVinoEngine([Counted().source])
    assert "BrainTumorSeg[openvino]" in caught.value.remedy


class Request:
    """Of an inference that a signal, or a failure, interrupts so often while it is waited for."""

    def __init__(self, *raised):
        self.raised, self.over = list(raised), False

    def wait(self):
        if self.raised and isinstance(self.raised[0], BaseException):
            error = self.raised.pop(0)
            self.over = isinstance(error, Exception)
            raise error
        self.over = True


def test_a_signal_while_waiting_leaves_no_request_that_writes_into_our_memory():
    requests = [Request(), Request(KeyboardInterrupt(), KeyboardInterrupt()), Request()]
    requests.append(Request(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        wait_for_all(requests)
    assert all(request.over for request in requests)


def test_an_inference_that_failed_is_told_after_all_are_over():
    requests = [Request(), Request(RuntimeError("no room")), Request()]
    with pytest.raises(RuntimeError, match="no room"):
        wait_for_all(requests)
    assert all(request.over for request in requests)
