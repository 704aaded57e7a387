"""What the page for reviewers of the Extensions Index promises: no network when Slicer starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core has the MRML nodes")
pytest.importorskip("PySide6", reason="PySide6 plays Slicer's widgets")

CHECKOUT = Path(__file__).resolve().parents[2]

#: Ends the process at whatever would reach the network, also where the error would be swallowed.
GUARD = """
import os, sys

def guard(event, arguments):
    local = event == "socket.connect" and not isinstance(arguments[1], tuple)
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
                 "urllib.Request", "http.client.connect") and not local:
        print("network:", event, arguments, flush=True)
        os._exit(9)

sys.addaudithook(guard)
"""

#: What Slicer does with the module until a person presses Apply.
START = """
import sys
from types import SimpleNamespace
import pytest
from mrml_scene import make_scene
from slicer_fakes import module_in_application, open_widget

logic = SimpleNamespace(registerCustomSampleDataSource=lambda **arguments: None)
sys.modules["SampleData"] = SimpleNamespace(SampleDataLogic=logic)

with pytest.MonkeyPatch.context() as patch, make_scene(), module_in_application(patch) as module:
    import slicer
    signals = {}
    patch.setattr(slicer, "app", SimpleNamespace(connect=signals.__setitem__), raising=False)
    loaded = module.BrainTumorSeg(SimpleNamespace())
    patch.delattr(slicer, "app")
    assert list(signals) == ["startupCompleted()"]
    loaded.onStartupCompleted()
    from BrainTumorSegLib.models.packs import models_table
    print(len(models_table()), "packs")
    with open_widget(module) as widget:
        print("panel:", widget.ui.applyButton.toolTip)
print("torch" in sys.modules)
"""


def guarded(code: str) -> subprocess.CompletedProcess[str]:
    folders = (CHECKOUT, CHECKOUT / "Testing" / "Python", os.environ.get("PYTHONPATH", ""))
    return subprocess.run(
        [sys.executable, "-c", GUARD + code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_reaches_for_the_network_until_apply_is_pressed():
    """The module is loaded, Slicer has started, packs are listed, the panel is opened."""
    done = guarded(START)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    packs, panel, torch = done.stdout.splitlines()[-3:]
    assert packs.endswith(" packs") and int(packs.split()[0]) >= 3
    assert panel.startswith("panel: ")
    assert torch == "False"


@pytest.mark.parametrize(
    "line",
    [
        "__import__('urllib.request').request.urlopen('http://localhost:1')",
        "__import__('socket').create_connection(('127.0.0.1', 1))",
    ],
)
def test_a_connection_would_be_noticed_even_if_its_failure_is_swallowed(line):
    done = guarded(f"try: {line}\nexcept OSError: pass\n")
    assert done.returncode == 9
    assert done.stdout.startswith("network: ")
