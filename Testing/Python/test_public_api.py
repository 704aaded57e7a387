"""The names that scripts of other people import."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import BrainTumorSegLib

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", BrainTumorSegLib.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    assert getattr(BrainTumorSegLib, name).__doc__


def test_public_names_are_listed_for_completion():
    assert set(BrainTumorSegLib.__all__) <= set(dir(BrainTumorSegLib))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        BrainTumorSegLib.segmnt  # noqa: B018


def test_looking_at_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import BrainTumorSegLib\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['BrainTumorSegLib']"


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("BrainTumorSegLib.options", "Options"),
        ("BrainTumorSegLib.pipeline", "segment"),
        ("BrainTumorSegLib.sequences", "Sequence"),
    ],
)
def test_the_import_paths_of_0_1_work_and_warn(old, name):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match="BrainTumorSegLib"):
        module = import_module(old)
    assert getattr(module, name) is getattr(BrainTumorSegLib, name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("BrainTumorSegLib.io.cases", "load_case"),
        ("BrainTumorSegLib.io.seg_nrrd", "write_seg_nrrd"),
    ],
)
def test_import_paths_of_0_1_that_did_not_move_do_not_warn(path, name, recwarn):
    assert getattr(import_module(path), name) is getattr(BrainTumorSegLib, name)
    assert not recwarn
