"""Damaged headers of image files: refused by name, or read as what they were, or warned of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nifti_files import head_values, write_nifti

CHECKOUT = Path(__file__).resolve().parents[2]
FILES_A_FORMAT = 100
SECONDS_A_FILE = 5.0

#: Corners further apart than this lie elsewhere (mm); voxels may differ by float rounding.
PLACE, VALUE = 0.5, 1e-3

#: Loads each file as `segment` does and says what came of it, one JSON line a file.
LOADER = """
import json, sys, time
import numpy as np, SimpleITK as sitk
from pathlib import Path
from BrainTumorSegLib.core.case import corner_gap, image_matrix
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.cases import load_case

T1CE = Sequence.T1CE
place, value = float(sys.argv[1]), float(sys.argv[2])
whole = {}
for line in sys.stdin:
    name, original = json.loads(line)
    if original not in whole:
        whole[original] = load_case({T1CE: Path(original)})
    before, first = whole[original].reference_scan.image, set(whole[original].warnings)
    began, told = time.monotonic(), {"name": name}
    try:
        case = load_case({T1CE: Path(name)})
    except InputError as error:
        told |= {"refused": str(error), "named": name in str(error)}
    except BaseException as error:
        told |= {"foreign": f"{type(error).__name__}: {error}"}
    else:
        image = case.reference_scan.image
        same = image.GetSize() == before.GetSize()
        if same:
            gap = corner_gap(image_matrix(image), image_matrix(before), image.GetSize())
            a, b = (sitk.GetArrayViewFromImage(i).astype(float) for i in (image, before))
            same = bool(gap <= place and np.abs(a - b).max() <= value)
        told |= {"same": same, "warned": len(set(case.warnings) - first) > 0}
    told["seconds"] = time.monotonic() - began
    print(json.dumps(told), flush=True)
"""

#: Fields of which a plausible other value cannot be told from the true one.
CANNOT_BE_TOLD = {
    ".nii": {"datatype", "scl_slope", "scl_inter"},
    ".nrrd": {"type", "endian", "space directions", "space origin"},
    ".mha": {
        *("ElementType", "BinaryDataByteOrderMSB"),
        *("ElementSpacing", "TransformMatrix", "Offset"),
    },
}

NUMBERS = (0, 1, -1, 2, 3, 7, 99, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31))
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, -1e30, np.nan, np.inf, -np.inf, 1e5, 352.5)
TEXTS = (
    *("", "nan", "inf", "-1", "0", "99", "1e30", "4294967296", "18446744073709551616", "none"),
    *("True", "False", "big", "LOCAL", "LIST", "%d", "../x", "\\x00", "(0,0,0)", "x" * 5000),
)


def mutated_nifti(raw, random):
    """A NIfTI file with one field of its header changed, or some bytes; names the fields."""
    import nibabel

    raw, dtype = bytearray(raw), nibabel.Nifti1Header.template_dtype
    if random.random() < 0.4:
        places = random.integers(0, 352, random.integers(1, 4))
        for place in places:
            raw[place] = random.integers(256)
        fields = {n for n in dtype.names for p in places if _covers(dtype, n, int(p))}
        return bytes(raw), fields
    name = str(random.choice(dtype.names))
    field, start = dtype.fields[name][:2]
    base, shape = field.subdtype or (field, ())
    count = int(np.prod(shape, dtype=int))
    at = start + base.itemsize * int(random.integers(count))
    if base.kind == "S":
        raw[at : at + base.itemsize] = random.bytes(base.itemsize)
    else:
        choice = REALS if base.kind == "f" else NUMBERS
        with np.errstate(over="ignore"):
            value = np.array(choice[random.integers(len(choice))]).astype(base.newbyteorder("<"))
        raw[at : at + base.itemsize] = value.tobytes()
    return bytes(raw), {name}


def _covers(dtype, name, place):
    field, start = dtype.fields[name][:2]
    return start <= place < start + field.itemsize


def mutated_text(raw, random, end):
    """An NRRD or MetaImage file with some lines of its header changed; names their fields."""
    length = raw.index(end) + len(end)
    if end != b"\n\n":
        length = raw.index(b"\n", length) + 1
    header, voxels = raw[:length], raw[length:]
    lines = header.split(b"\n")
    at = int(random.integers(0, len(lines) - 1))
    touched = {at}
    kind = random.integers(6)
    name, mark, value = _parts(lines[at])
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(int(random.integers(len(lines))), lines[at])
    elif kind == 2:
        text = TEXTS[random.integers(len(TEXTS))].encode()
        lines[at] = name + mark + b" " + text
    elif kind == 3 and value.split():
        words = value.split(b" ")
        words[random.integers(len(words))] = TEXTS[random.integers(len(TEXTS))].encode()
        lines[at] = name + mark + b" ".join(words)
    elif kind == 4:
        other = int(random.integers(0, len(lines) - 1))
        touched.add(other)
        lines[at], lines[other] = (
            name + mark + _parts(lines[other])[2],
            _parts(lines[other])[0] + mark + value,
        )
    else:
        line = bytearray(lines[at] or b" ")
        line[random.integers(len(line))] = random.integers(256)
        lines[at] = bytes(line)
    before = header.split(b"\n")
    fields = {_parts(before[i])[0].decode("ascii", "replace").strip() for i in touched}
    return b"\n".join(lines) + voxels, fields


def _parts(line):
    mark = b"=" if b"=" in line else b":"
    return line.partition(mark)


def originals(folder):
    """One small head a format, compressed or not, each with everything in its header."""
    image = sitk.GetImageFromArray(head_values().transpose(2, 1, 0))
    image.SetSpacing((4, 4, 5))
    image.SetOrigin((-80, -90, -70))
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.1, 0.2, 0.3)
    image.SetDirection(turn.GetMatrix())
    for name, packed in (("plain", False), ("packed", True)):
        for suffix in (".nrrd", ".mha"):
            sitk.WriteImage(image, str(folder / f"{name}{suffix}"), useCompression=packed)
    write_nifti(folder / "plain.nii")
    turned = np.eye(4)
    turned[:3, :3] = np.reshape(turn.GetMatrix(), (3, 3)) * (4, 4, 5)
    turned[:3, 3] = (-80, -90, -70)
    write_nifti(folder / "turned.nii", sform=turned, qform=turned)
    return sorted(folder.iterdir())


def fuzzed(folder, files, seed):
    """Damaged copies: pairs of path and original, and the fields that were touched by path."""
    random, orders, touched = np.random.default_rng(seed), [], {}
    for suffix in (".nii", ".nrrd", ".mha"):
        of_format = [path for path in files if path.suffix == suffix]
        for number in range(FILES_A_FORMAT):
            original = of_format[number % len(of_format)]
            raw = original.read_bytes()
            if suffix == ".nii":
                damaged, fields = mutated_nifti(raw, random)
            else:
                end = b"\n\n" if suffix == ".nrrd" else b"ElementDataFile"
                damaged, fields = mutated_text(raw, random, end)
            path = folder / f"{number}{suffix}"
            path.write_bytes(damaged)
            orders.append((str(path), str(original)))
            touched[str(path)] = fields
    return orders, touched


def test_damaged_headers_are_refused_or_harmless_or_warned_of(tmp_path):
    """300 of them; in a process of their own, where a crash of ITK is seen as one.

    What cannot be told, because another plausible value means another plausible file:
    a type of the same width, the order of bytes, the scaling of a NIfTI file and, in formats that
    say it only once (NRRD and MetaImage; a NIfTI file says it in sform and qform), position,
    direction and spacing. Numbers of voxels whose product is the same, and the mirrored
    directions of another space, cannot be told either; none of these copies has them.
    """
    (tmp_path / "whole").mkdir()
    (tmp_path / "damaged").mkdir()
    files = originals(tmp_path / "whole")
    orders, touched = fuzzed(tmp_path / "damaged", files, seed=20240611)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOADER), str(PLACE), str(VALUE)],
        input="".join(json.dumps(order) + "\n" for order in orders),
        cwd=CHECKOUT,
        env=dict(os.environ, PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(orders), (orders[len(results)], done.returncode, done.stderr[-2000:])
    assert done.returncode == 0, done.stderr
    wrong = []
    for result in results:
        name = result["name"]
        untold = touched[name] & CANNOT_BE_TOLD[Path(name).suffix]
        if (
            "foreign" in result
            or not result.get("named", True)
            or result["seconds"] > SECONDS_A_FILE
        ):
            wrong.append(result)
        elif "same" in result and not (result["same"] or result["warned"] or untold):
            wrong.append(result | {"touched": sorted(touched[name])})
    assert wrong == []
    refused = sum("refused" in result for result in results)
    harmless = sum(bool(result.get("same")) for result in results)
    # The damage must matter and leave something to read, or nothing was tried.
    assert refused >= 100
    assert harmless >= 50
