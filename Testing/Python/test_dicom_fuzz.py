"""Damaged DICOM files through the study loader, in a process of their own.

One file of a whole study is damaged at a time: bytes of the header, elements removed,
exchanged and lengthened, files cut at many points, and some that were built to hang or
crash a reader. Each time the study must load as it was, load with a warning, or be
refused with one of the library's own errors, all within seconds.

What cannot be told, because no second place in the files says it: another value within the
pixels themselves; a position or direction that is off by less than the tolerance for rounding in
`stack`; a rescale slope or intercept where every image of the series has one of its own;
and, in enhanced multi-frame objects, whatever is stated once for all frames (size of the
pixels, orientation, one slope for all), so those are only asked not to crash or hang.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

SEED = 20240517
SIZE = (20, 24, 10)
LONGEST = 5.0


# --- damages: each takes the content of a file and returns that of a damaged one ------------------


def bytes_changed(content: bytes, rng: np.random.Generator) -> bytes:
    header = content.index(b"\xe0\x7f\x10\x00")
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        changed[int(rng.integers(132, header))] = int(rng.integers(256))
    return bytes(changed)


def digit_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Another digit in a number or identifier, which stays valid."""
    header = content.index(b"\xe0\x7f\x10\x00")
    digits = [i for i in range(132, header) if 48 <= content[i] <= 57]
    changed = bytearray(content)
    changed[digits[int(rng.integers(len(digits)))]] = 48 + int(rng.integers(10))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def elements(content: bytes) -> list[tuple[int, int, int]]:
    """Begin, begin of the value, and end of every element of an explicit little-endian file."""
    found, at = [], 132
    while at + 8 <= len(content):
        long = content[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR")
        start = at + (12 if long else 8)
        length = struct.unpack_from("<L" if long else "<H", content, at + (8 if long else 6))[0]
        if length == 0xFFFFFFFF:
            break
        found.append((at, start, start + length))
        at = start + length
    return found


def element_removed(content: bytes, rng: np.random.Generator) -> bytes:
    known = elements(content)
    begin, _, end = known[int(rng.integers(len(known)))]
    return content[:begin] + content[end:]


def elements_exchanged(content: bytes, rng: np.random.Generator) -> bytes:
    """The values of two elements, each under the other's name."""
    known = elements(content)
    first, second = sorted(rng.choice(len(known), 2, replace=False).tolist())
    (a, _, a_end), (b, _, b_end) = known[first], known[second]
    one, two = content[a:a_end], content[b:b_end]
    one, two = content[a : a + 4] + two[4:], content[b : b + 4] + one[4:]
    return content[:a] + one + content[a_end:b] + two + content[b_end:]


def element_lengthened(content: bytes, rng: np.random.Generator) -> bytes:
    """A value with more bytes, or only a length that claims so."""
    known = elements(content)
    begin, start, end = known[int(rng.integers(len(known)))]
    more = int(rng.integers(1, 40)) * 2
    size = "<L" if start - begin == 12 else "<H"
    place = start - struct.calcsize(size)
    length = struct.pack(size, min(end - start + more, 0xFFFF if size == "<H" else 1 << 31))
    filler = bytes(rng.integers(32, 127, more, dtype=np.uint8)) if rng.random() < 0.5 else b""
    return content[:place] + length + content[start:end] + filler + content[end:]


def pixels_shortened(content: bytes, rng: np.random.Generator) -> bytes:
    """Fewer pixels, with a length that says so."""
    _begin, start, end = elements(content)[-1]
    length = int(rng.integers(0, (end - start) // 2)) * 2
    return content[: start - 4] + struct.pack("<L", length) + content[start : start + length]


def another_syntax(content: bytes, rng: np.random.Generator) -> bytes:
    names = [b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.9\0", b"1.2.840.113619.5.2\0\0",
             b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2\0\0\0"]  # fmt: skip
    return content.replace(b"1.2.840.10008.1.2.1\0", names[int(rng.integers(len(names)))], 1)


DAMAGES = (
    bytes_changed,
    digit_changed,
    cut,
    element_removed,
    elements_exchanged,
    element_lengthened,
    pixels_shortened,
    another_syntax,
)


def nested(depth: int, defined: bool) -> bytes:
    """A sequence in a sequence in a sequence."""
    tag = struct.pack("<HH2sH", 0x0008, 0x1140, b"SQ", 0)
    if not defined:
        opening = tag + struct.pack("<LHHL", 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
        closing = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        return opening * depth + closing * depth
    body = b""
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body
        body = tag + struct.pack("<L", len(item)) + item
    return body


def bombs(content: bytes) -> dict[str, bytes]:
    """Files that were built to crash or hang a reader."""
    patient = content.index(b"\x10\x00\x10\x00PN")
    rows = content.index(b"\x28\x00\x10\x00US")
    frames = struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 8) + b"20000000"
    (length,) = struct.unpack_from("<L", content, 140)
    meta_end = 144 + length
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(1024)) + deflate.flush()
    meta = content[:meta_end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = meta[:140] + struct.pack("<L", length + 2) + meta[144:]
    at = meta.index(b"\x02\x00\x10\x00UI") + 6
    meta = meta[:at] + struct.pack("<H", 22) + meta[at + 2 :]
    return {
        "nested 20000 defined": content[:patient] + nested(20000, True) + content[patient:],
        "nested 20000 undefined": content[:patient] + nested(20000, False) + content[patient:],
        "20,000,000 frames": content[:rows] + frames + content[rows:],
        "deflate bomb": meta + zeros,
        "65535 x 65535": content[: rows + 8] + b"\xff\xff" + content[rows + 10 :],
        "no pixels": content[: elements(content)[-1][0]],
        "empty": b"",
    }


# --- the child process ----------------------------------------------------------------------------


def load(folder: Path, expected: dict[str, np.ndarray]) -> str:
    """What came of a folder: the same, refused, warned or changed."""
    from BrainTumorSegLib.core.errors import BrainTumorSegError
    from BrainTumorSegLib.io.dicom.pixels import read_series_image
    from BrainTumorSegLib.io.dicom.study import read_study

    try:
        study = read_study(folder)
        series = max(study.series, key=lambda one: len(one.frames))
        image = read_series_image(series)
    except BrainTumorSegError as error:
        return f"refused: {error}"
    found = described(image)
    same = all(
        found[key].shape == expected[key].shape
        and np.allclose(found[key], expected[key], atol=1e-3 if key != "voxels" else 0)
        for key in expected
    )
    said = [*study.warnings, *series.warnings]
    if same:
        return "same"
    return f"warned: {said}" if said else f"CHANGED without a word: {series}"


def described(image) -> dict[str, np.ndarray]:
    import SimpleITK as sitk

    return {
        "voxels": sitk.GetArrayFromImage(image).astype(np.float64),
        "spacing": np.array(image.GetSpacing()),
        "origin": np.array(image.GetOrigin()),
        "direction": np.array(image.GetDirection()),
    }


def work(root: Path) -> None:
    """Load every damaged file of a plan, and write a line before and after each."""
    plan = json.loads((root / "plan.json").read_text())
    for case in plan:
        folder = root / case["study"]
        expected = dict(np.load(root / f"{case['study']}.npz"))
        whole = folder / case["file"]
        kept = whole.read_bytes()
        print(json.dumps({"begin": case["name"]}), flush=True)
        begin = time.perf_counter()
        try:
            whole.write_bytes((root / case["damaged"]).read_bytes())
            result = load(folder, expected)
        except Exception as error:
            result = f"FOREIGN {type(error).__name__}: {error}"
        finally:
            whole.write_bytes(kept)
        seconds = time.perf_counter() - begin
        print(json.dumps({"end": case["name"], "result": result, "s": seconds}), flush=True)


# --- the test -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, dict]:
    from dicom_factory import head, rotation, write_enhanced, write_series

    from BrainTumorSegLib.io.dicom.pixels import read_series_image
    from BrainTumorSegLib.io.dicom.study import read_study

    root, rng = tmp_path_factory.mktemp("fuzz"), np.random.default_rng(SEED)
    image = head(SIZE, (10, 9, 12), rotation(12, -25, 8))
    write_series(root / "classic", image, 3, "t1ce")
    write_series(root / "run-length", image, 3, "t1ce", syntax=pydicom.uid.RLELossless)
    write_enhanced(root / "enhanced" / "e.dcm", image, 3)
    plan = []

    def add(study: str, name: str, file: Path, content: bytes) -> None:
        damaged = f"damaged{len(plan)}"
        (root / damaged).write_bytes(content)
        plan.append({"name": f"{study}, {name}", "study": study, "file": file.name}
                    | {"damaged": damaged})  # fmt: skip

    for study, times in (("classic", 9), ("run-length", 3), ("enhanced", 3)):
        (series,) = read_study(root / study).series
        np.savez(root / f"{study}.npz", **described(read_series_image(series)))
        files = sorted((root / study).iterdir())
        for damage in DAMAGES:
            for number in range(times):
                file = files[int(rng.integers(len(files)))]
                if study != "classic" and damage is pixels_shortened:
                    continue
                content = damage(file.read_bytes(), rng)
                add(study, f"{damage.__name__} {number} of {file.name}", file, content)
        if study == "classic":
            for name, content in bombs(files[4].read_bytes()).items():
                add(study, name, files[4], content)
    (root / "plan.json").write_text(json.dumps(plan))
    child = subprocess.run(
        [sys.executable, __file__, str(root)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    begun = {line["begin"] for line in lines if "begin" in line}
    ended = {line["end"]: line for line in lines if "end" in line}
    assert child.returncode == 0, f"it ended with {child.returncode} at {begun - set(ended)}"
    shutil.rmtree(root)
    assert len(ended) == len(plan) >= 100
    return ended


def test_no_damaged_file_raises_what_is_not_ours(results):
    foreign = {name: one["result"] for name, one in results.items() if "FOREIGN" in one["result"]}
    assert foreign == {}


def test_no_damaged_file_takes_longer_than_seconds(results):
    assert {name: one["s"] for name, one in results.items() if one["s"] > LONGEST} == {}


def test_no_damaged_file_changes_the_scan_without_a_word(results):
    changed = {
        name: one["result"]
        for name, one in results.items()
        if "CHANGED" in one["result"] and not name.startswith("enhanced")
    }
    assert changed == {}


def test_the_damages_meet_every_way_out(results):
    ways = {one["result"].split(":")[0] for one in results.values()}
    assert {"same", "warned", "refused"} <= ways


if __name__ == "__main__":
    work(Path(sys.argv[1]))
