"""Imported once by the process from which the process of every case is forked.

That takes ten seconds, and half a gigabyte that all cases share; forking takes 20 milliseconds.
Nothing is computed and no network is opened here: the threads that OpenMP, ITK and OpenVINO
start for that do not survive a fork, and a case would wait for them for ever. Reading its
networks is left to each case and takes a fraction of a second.
"""

from contextlib import suppress
from importlib import import_module

from BrainTumorSegLib.core.compat import ensure_torchvision_imports, import_openvino
from BrainTumorSegLib.core.errors import DependencyError

#: What a case imports sooner or later; what is missing is missed where it is needed.
_MODULES = (
    "BrainTumorSegLib.inference.pipeline",
    "BrainTumorSegLib.io.cases",
    "BrainTumorSegLib.reporting.outputs",
    *("segmentation_models_pytorch", "deepbet", "jsonschema", "nibabel", "pydicom"),
    *("PIL.ImageFont", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "jinja2", "nrrd"),
)

with suppress(ImportError):
    ensure_torchvision_imports()
for _name in _MODULES:
    with suppress(ImportError):
        import_module(_name)
with suppress(DependencyError):
    import_openvino()
