"""Brain tumor segmentation on T1, contrast-enhanced T1 and FLAIR.

The names in `__all__` are the public API. They are imported when they are first used, so that
the package itself needs nothing but the standard library: Slicer and the bootstrap script look
at it before anything is installed.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.version import __version__ as __version__

if TYPE_CHECKING:
    from BrainTumorSegLib.core.case import Case
    from BrainTumorSegLib.core.errors import BrainTumorSegError
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.core.result import Segmentation
    from BrainTumorSegLib.core.sequences import Sequence
    from BrainTumorSegLib.core.tissue import Region, Tissue
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case
    from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
    from BrainTumorSegLib.models.packs.library import list_packs

__all__ = [
    "BrainTumorSegError",
    "Case",
    "Options",
    "Progress",
    "Region",
    "Segmentation",
    "Sequence",
    "Tissue",
    "list_packs",
    "load_case",
    "segment",
    "write_seg_nrrd",
]

_MODULES = {
    "BrainTumorSegError": "core.errors",
    "Case": "core.case",
    "Options": "core.options",
    "Progress": "core.progress",
    "Region": "core.tissue",
    "Segmentation": "core.result",
    "Sequence": "core.sequences",
    "Tissue": "core.tissue",
    "list_packs": "models.packs.library",
    "load_case": "io.cases",
    "segment": "inference.pipeline",
    "write_seg_nrrd": "io.seg_nrrd",
}

# Import paths of 0.1 are found there for one release; each of them warns.
__path__.append(str(Path(__file__).with_name("deprecated")))


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
