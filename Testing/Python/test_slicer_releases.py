"""What Slicer 5.10 lacks of 5.12, beside `pip_ensure` (see test_slicer_dependencies.py)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core has the MRML nodes")

from test_slicer_dependencies import NRRD, no_settings, slicer  # noqa: F401

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.slicer_app.export.dicom import _hasConverter
from BrainTumorSegLib.slicer_app.install.dependencies import install
from BrainTumorSegLib.slicer_app.sample_data import CATEGORY, PUBLIC_CASES, registerSampleData


@pytest.mark.parametrize(
    "failure",
    [subprocess.CalledProcessError(1, "pip"), RuntimeError("pip"), OSError("pip")],
    ids=lambda failure: type(failure).__name__,
)
def test_a_failure_of_the_older_pip_is_told_with_a_remedy(slicer, failure):  # noqa: F811
    there = slicer(NRRD, modern=False)
    there.failure = failure
    with pytest.raises(DependencyError, match="pynrrd") as caught:
        install(confirm=False)
    assert "proxy" in caught.value.remedy


@pytest.mark.parametrize(
    ("modules", "package", "there"),
    [
        (SimpleNamespace(itkimage2segimage=object()), None, True),  # 5.10, with DCMQI
        (SimpleNamespace(), object(), True),  # 5.12: a Python package
        (SimpleNamespace(), None, False),  # 5.10 without the extension
    ],
    ids=["module", "package", "neither"],
)
def test_the_converter_of_dicom_segmentations_is_found(monkeypatch, modules, package, there):
    monkeypatch.setitem(sys.modules, "slicer", SimpleNamespace(modules=modules))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    assert _hasConverter() is there


def test_sample_data_is_offered_where_sections_have_no_titles(monkeypatch, tmp_path):
    offered = []
    logic = SimpleNamespace(
        registerCustomSampleDataSource=lambda **arguments: offered.append(arguments)
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    registerSampleData(tmp_path)
    assert len(offered) == 1 + len(PUBLIC_CASES)
    assert {arguments["category"] for arguments in offered} == {CATEGORY}
