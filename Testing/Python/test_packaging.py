"""What the Slicer extension installs, and how it introduces itself to the Extensions Index."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY, RESOURCES = CHECKOUT / "BrainTumorSegLib", CHECKOUT / "Resources"
MODULE = CHECKOUT / "BrainTumorSeg"
FAKE_SLICER = CHECKOUT / "Testing" / "Fakes" / "Slicer"

#: Files of Resources that are for the web and not installed; of experiments only the
#: configurations are.
FOR_THE_WEB = ("CMakeLists.txt", "Docs", "ExtensionsIndex")
EXPERIMENTS = "Experiments/"

#: Keys of schema v1.0.2 of an Extensions Index entry, and which it cannot do without.
INDEX_KEYS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
INDEX_NEEDED = {"$schema", "category", "scm_url"}


def tracked(folder: Path, pattern: str) -> set[str]:
    """Files below the folder, without what Python and editors leave."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def installed_resources() -> set[str]:
    """What of Resources the extension installs."""
    return {
        name
        for name in tracked(RESOURCES, "*")
        if name.split("/")[0] not in FOR_THE_WEB
        and (not name.startswith(EXPERIMENTS) or name.endswith(".toml"))
    }


def extension_metadata() -> dict[str, str]:
    text = (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8")
    pairs = re.findall(r'^set\((EXTENSION_\w+) "([^"\n]*)"\)$', text, re.MULTILINE)
    assert len(pairs) == len(dict(pairs)) == text.count("EXTENSION_") - 2  # two includes
    return dict(pairs)


# --- files ---------------------------------------------------------------------------------


def test_the_library_holds_nothing_but_python():
    others = {name for name in tracked(LIBRARY, "*") if not name.endswith(".py")}
    assert others == {"CMakeLists.txt", "py.typed"}
    loose = {path.name for path in LIBRARY.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py"}


# --- building ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The extension configured, built and installed by CMake with stand-ins for the macros."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("CMake is not installed")
    if os.name == "nt" or shutil.which("c++") is None:
        pytest.skip("no C++ compiler that CMake's project() finds by itself")
    folder = tmp_path_factory.mktemp("Slicer Erweiterung")
    build, prefix = folder / "build", folder / "installed"
    options = [f"-DSlicer_DIR={FAKE_SLICER}", "-DBUILD_TESTING=ON"]
    options += [f"-DCMAKE_INSTALL_PREFIX={prefix}", f"-DPython3_EXECUTABLE={sys.executable}"]
    for command in (
        [cmake, "-S", CHECKOUT, "-B", build, *options],
        [cmake, "--build", build],
        [cmake, "--install", build],
    ):
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert "Warning" not in done.stderr, done.stderr
    return prefix / "lib" / "Slicer-5.12" / "qt-scripted-modules"


def test_the_installed_tree_is_the_one_that_slicer_expects(installed):
    assert (installed / "BrainTumorSeg.py").is_file()
    assert tracked(installed / "Resources", "*") == tracked(MODULE / "Resources", "*")
    assert tracked(installed / "BrainTumorSegLib", "*.py") == tracked(LIBRARY, "*.py")
    there = installed_resources()
    assert tracked(installed / "BrainTumorSegLib" / "Resources", "*") == there
    assert list(installed.glob("BrainTumorSegLib/core/__pycache__/case.*.pyc"))


def test_the_installed_library_runs_and_finds_its_resources(installed, tmp_path):
    """Away from the checkout, as Slicer's Python finds it."""
    code = (
        "import BrainTumorSegLib, sys\n"
        "from BrainTumorSegLib.core.resources import resource_path\n"
        "print(BrainTumorSegLib.__file__)\n"
        "print(resource_path('Models', 'glioma-lite', 'pack.json').is_file())\n"
        "from BrainTumorSegLib.cli.application import main\n"
        "sys.exit(main(['models', 'list']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "BRAINTUMORSEG_MODELS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, found, *_ = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert found == "True"
    assert "glioma-lite" in done.stdout


def test_the_modules_own_tests_are_registered(installed):
    build = installed.parents[3] / "build"
    listing = subprocess.run(
        ["ctest", "-N"], cwd=build, capture_output=True, text=True, check=True
    ).stdout
    names = set(re.findall(r"Test\s+#\d+: (\S+)", listing))
    assert names == {
        "py_BrainTumorSeg",
        "py_nomainwindow_BrainTumorSeg",
        "py_nomainwindow_qSlicerBrainTumorSegModuleGenericTest",
    }


def test_the_wheel_holds_what_the_extension_installs():
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling makes the wheel")
    files = wheel.WheelBuilder(str(CHECKOUT)).recurse_included_files()
    held = {path.distribution_path.replace(os.sep, "/") for path in files}
    held = {name for name in held if not name.startswith("BrainTumorSegLib/Resources/Experiments")}
    resources = {name for name in installed_resources() if not name.startswith(EXPERIMENTS)}
    expected = {f"BrainTumorSegLib/{name}" for name in tracked(LIBRARY, "*")}
    expected |= {f"BrainTumorSegLib/Resources/{name}" for name in resources}
    assert held - {"BrainTumorSegLib/Resources/CMakeLists.txt"} == expected


# --- the Extensions Index ------------------------------------------------------------------


def index_entry() -> dict:
    path = RESOURCES / "ExtensionsIndex" / "BrainTumorSeg.json"
    assert b"\r" not in path.read_bytes()
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_index_entry_has_the_keys_of_its_schema():
    entry = index_entry()
    assert set(entry) >= INDEX_NEEDED
    for key, value in entry.items():
        assert isinstance(value, INDEX_KEYS[key]), key
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert 1 <= entry["tier"] <= 5
    assert list(entry) == sorted(entry)


def test_the_index_accepts_the_names():
    entry = index_entry()
    repository = entry["scm_url"].rstrip("/").split("/")[-1].removesuffix(".git")
    assert entry["scm_url"].startswith("https://")
    # The repository's name begins with Slicer, the extension's does not.
    assert repository.startswith("Slicer")
    path = RESOURCES / "ExtensionsIndex" / "BrainTumorSeg.json"
    text = (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.findall(r"^project\((\w+)\)$", text, re.MULTILINE) == [path.stem]


def test_index_and_cmake_agree():
    entry, metadata = index_entry(), extension_metadata()
    assert entry["scm_url"].removesuffix(".git") == metadata["EXTENSION_HOMEPAGE"]
    assert entry["category"] == metadata["EXTENSION_CATEGORY"]
    assert entry["build_dependencies"] == metadata["EXTENSION_DEPENDS"].split()


def test_one_homepage_is_named_everywhere():
    home = extension_metadata()["EXTENSION_HOMEPAGE"]
    module = (MODULE / "BrainTumorSeg.py").read_text(encoding="utf-8")
    assert f'HOMEPAGE = "{home}"' in module
    raw = home.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
    for path in pictures_on_the_web():
        assert path.startswith(raw)


def pictures_on_the_web() -> list[str]:
    metadata = extension_metadata()
    return [metadata["EXTENSION_ICONURL"], *metadata["EXTENSION_SCREENSHOTURLS"].split()]


def test_icon_and_screenshots_are_in_the_repository():
    for address in pictures_on_the_web():
        path = CHECKOUT / address.split("/main/", 1)[1]
        assert path.is_file(), path
        assert path.suffix == ".png"


def test_the_icon_is_small_square_and_transparent():
    with Image.open(MODULE / "Resources" / "Icons" / "BrainTumorSeg.png") as icon:
        assert icon.size == (128, 128)
        assert icon.mode == "RGBA"
        assert icon.getpixel((0, 0))[3] == 0


def test_the_description_is_a_sentence_that_says_what_it_is_not():
    text = extension_metadata()["EXTENSION_DESCRIPTION"]
    assert "not a medical device" in text
    assert len(text.split()) > 20


def test_the_description_names_the_licence_of_code_and_weights():
    text = extension_metadata()["EXTENSION_DESCRIPTION"]
    assert "Apache License 2.0" in text
    assert "CC BY-SA 4.0" in text
