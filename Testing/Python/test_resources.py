"""Resources are found in a checkout, in a wheel and in Slicer's installed layout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.resources import cache_folder, resource_path, user_folder
from BrainTumorSegLib.models.packs import load_pack
from BrainTumorSegLib.preprocessing.registration.discovery import find_brainsfit

CHECKOUT = Path(__file__).resolve().parents[2]
NAMES = ("Setup", "constraints.txt")

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def found_by_a_package_in(folder: Path, parts: tuple[str, ...] = NAMES) -> Path:
    """What ``resource_path`` says in a fresh Python that imports the package from a folder."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from BrainTumorSegLib.core.resources import resource_path\n"
        "print(resource_path(*sys.argv[2:]))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder), *parts],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return Path(done.stdout.strip())


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel) -> Path:
    folder = wheel.parent / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_checkout_finds_its_resources():
    assert found_by_a_package_in(CHECKOUT) == CHECKOUT / "Resources" / Path(*NAMES)
    assert resource_path(*NAMES).is_file()


def test_a_wheel_finds_its_resources(unpacked):
    path = found_by_a_package_in(unpacked)
    assert path == unpacked / "BrainTumorSegLib" / "Resources" / Path(*NAMES)
    assert path.read_bytes() == resource_path(*NAMES).read_bytes()


def test_a_wheel_holds_the_whole_library_and_all_resources(unpacked):
    package = unpacked / "BrainTumorSegLib"
    for_the_web = ("Docs/", "ExtensionsIndex/")
    resources = {n for n in files_below(CHECKOUT / "Resources") if not n.startswith(for_the_web)}
    assert files_below(package / "Resources") == resources
    code = files_below(package) - {
        f"Resources/{name}" for name in files_below(package / "Resources")
    }
    assert code == files_below(CHECKOUT / "BrainTumorSegLib")


def test_a_wheel_holds_nothing_else(unpacked):
    tops = {path.name for path in unpacked.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"BrainTumorSegLib"}


def test_a_wheel_brings_the_command_and_the_licence(unpacked):
    (information,) = unpacked.glob("*.dist-info")
    assert "brain-tumor-seg = BrainTumorSegLib.cli:main" in (
        information / "entry_points.txt"
    ).read_text(encoding="utf-8")
    assert (information / "licenses" / "LICENSE").is_file()


def test_slicers_layout_finds_our_resources_and_not_those_of_other_modules(tmp_path):
    modules = tmp_path / "lib" / "Slicer-5.12" / "qt-scripted-modules"
    package = modules / "BrainTumorSegLib"
    shutil.copytree(CHECKOUT / "BrainTumorSegLib", package, ignore=LEFT_OUT)
    shutil.copytree(CHECKOUT / "Resources", package / "Resources")
    foreign = modules / "Resources" / Path(*NAMES)
    foreign.parent.mkdir(parents=True)
    foreign.write_text("another module's file", encoding="utf-8")
    path = found_by_a_package_in(modules)
    assert path == package / "Resources" / Path(*NAMES)
    assert path.read_bytes() == resource_path(*NAMES).read_bytes()


def test_folders_with_spaces_and_umlauts_do_no_harm(tmp_path):
    modules = tmp_path / "Jörg's modules"
    package = modules / "BrainTumorSegLib"
    shutil.copytree(CHECKOUT / "BrainTumorSegLib", package, ignore=LEFT_OUT)
    (package / "Resources").mkdir()
    assert found_by_a_package_in(modules, ()) == package / "Resources"


def test_an_installation_without_resources_says_so(tmp_path, monkeypatch):
    # A sibling of that name that is not a checkout's belongs to somebody else.
    (tmp_path / "Resources").mkdir()
    package = tmp_path / "BrainTumorSegLib"
    monkeypatch.setattr("BrainTumorSegLib.core.resources._PACKAGE", package)
    with pytest.raises(DependencyError, match="Resources folder") as caught:
        resource_path("Models")
    assert "Install BrainTumorSeg again" in caught.value.remedy


def test_a_user_without_home_or_passwd_entry_can_do_without(monkeypatch, tmp_path):
    def no_home(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(Path, "expanduser", no_home)
    for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    root = Path(Path(__file__).resolve().anchor)
    assert root in user_folder("data").parents
    assert root in user_folder("cache").parents
    monkeypatch.setenv("BRAINTUMORSEG_CACHE", "~/cache")
    assert cache_folder("Networks") == Path("~/cache/Networks")
    assert find_brainsfit(None) is None or find_brainsfit(None).path
    assert load_pack("glioma-lite").name == "glioma-lite"


def test_what_is_not_there_yet_has_a_path_all_the_same():
    assert not resource_path("Models", "no-such-pack").exists()


@pytest.mark.parametrize(
    "parts", [("..", "README.md"), ("Models", "..", "..", "LICENSE"), ("/etc",)]
)
def test_a_path_out_of_resources_is_refused(parts):
    with pytest.raises(ValueError, match="outside"):
        resource_path(*parts)
