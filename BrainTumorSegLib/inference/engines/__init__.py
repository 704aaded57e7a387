"""Running networks fast, behind one small protocol."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Engine(Protocol):
    """Runs the members of an ensemble on one device.

    An engine may hold only the member that it was asked last, where members are large: ask
    one after the other rather than in turns.

    Attributes:
        name: of the engine, for the record.
        device: of the engine, for the record and for placing inputs.
        precision: ``fp32``, ``fp16`` or ``bf16``, for the record.
        members: how many networks it holds.
    """

    name: str
    device: str
    precision: str
    members: int

    def predict(self, member: int, images: Tensor) -> Tensor:
        """Class probabilities of one member.

        Args:
            member: its number.
            images: float32 ``[N, C, H, W]`` on the engine's device.

        Returns:
            float32 ``[N, classes, H, W]`` on the engine's device.

        Raises:
            MemoryError: when the device has no room for this batch.
        """
        ...

    def free_batch(self, shape: tuple[int, int, int]) -> int:
        """How many images ``(C, H, W)`` to give at once."""
        ...
