"""The torch engine: CUDA, Apple's MPS and the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as SequenceOf
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.errors import DeviceError
from BrainTumorSegLib.models.networks import ClassProbabilities

from .ready_members import ModelCache

#: Fixed on the CPU, so that the same machine gives the same labels every time.
#: Four slices keep the working set near the cache; more gains nothing there.
CPU_BATCH = 4

#: More than this no longer speeds up any GPU we know of.
MAX_BATCH = 64

_HALF_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}

#: Share of the free GPU memory that a batch may take.
MEMORY_SHARE = 0.7


class TorchEngine:
    """Networks in evaluation mode on one torch device.

    Half precision is used by itself on CUDA only: there it moves a fraction of a percent
    of voxels and halves the time; on CPUs labels stay those of float32 unless another precision
    is requested.

    Args:
        networks: the members, or functions that load them. On the CPU large members that
            functions loaded are given back when others are asked; other devices hold all.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: ``fp32``, ``fp16`` or ``bf16``; None for ``fp16`` on CUDA, else ``fp32``.
        heads: what the networks' outputs are, a key of `network_spec.HEADS`.

    Raises:
        DeviceError: when the device is absent.
        MemoryError: when the networks do not fit on it.
    """

    name = "torch"

    def __init__(
        self,
        networks: SequenceOf[nn.Module | Callable[[], nn.Module]],
        device: str = "cpu",
        precision: str | None = None,
        heads: str = "classes",
    ) -> None:
        check_device(device)
        self.device = device
        self._type = torch.device(device).type
        self.precision = precision or ("fp16" if self._type == "cuda" else "fp32")
        self._half = _HALF_TYPES.get(self.precision)
        self.members = len(networks)
        self._probabilities = ClassProbabilities(heads)
        #: Members that stay, and how to get those that need not.
        self._networks: dict[int, nn.Module] = {}
        self._loaders: dict[int, Callable[[], nn.Module]] = {}
        self._held: ModelCache[nn.Module] = ModelCache()
        with memory_errors():
            for number, member in enumerate(networks):
                if isinstance(member, nn.Module):
                    self._networks[number] = self._placed(member)
                elif self._type != "cpu":
                    self._networks[number] = self._placed(member())
                else:
                    self._loaders[number] = member

    def predict(self, member: int, images: Tensor) -> Tensor:
        """See `Engine.predict`."""
        with memory_errors(), torch.inference_mode():
            network = self._network(member)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self._type, self._half, enabled=self._half is not None):
                logits = network(images)
            return self._probabilities(logits)

    def _network(self, member: int) -> nn.Module:
        if member in self._networks:
            return self._networks[member]
        return self._held.get(member, partial(self._load, member))

    def _load(self, member: int) -> tuple[nn.Module, int]:
        network = self._placed(self._loaders[member]())
        return network, sum(p.numel() * p.element_size() for p in network.parameters())

    def _placed(self, network: nn.Module) -> nn.Module:
        return network.eval().to(self.device, memory_format=torch.channels_last)

    def free_batch(self, shape: tuple[int, int, int]) -> int:
        """See `Engine.free_batch`; measured with one trial image on CUDA."""
        if self._type != "cuda":
            return CPU_BATCH
        device = torch.device(self.device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        self.predict(0, torch.zeros(1, *shape, device=device))
        per_image = max(1, torch.cuda.max_memory_allocated(device) - before)
        free, _ = torch.cuda.mem_get_info(device)
        return int(max(1, min(MAX_BATCH, MEMORY_SHARE * free / per_image)))


def choose_device(requested: str) -> str:
    """Turn ``auto`` into the best device present; check any other request.

    Raises:
        DeviceError: when the request cannot be met.
    """
    if requested != "auto":
        check_device(requested)
        return requested
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> None:
    """Raise a `DeviceError` with a remedy unless torch can compute there."""
    try:
        parsed = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(
            f"Unknown device {device!r}.", "Use auto, cpu, cuda, cuda:1 or mps."
        ) from error
    if parsed.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (parsed.index or 0) >= count:
            raise DeviceError(
                f"Device {device!r} is not there; torch sees {count} CUDA device(s).",
                "Use --device cpu, or install a torch build and driver for this GPU.",
            )
    elif parsed.type == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("Device 'mps' is not there.", "Use --device cpu.")
    elif parsed.type != "cpu":
        raise DeviceError(f"Device {device!r} is not supported.", "Use cpu, cuda or mps.")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn every way in which torch runs out of memory into `MemoryError`."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        if any(text in str(error) for text in ("not enough memory", "out of memory")):
            raise MemoryError(str(error)) from error
        raise
