"""A stand-in for BRAINSFit, as strict about its command line as the real program.

It accepts the long flags of BRAINSFit 5.8 and refuses what the real one refuses:
unknown flags, values after a switch, repeated flags, wrong types, words outside an
enumeration, missing inputs, no output or two transform outputs. What it then does is
told by environment variables:

``BRAINSFIT_FAKE_MODE``   one mode for every start, or ``Off=halfway,useGeometryAlign=good``
``BRAINSFIT_FAKE_TRUTH``  transform file with the right answer; without it the
                             answer is computed with the SimpleITK engine
``BRAINSFIT_FAKE_LOG``    file to which every command line is appended as JSON
``BRAINSFIT_FAKE_PID``    file that receives the process id, in mode ``hang``

Modes: good, halfway, nothing, no-volume, exit1, crash, hang, nan, nan-volume, garbage,
wrong-grid, wrong-way, mismatch, affine, far, library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

STRINGS = [
    "fixedVolume",
    "movingVolume",
    "fixedVolume2",
    "movingVolume2",
    "linearTransform",
    "bsplineTransform",
    "outputTransform",
    "strippedOutputTransform",
    "outputVolume",
    "initialTransform",
    "fixedBinaryVolume",
    "movingBinaryVolume",
    "outputFixedVolumeROI",
    "outputMovingVolumeROI",
    "transformType",
    "logFileReport",
    "splineGridSize",
    "medianFilterSize",
    "numberOfIterations",
    "minimumStepLength",
]
INTEGERS = [
    "fixedVolumeTimeIndex",
    "movingVolumeTimeIndex",
    "numberOfHistogramBins",
    "numberOfMatchPoints",
    "numberOfSamples",
    "failureExitCode",
    "numberOfThreads",
    "debugLevel",
    "maximumNumberOfEvaluations",
    "maximumNumberOfCorrections",
]
REALS = [
    "samplingPercentage",
    "removeIntensityOutliers",
    "backgroundFillValue",
    "maximumStepLength",
    "relaxationFactor",
    "translationScale",
    "reproportionScale",
    "skewScale",
    "maxBSplineDisplacement",
    "maskInferiorCutOffFromCenter",
    "ROIAutoDilateSize",
    "ROIAutoClosingSize",
    "costFunctionConvergenceFactor",
    "projectedGradientTolerance",
]
SWITCHES = [
    "useRigid",
    "useScaleVersor3D",
    "useScaleSkewVersor3D",
    "useAffine",
    "useBSpline",
    "useSyN",
    "useComposite",
    "useROIBSpline",
    "histogramMatch",
    "scaleOutputValues",
    "writeOutputTransformInFloat",
    "writeTransformOnFailure",
    "initializeRegistrationByCurrentGenericTransform",
    "gui",
    "promptUser",
]
WORDS = {
    "initializeTransformMode": [
        "Off",
        "useMomentsAlign",
        "useCenterOfHeadAlign",
        "useGeometryAlign",
        "useCenterOfROIAlign",
    ],
    "maskProcessingMode": ["NOMASK", "ROIAUTO", "ROI"],
    "costMetric": ["MMI", "MSE", "NC", "MIH"],
    "interpolationMode": [
        "NearestNeighbor",
        "Linear",
        "ResampleInPlace",
        "BSpline",
        "WindowedSinc",
        "Hamming",
        "Cosine",
        "Welch",
        "Lanczos",
        "Blackman",
    ],
    "outputVolumePixelType": ["float", "short", "ushort", "int", "uint", "uchar"],
    "metricSamplingStrategy": ["Random"],
}


def refuse(reason: str, code: int = 1) -> None:
    print(f"PARSE ERROR: {reason}", file=sys.stderr)
    sys.exit(code)


def parse(words: list[str]) -> dict:
    """The command line as the real program understands it."""
    values: dict = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name = word.removeprefix("--")
        if not word.startswith("--"):
            refuse(f"Couldn't find match for argument: {word}")
        if name in values:
            refuse(f"Argument already set: {name}")
        if name in SWITCHES:
            values[name] = True
            continue
        if name not in (*STRINGS, *INTEGERS, *REALS, *WORDS):
            refuse(f"Couldn't find match for argument: {word}")
        if not rest:
            refuse(f"Missing a value for this argument: {name}")
        text = rest.pop(0)
        try:
            values[name] = int(text) if name in INTEGERS else text
            values[name] = float(text) if name in REALS else values[name]
        except ValueError:
            refuse(f"Couldn't read argument value from string '{text}': {name}")
        if name in WORDS and text not in WORDS[name]:
            refuse(f"Value '{text}' does not meet constraint: {'|'.join(WORDS[name])}")
    return values


def check(given: dict) -> None:
    """Refuse the combinations that the real program refuses."""
    transforms = [
        n for n in ("linearTransform", "bsplineTransform", "outputTransform") if n in given
    ]
    if len(transforms) > 1:
        refuse("user can only specify one output transform type.")
    if not transforms and "outputVolume" not in given and "strippedOutputTransform" not in given:
        refuse("user requested neither transform nor outputVolume", 2)
    mode = given.get("initializeTransformMode", "Off")
    phases = [n for n in SWITCHES if n.startswith("use") and n != "useROIBSpline" and n in given]
    if not phases and "transformType" not in given and mode == "Off":
        refuse("No registration phases specified to perform!")
    if "linearTransform" in given and {"useBSpline", "useSyN"} & set(phases):
        refuse("Linear transforms can not be used for BSpline or SyN registration!")
    if "initialTransform" in given and mode != "Off":
        refuse("initialTransform needs initializeTransformMode Off")
    masks = {"fixedBinaryVolume", "movingBinaryVolume"} & set(given)
    if masks and given.get("maskProcessingMode", "NOMASK") != "ROI":
        refuse("Can not specify mask file names without ROI")
    if not 0 < given.get("samplingPercentage", 0.002) <= 1:
        refuse("samplingPercentage must be in (0, 1]")
    for name in ("fixedVolume", "movingVolume"):
        if name not in given:
            refuse(f"Required argument missing: {name}")
    for name in ("fixedVolume", "movingVolume", "initialTransform"):
        if name in given and not Path(given[name]).is_file():
            print(f"itk::ImageFileReaderException: the file {given[name]} does not exist")
            sys.exit(1)


def mode_of(given: dict) -> str:
    start = given.get("initializeTransformMode", "Off")
    if "initialTransform" in given:
        start = "initialTransform"
    wanted = os.environ.get("BRAINSFIT_FAKE_MODE", "good")
    if "=" not in wanted:
        return wanted
    table = dict(item.split("=") for item in wanted.split(","))
    return table.get(start, table.get("else", "good"))


def right_answer(given: dict) -> sitk.VersorRigid3DTransform:
    truth = os.environ.get("BRAINSFIT_FAKE_TRUTH")
    if truth:
        return sitk.VersorRigid3DTransform(sitk.ReadTransform(truth))
    from BrainTumorSegLib.preprocessing.registration import simpleitk
    from BrainTumorSegLib.preprocessing.registration.head import find_head
    from BrainTumorSegLib.preprocessing.registration.starts import STARTS, start_transform

    fixed, moving = (
        find_head(sitk.ReadImage(given[n]), n) for n in ("fixedVolume", "movingVolume")
    )
    if "initialTransform" in given:
        begin = rigid_part(sitk.ReadTransform(given["initialTransform"]))
    else:
        mode = given.get("initializeTransformMode", "Off")
        begin = start_transform({v: k for k, v in STARTS.items()}[mode], fixed, moving)
    return simpleitk.register(fixed, moving, begin)


def rigid_part(transform: sitk.Transform) -> sitk.VersorRigid3DTransform:
    """Rigid transforms as they are; of an affine one, which Slicer makes of them, the rotation."""
    if transform.GetName() != "AffineTransform":
        return sitk.VersorRigid3DTransform(transform)
    affine, rigid = sitk.AffineTransform(transform), sitk.VersorRigid3DTransform()
    rigid.SetCenter(affine.GetCenter())
    rigid.SetMatrix(affine.GetMatrix(), 1e-6)
    rigid.SetTranslation(affine.GetTranslation())
    return rigid


def part_of_the_way(transform: sitk.VersorRigid3DTransform, share: float):
    part = sitk.VersorRigid3DTransform(transform)
    part.SetParameters([share * p for p in transform.GetParameters()])
    return part


def write(given: dict, mode: str) -> None:
    """Write the results, spoiled in the way the mode says."""
    fixed = sitk.ReadImage(given["fixedVolume"], sitk.sitkFloat32)
    moving = sitk.ReadImage(given["movingVolume"], sitk.sitkFloat32)
    transform: sitk.Transform = right_answer(given)
    if mode == "halfway":
        transform = part_of_the_way(transform, 0.5)
    if mode == "far":
        transform = sitk.VersorRigid3DTransform(transform)
        transform.SetTranslation([t + 70.0 for t in transform.GetTranslation()])
    if mode == "wrong-way":
        transform = sitk.VersorRigid3DTransform(transform.GetInverse())
    grid = fixed[2:, :, :] if mode == "wrong-grid" else fixed
    volume = sitk.Resample(moving, grid, transform, sitk.sitkLinear, 0.0)
    if mode == "nan-volume":
        volume = volume * float("nan")
    if mode == "mismatch":
        transform = sitk.VersorRigid3DTransform(transform.GetInverse())
    if mode == "affine":
        affine = sitk.AffineTransform(3)
        affine.Scale(1.2)
        transform = affine
    if mode != "no-volume" and "outputVolume" in given:
        sitk.WriteImage(volume, given["outputVolume"])
    target = next((given[n] for n in ("linearTransform", "outputTransform") if n in given), None)
    if target is not None:
        sitk.WriteTransform(transform, target)
        inverse = Path(target).with_name(f"{Path(target).stem}_Inverse{Path(target).suffix}")
        sitk.WriteTransform(transform.GetInverse(), inverse)
        if mode == "garbage":
            Path(target).write_text("#Insight Transform File V1.0\nno transform\n")
        if mode == "nan":
            lines = Path(target).read_text().splitlines()
            lines = [
                "Parameters: nan nan nan nan nan nan" if line.startswith("Parameters") else line
                for line in lines
            ]
            Path(target).write_text("\n".join(lines) + "\n")


def main() -> int:
    if sys.argv[1:] == ["--version"]:
        print(f"{sys.argv[0]}  version: 5.8.0")
        return 0
    given = parse(sys.argv[1:])
    log = os.environ.get("BRAINSFIT_FAKE_LOG")
    if log:
        entry = {"arguments": sys.argv[1:], "folder": str(Path.cwd())}
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
    mode = mode_of(given)
    if mode == "library":
        print(
            "BRAINSFit: error while loading shared libraries: libITKCommon-5.4.so.1",
            file=sys.stderr,
        )
        return 127
    check(given)
    if mode == "hang":
        # A child of its own, as under Slicer's launcher: it has to end with its parent.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pids = os.environ.get("BRAINSFIT_FAKE_PID")
        if pids:
            Path(pids).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)
    if mode == "exit1":
        print("Exception during registration: All samples map outside moving image buffer")
        return 1
    if mode == "crash":
        sys.stdout.flush()
        os.abort()
    if mode != "nothing":
        np.seterr(all="ignore")
        write(given, mode)
    # The real program exits 0 after running out of iterations, too.
    return 0


if __name__ == "__main__":
    sys.exit(main())
