"""Installing what the worker needs into Slicer's Python, asked for once.

PyTorch comes through Slicer's PyTorch extension, which knows the build that fits the computer;
the rest through Slicer's own use of pip. What Slicer ships and what is loaded now is pinned
all the while, so that pip can add packages but never exchange those. Without internet
everything comes from a folder of wheels.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from BrainTumorSegLib.core.errors import Cancelled, DependencyError, InputError

from ..host.application import (
    WHEEL_FOLDER,
    getSetting,
    installsHere,
    runFolder,
    usesOtherPython,
)
from ..host.translation import tr as _
from .packages import Package, describeMissing, importProblems, installCommand, missingPackages

#: The package of the networks' architectures.
_ARCHITECTURES = "segmentation-models-pytorch"

#: Who asks, in Slicer's windows.
REQUESTER = "BrainTumorSeg"

#: What Slicer itself ships and relies on, and PyTorch's family, which has to fit together.
PROTECTED = frozenset(
    (
        *("numpy", "scipy", "simpleitk", "pydicom", "dicomweb-client", "highdicom", "pyjpegls"),
        *("pillow", "requests", "urllib3", "certifi", "idna", "charset-normalizer", "chardet"),
        *("pip", "setuptools", "wheel", "packaging", "typing-extensions", "six", "pyparsing"),
        *("python-dateutil", "retrying", "couchdb", "gitpython", "gitdb", "smmap", "pygithub"),
        *("pyjwt", "pynacl", "cryptography", "cffi", "pycparser", "deprecated", "wrapt", "dcmqi"),
        *("torch", "torchvision", "torchaudio", "light-the-torch", "vtk", "itk"),
    )
)


def installMissing(extras: Sequence[str] = (), onBegin: Callable[[], None] = lambda: None) -> None:
    """Before a computation: another Python brings its own packages; for Slicer's ask once.

    Args:
        extras: names of `requirements.EXTRAS` that are wanted too.
        onBegin: called when something is missing.

    Raises:
        BrainTumorSegError: as `install`.
    """
    if not usesOtherPython() and missingPackages(extras):
        onBegin()
        install(confirm=True, extras=extras)


def install(confirm: bool = True, extras: Sequence[str] = ()) -> None:
    """Install what is missing, after asking once; returns when everything can be imported.

    Args:
        confirm: ask first, and offer the restart where one is needed. Scripts that were told
            to install say False.
        extras: names of `requirements.EXTRAS` that are wanted too.

    Raises:
        Cancelled: when the person declines; nothing was installed.
        DependencyError: when something cannot be installed or does not work afterwards; when
            the PyTorch extension is missing; when the worker runs in another interpreter,
            where nothing is installed; in Slicer's testing mode.
        InputError: when the folder of wheels does not exist or holds no wheels.
    """
    missing = missingPackages(extras)
    if not missing:
        return
    _refuseWhereNotOurs(missing)
    wheels, needed = _wheelFolder(), {package.name: package.requirement for package in missing}
    if wheels is None and "torch" in needed and not pytorchExtensionInstalled():
        _withoutPytorchExtension(confirm)
    if confirm and not _agreed(missing, wheels):
        raise Cancelled(_("Nothing was installed."))
    before = installedVersions()
    with _constraintsFile(constraints(before, free=list(needed))) as pins:
        torch = needed.pop("torch", None)
        if torch is not None and wheels is None:
            _installTorch(torch.least)
        rest = [str(requirement) for requirement in needed.values()]
        if wheels is not None and torch is not None and _ARCHITECTURES not in needed:
            # The architectures depend on PyTorch, which thereby comes from the folder too.
            rest.append(_ARCHITECTURES)
        if rest:
            _runPip(rest, wheels, pins)
    importlib.invalidate_caches()
    _verify(missing, extras)
    exchanged = exchangedInUse(before, installedVersions())
    if confirm and exchanged:
        _offerRestart(exchanged)


def pytorchExtensionInstalled() -> bool:
    """Whether Slicer's PyTorch extension is there."""
    try:
        importlib.import_module("PyTorchUtils")
    except ImportError:
        return False
    return True


def installPytorchExtension() -> bool:
    """Let Slicer's Extensions Manager install the PyTorch extension; Slicer restarts then.

    Returns:
        Whether it was installed; False where this Slicer has no Extensions Manager, there is
        no network, or the person declined.
    """
    import slicer

    model = getattr(slicer.app, "extensionsManagerModel", lambda: None)()
    if model is None:
        return False
    return bool(model.installExtensionFromServer("PyTorch"))


def installedVersions() -> dict[str, str]:
    """Version of every installed package, by its normalised name."""
    importlib.invalidate_caches()
    # The first one on the path is the one that is imported.
    there = reversed([found for found in importlib.metadata.distributions() if found.name])
    return {canonicalize_name(found.name): found.version for found in there}


def constraints(versions: Mapping[str, str], free: Sequence[str] = ()) -> list[str]:
    """Lines of a pip constraints file that pin what may not be exchanged.

    Args:
        free: packages that may be exchanged even though they are loaded now.
    """
    loaded = _loadedPackages() - {canonicalize_name(name) for name in free}
    kept = (PROTECTED | loaded) & set(versions)
    return [f"{name}=={versions[name]}" for name in sorted(kept) if _isVersion(versions[name])]


def _isVersion(text: str) -> bool:
    """What was built by hand may have a version that pip does not understand."""
    try:
        return bool(Version(text))
    except InvalidVersion:
        return False


def exchangedInUse(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Packages that have another version than before, of which the old one is loaded."""
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    return sorted(changed & _loadedPackages())


def _loadedPackages() -> frozenset[str]:
    """Packages that this process has imported."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    owners = importlib.metadata.packages_distributions()
    return frozenset(canonicalize_name(n) for module in loaded for n in owners.get(module, ()))


def _refuseWhereNotOurs(missing: Sequence[Package]) -> None:
    names = ", ".join(str(package.requirement) for package in missing)
    message = _("Python packages are missing: {names}.").format(names=names)
    if not installsHere():
        raise DependencyError(
            message,
            _("Install them into the Python you chose: {command}").format(
                command=installCommand(missing)
            ),
        )
    import slicer

    if slicer.app.testingEnabled():
        raise DependencyError(
            message, _("Slicer's testing mode installs nothing; install them beforehand.")
        )
    fixed = [p for p in missing if p.installed and canonicalize_name(p.name) in PROTECTED]
    if fixed:
        shown = ", ".join(f"{package.name} {package.installed}" for package in fixed)
        remedy = _("Use Slicer 5.10 or newer; its own packages are never exchanged.")
        if "torch" in {package.name for package in fixed}:
            remedy = _(
                "Uninstall PyTorch in the module “PyTorch Utils”, restart Slicer, and press "
                "Apply again. Other extensions may need the old release."
            )
        raise DependencyError(
            _("Slicer has releases that are too old: {names}.").format(names=shown), remedy
        )


def _wheelFolder() -> Path | None:
    named = getSetting(WHEEL_FOLDER)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise InputError(
            _("The folder of wheels {folder} does not exist.").format(folder=folder),
            _("Correct it in the module's settings, or empty it to install from the internet."),
        )
    if not any(folder.glob("*.whl")):
        raise InputError(
            _("The folder of wheels {folder} holds no wheels (*.whl).").format(folder=folder),
            _("Put the packages there, or empty the setting to install from the internet."),
        )
    return folder


def _withoutPytorchExtension(confirm: bool) -> None:
    import slicer

    question = _(
        "The networks need PyTorch, which Slicer's extension “PyTorch” installs.\n\n"
        "Install this extension now? Slicer restarts; press Apply again afterwards.\n\n"
        "Without internet, name a folder of wheels in the module's settings instead."
    )
    if confirm and not slicer.util.confirmOkCancelDisplay(question, REQUESTER):
        raise Cancelled(_("Nothing was installed."))
    installed = confirm and installPytorchExtension()
    remedy = _(
        "Open the Extensions Manager (menu View), install “PyTorch” and restart Slicer. Without "
        "internet, name a folder of wheels in the module's settings."
    )
    if installed:
        remedy = _("Restart Slicer to finish its installation, then press Apply again.")
    raise DependencyError(_("Slicer's PyTorch extension is not loaded."), remedy)


def _agreed(missing: Sequence[Package], wheels: Path | None) -> bool:
    import slicer

    source = _("from the internet") if wheels is None else str(wheels)
    question = _(
        "To segment, BrainTumorSeg needs these packages in Slicer's Python. They are "
        "installed once ({source}); this may take some minutes.\n\n{list}\n\n"
        "Packages that Slicer itself uses stay as they are. Install them now?"
    ).format(source=source, list=describeMissing(missing))
    return bool(slicer.util.confirmOkCancelDisplay(question, REQUESTER))


def _installTorch(least: str) -> None:
    import PyTorchUtils

    try:
        # We asked already; a second question would be one too many.
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=False, torchVersionRequirement=f">={least}"
        )
    except (subprocess.CalledProcessError, RuntimeError, ImportError, OSError) as error:
        raise _failed("PyTorch", error) from error
    if torch is None:
        raise Cancelled(_("PyTorch was not installed."))


def _runPip(requirements: list[str], wheels: Path | None, pins: Path) -> None:
    import slicer

    options = [] if wheels is None else ["--no-index", "--find-links", str(wheels)]
    try:
        packaging = _slicerPackaging()
        if packaging is None:
            # Slicer 5.10 shows no progress of its own.
            with slicer.util.WaitCursor():
                slicer.util.pip_install([*options, "-c", str(pins), *requirements])
            return
        pip: dict[str, str] = {"constraints": str(pins), "requester": REQUESTER}
        if options:
            packaging.pip_install([*options, *requirements], **pip)
        else:
            packaging.pip_ensure(requirements, prompt_install=False, prompt_restart=False, **pip)
    except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
        raise _failed(", ".join(requirements), error, wheels) from error


def _slicerPackaging() -> Any:
    """``slicer.packaging`` of Slicer 5.12 and later, else None."""
    try:
        return importlib.import_module("slicer.packaging")
    except ImportError:
        return None


@contextlib.contextmanager
def _constraintsFile(lines: Sequence[str]) -> Iterator[Path]:
    """A constraints file for pip, also where somebody else calls it for us."""
    folder = runFolder()
    path = folder / "constraints.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = os.environ.get("PIP_CONSTRAINT")
    # pip splits this variable at spaces, which a URL has none of.
    os.environ["PIP_CONSTRAINT"] = " ".join([*([before] if before else []), path.as_uri()])
    try:
        yield path
    finally:
        if before is None:
            del os.environ["PIP_CONSTRAINT"]
        else:
            os.environ["PIP_CONSTRAINT"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _verify(missing: Sequence[Package], extras: Sequence[str]) -> None:
    still = missingPackages(extras)
    if still:
        raise DependencyError(
            _("After the installation these packages are still missing: {names}.").format(
                names=", ".join(str(package.requirement) for package in still)
            ),
            _("Restart Slicer and try again; the log is in Slicer's Python console."),
        )
    problems = importProblems(missing)
    if problems:
        raise DependencyError(
            _("Installed, but not working: {list}.").format(
                list="; ".join(f"{name} ({reason})" for name, reason in problems.items())
            ),
            _(
                "Restart Slicer and try again. If it stays, uninstall PyTorch in the module "
                "“PyTorch Utils” and install again."
            ),
        )


def _failed(what: str, error: Exception, wheels: Path | None = None) -> DependencyError:
    remedy = _(
        "The log is in Slicer's Python console. Check the internet connection and the proxy; "
        "without internet, name a folder of wheels in the module's settings."
    )
    if wheels is not None:
        remedy = _(
            "The log in Slicer's Python console says which package {folder} lacks. It must hold "
            "them with all that they need, for Python {version} and this system."
        ).format(folder=wheels, version="{}.{}".format(*sys.version_info[:2]))
    return DependencyError(
        _("{what} could not be installed: {error}").format(what=what, error=error), remedy
    )


def _offerRestart(names: Sequence[str]) -> None:
    import slicer

    question = _(
        "{names} were exchanged while in use. Restart Slicer now? Save your work first."
    ).format(names=", ".join(names))
    if slicer.util.confirmYesNoDisplay(question, REQUESTER):
        slicer.util.restart()
