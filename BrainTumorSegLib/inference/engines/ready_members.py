"""Members that are ready: all of them where they are small, few where they are large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Ready = TypeVar("Ready")

#: Weights of members that stay ready together, in bytes: all of a light ensemble, one or two
#: networks of the size of SE-ResNeXt-50.
MODEL_CACHE_BYTES = 100 * 1024**2


class ModelCache(Generic[Ready]):
    """Members that are ready, those asked for last.

    Args:
        limit: bytes that they may take together; one is held whatever it takes.
    """

    def __init__(self, limit: int = MODEL_CACHE_BYTES) -> None:
        self._limit = limit
        self._ready: dict[int, Ready] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._ready)

    def get(self, member: int, make: Callable[[], tuple[Ready, int]]) -> Ready:
        """A member, made if it is not held.

        Args:
            make: gives the member and its bytes; members of one ensemble are alike. What must
                go is given back before.
        """
        if member in self._ready:
            self._ready[member] = self._ready.pop(member)  # now the last one asked for
            return self._ready[member]
        while self._ready and self._bytes * (len(self._ready) + 1) > self._limit:
            del self._ready[next(iter(self._ready))]
        made, size = make()
        self._bytes = max(self._bytes, size)
        self._ready[member] = made
        return made
