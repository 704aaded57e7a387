"""The OpenVINO engine: networks on the CPU, several times faster than torch runs them.

Measured on one core with AVX-512, float32: 3.5 times as fast as torch for a light LinkNet
(RegNetY-400MF), 2.2 times for SE-ResNeXt-50; the same labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as SequenceOf
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.compat import import_openvino
from BrainTumorSegLib.core.errors import DeviceError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.requirements import installed_version
from BrainTumorSegLib.core.resources import CACHE_VARIABLE
from BrainTumorSegLib.models.networks import NetworkSpec

from .conversion import check_agreement, convert_network, read_model, write_model
from .model_cache import entry_key, find_entry, remove_entry, store_entry
from .ready_members import ModelCache

if TYPE_CHECKING:
    import openvino

#: How many images are computed side by side at most, each by its share of the threads. On
#: two threads, two images side by side are 1.4 times as fast as one image by both; every
#: further one takes more memory.
MAX_STREAMS = 4

#: Images at once a stream, so that all streams are busy until shortly before the end.
IMAGES_A_STREAM = 4

#: One model serves every size of image.
_SHAPE_POLICY = "any batch, height and width"

#: Packages whose releases decide what network a specification stands for.
_DECISIVE = ("openvino", "torch", "segmentation-models-pytorch", "timm")

_HINTS = {"fp32": "f32", "bf16": "bf16"}

_OUT_OF_MEMORY = ("bad_alloc", "bad alloc", "out of memory", "not enough memory")


@dataclass(frozen=True)
class MemberSource:
    """Where a member comes from.

    Attributes:
        sha256: of its weights file, hexadecimal; it stands for the weights.
        spec: what it is.
        load: makes the torch network, which is only needed to convert it.
    """

    sha256: str
    spec: NetworkSpec
    load: Callable[[], nn.Module]


class OpenVinoEngine:
    """Networks on the CPU through OpenVINO.

    A member is converted when it is seen for the first time, checked against torch, and
    kept in the cache. Without a cache that can be written it is converted in memory each time.

    Large members are not ready together: the weights, rearranged for the processor, and the
    working memory of one are given back when another one is asked.

    Args:
        sources: the members.
        cache: folder of the cache; None for none.
        precision: ``fp32``, or ``bf16``: about twice as fast, moves a few voxels in a thousand.
        threads: CPU threads; by default as many as torch uses.
        progress: receives each conversion; a run can be cancelled between two.

    Raises:
        DependencyError: without the package.
        DeviceError: when a network cannot be converted, or the processor cannot do ``bf16``.
        MemoryError: when the networks do not fit.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self,
        sources: SequenceOf[MemberSource],
        cache: Path | None = None,
        precision: str = "fp32",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        openvino = import_openvino()
        threads = threads or torch.get_num_threads()
        self.members = len(sources)
        self.precision = precision
        self.streams = stream_count(threads)
        self._core = openvino.Core()
        if precision not in _HINTS:
            raise DeviceError(
                f"The OpenVINO engine does not compute in {precision}.", "Use fp32 or bf16."
            )
        if precision == "bf16" and "BF16" not in self._capabilities():
            raise DeviceError("This processor cannot compute in bf16.", "Use --precision fp32.")
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": self.streams,
            # Two runs at once would else be tied to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._sources, self._cache = tuple(sources), cache
        self._refusal: str | None = None
        with _memory_errors():
            self._kept = self._convert_what_is_new(progress or Progress())
            self._bytes = weight_bytes(self._model(0)) if self.members else 0
        #: Requests by size of image of the members that are ready.
        self._held: ModelCache[dict[tuple[int, int], list[Any]]] = ModelCache()

    def predict(self, member: int, images: Tensor) -> Tensor:
        """See `Engine.predict`.

        Every image is computed by itself: the result must not depend on the rest of the batch.
        """
        openvino = import_openvino()
        given = images.contiguous().numpy()
        count, channels, height, width = given.shape
        with _memory_errors():
            requests = self._requests_for(member, channels, height, width)[:count]
            classes = requests[0].model_outputs[0].shape[1] if count else 0
            found = np.empty((count, classes, height, width), np.float32)
            started = 0
            try:
                for number in range(count):
                    request = requests[number % len(requests)]
                    if number >= len(requests):
                        request.wait()
                    # OpenVINO reads and writes our own memory: nothing is copied.
                    part = slice(number, number + 1)
                    request.set_input_tensor(openvino.Tensor(given[part], shared_memory=True))
                    request.set_output_tensor(openvino.Tensor(found[part], shared_memory=True))
                    # Counted before: a signal may come as soon as it is started.
                    started = max(started, number % len(requests) + 1)
                    request.start_async()
            finally:
                wait_for_all(requests[:started])
        return torch.from_numpy(found)

    def free_batch(self, shape: tuple[int, int, int]) -> int:
        """See `Engine.free_batch`; fixed, since it decides neither labels nor memory."""
        return self.streams * IMAGES_A_STREAM

    def prepare(self, shape: tuple[int, int, int]) -> None:
        """Make the first member ready for images ``(C, H, W)``; `predict` would do so when asked.

        The others have the same layers: what runs one of them runs all.

        Raises:
            DeviceError: when a network cannot run.
            MemoryError: when there is no room.
        """
        with _memory_errors():
            self._requests_for(0, *shape)

    def _requests_for(
        self, member: int, channels: int, height: int, width: int
    ) -> list[openvino.InferRequest]:
        ready = self._held.get(member, lambda: ({}, self._bytes))
        key = (height, width)
        if key not in ready:
            model = self._model(member)
            try:
                # Fixed sizes run up to a quarter faster than open ones.
                model.reshape([1, channels, height, width])
                compiled = self._core.compile_model(model, "CPU", self._settings)
                made = [compiled.create_infer_request() for _ in range(self.streams)]
            except RuntimeError as error:
                if _is_out_of_memory(error):
                    raise
                raise DeviceError(
                    f"OpenVINO cannot run this network: {str(error).strip().splitlines()[0]}",
                    "Use --engine torch.",
                ) from error
            ready[key] = made
        return ready[key]

    def _capabilities(self) -> list[str]:
        return self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    def _convert_what_is_new(self, progress: Progress) -> dict[int, openvino.Model]:
        """Convert members that the cache lacks.

        Returns:
            Those that it would not take, by number.
        """
        kept = {}
        for number, source in enumerate(self._sources):
            if self._cache is not None and self._from_cache(cache_key(source)) is not None:
                continue
            progress.message(f"Network {number + 1} of {self.members} is converted for OpenVINO.")
            model, stored = self._convert(source)
            if not stored:
                kept[number] = model
        if kept and self._refusal is not None:
            progress.warn(
                f"Converted networks cannot be kept in {self._cache} ({self._refusal}), so every "
                f"run converts them again. Name another folder with {CACHE_VARIABLE}."
            )
        return kept

    def _model(self, member: int) -> openvino.Model:
        """A model of one's own; its weights stay on disk where the cache has them."""
        if member in self._kept:
            return self._kept[member].clone()
        source = self._sources[member]
        found = self._from_cache(cache_key(source))
        if found is None:
            # Another program has removed it in the meantime.
            found, _ = self._convert(source)
        return found

    def _from_cache(self, key: str) -> openvino.Model | None:
        entry = self._cache and find_entry(self._cache, key)
        if self._cache is None or entry is None:
            return None
        try:
            return read_model(self._core, entry)
        except OSError:
            remove_entry(self._cache, key)
            return None

    def _convert(self, source: MemberSource) -> tuple[openvino.Model, bool]:
        """Convert a member; whether the cache has it now."""
        network = source.load()
        model = convert_network(network, source.spec)
        if self._cache is not None:

            def make(folder: Path) -> None:
                write_model(model, folder)
                # What was written is what is checked: a full disk may not say so.
                check_agreement(self._core, read_model(self._core, folder), network, source.spec)

            try:
                entry = store_entry(self._cache, cache_key(source), make)
                return read_model(self._core, entry), True
            except OSError as error:
                self._refusal = error.strerror or str(error)
        check_agreement(self._core, model, network, source.spec)
        return model, False


def cache_key(source: MemberSource) -> str:
    """Name of a member's entry in the cache: weights, network, and who made it what it is."""
    return entry_key(
        {
            "weights": source.sha256,
            "network": source.spec.as_dict(),
            "shapes": _SHAPE_POLICY,
            "versions": {name: installed_version(name) for name in _DECISIVE},
        }
    )


def weight_bytes(model: openvino.Model) -> int:
    """How much the constants of a model take."""
    constants = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    return sum(
        op.get_output_element_type(0).size * math.prod(op.get_output_shape(0)) for op in constants
    )


def stream_count(threads: int) -> int:
    """How many images to compute side by side: as many as possible with no thread idle."""
    return max(range(1, MAX_STREAMS + 1), key=lambda n: (n * (threads // n), n))


def wait_for_all(requests: SequenceOf[Any]) -> None:
    """Wait until no request reads or writes our memory any more, whatever interrupts.

    Python raises what a signal asks for (`KeyboardInterrupt`) between two waits as well as after
    the last. Were the others left, they would write into memory that is free by then.

    Args:
        requests: of OpenVINO; those that were never started are no trouble.

    Raises:
        BaseException: what came first of an inference that failed and what interrupted.
    """
    left = list(requests)
    raised: BaseException | None = None
    while left:
        try:
            left[-1].wait()
        except Exception as error:
            # It failed, and so is over.
            raised = raised or error
        except BaseException as error:
            raised = raised or error
            continue
        left.pop()
    if raised is not None:
        raise raised


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Turn every way in which OpenVINO runs out of memory into `MemoryError`."""
    try:
        yield
    except RuntimeError as error:
        if _is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise


def _is_out_of_memory(error: RuntimeError) -> bool:
    return any(text in str(error).lower() for text in _OUT_OF_MEMORY)
