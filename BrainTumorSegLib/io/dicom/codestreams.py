"""What a compressed image says of its own size, to be held against the DICOM header.

Decoders fill what a stream does not hold with zeros, or hand out an image of another size.
"""

from __future__ import annotations

import struct
from itertools import pairwise

#: Markers of JPEG and JPEG-LS that begin a frame header (ITU-T T.81 B.2.2, T.87 C.2.2).
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})

#: Markers without a length.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def stream_size(stream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples a pixel of a JPEG, JPEG-LS or JPEG 2000 image.

    None when it is none of these, or ends before it says so.
    """
    try:
        if stream[:2] == b"\xff\xd8":
            return _jpeg_size(stream)
        if stream[:4] == b"\xff\x4f\xff\x51":  # ITU-T T.800 A.5.1
            right, bottom, left, top = struct.unpack(">4L", stream[8:24])
            (samples,) = struct.unpack(">H", stream[40:42])
            return bottom - top, right - left, samples
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(stream: bytes) -> tuple[int, int, int]:
    position = 2
    while True:
        marker = stream[position + 1]
        if marker in _FRAME_HEADERS:
            rows, columns, samples = struct.unpack(">HHB", stream[position + 5 : position + 10])
            return rows, columns, samples
        if marker in _BARE:
            position += 2
        else:
            (length,) = struct.unpack(">H", stream[position + 2 : position + 4])
            position += 2 + length


def run_length_size(stream: bytes) -> int:
    """Bytes that a run-length encoded image unpacks to (DICOM PS3.5, annex G)."""
    segments = struct.unpack("<L", stream[:4])[0]
    starts = [*struct.unpack(f"<{segments}L", stream[4 : 4 + 4 * segments]), len(stream)]
    found = 0
    for start, end in pairwise(starts):
        position = start
        while position < end:
            code = stream[position]
            if code < 128:
                found += max(0, min(code + 1, end - position - 1))
                position += code + 2
            else:
                # 128 does nothing.
                found += 257 - code if code > 128 and position + 1 < end else 0
                position += 2 if code > 128 else 1
    return found
