"""What a person does in the panel, and how the application lives meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def choose(widget: Any, scans: dict[str, Any]) -> None:
    """Choose the scans, and nothing for those that are not named."""
    for name, node in scans.items():
        setattr(widget.panel.parameters, name, node)


def pump(widget: Any, condition: Callable[[], Any], seconds: float) -> None:
    """Poll as the application's timer does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, widget.panel.state.run and widget.panel.state.run.log
        widget.panel.state.run.poll()
        time.sleep(0.02)


def live(widget: Any, seconds: float = 0.3) -> None:
    """Let timers and layouts come to their ends."""
    from PySide6 import QtCore, QtWidgets

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents()
        QtCore.QThread.msleep(5)


def start(widget: Any, scans: dict[str, Any], module: Any) -> None:
    """Start a quick run."""
    choose(widget, scans)
    parameters = widget.panel.parameters
    parameters.registration, parameters.device = module.Registration.NONE, "cpu"
    parameters.members, parameters.views = 2, module.Views.NONE
    widget.ui.applyButton.click()
    assert widget.panel.state.busy, module.errors
