"""The SHA-256 of a file as it is; it needs nothing but the standard library."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of one file, as hexadecimal digits.

    Of an image whose voxels lie in a file apart, `volumes.file_sha256` takes both.

    Raises:
        OSError: when the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
