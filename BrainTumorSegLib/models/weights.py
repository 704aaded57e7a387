"""Weights of one network in one safetensors file: fp32, fp16, int8 or int6.

An eight-bit tensor ``name`` has its scales beside it under ``name::scale``; they
broadcast to its shape, so that value = integer x scale. One of six bits is stored as
bytes (`quantize.pack_six_bits`), its shape under ``name::shape``. The header says format
and precision. Pickle is never read: it can run whatever code its author likes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.io.atomic import atomic_path

from .networks import NetworkSpec, build_skeleton, network_entries
from .quantization import (
    dequantize,
    pack_six_bits,
    quantize,
    unpack_six_bits,
    worth_quantizing,
    worth_six_bits,
)

Precision = Literal["fp32", "fp16", "int8", "int6"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

#: Version of the layout above; a reader refuses what is newer. Version 2 came with int6;
#: all other files are still of version 1, which older readers take.
FORMAT_VERSION = 2

SCALE_SUFFIX = "::scale"
SHAPE_SUFFIX = "::shape"

#: The one key of the header's metadata. Several would be written in random order,
#: and equal weights would get different hashes.
_METADATA_KEY = "brain_tumor_seg_weights"

#: No network of ours comes near this; a larger file is something else.
MAX_FILE_BYTES = 2 * 1024**3

_PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")
#: Pickle protocols 2 to 5; the zip archive that torch.save writes; its old tar form.
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"././@")

#: Half precision keeps every value of a small tensor to this relative error.
_HALF_TOLERANCE = 2.0**-10


@dataclass(frozen=True)
class SavedWeights:
    """What `save_weights` wrote.

    Attributes:
        path: the file.
        sha256: of its bytes, hexadecimal.
        bytes: its length.
        precision: as asked for.
        relative_error: root of the squared error over the squared weights, all
            entries together; 0 for fp32.
    """

    path: Path
    sha256: str
    bytes: int
    precision: Precision
    relative_error: float


def save_weights(
    state: Mapping[str, Tensor],
    path: Path,
    precision: Precision = "int8",
    spec: NetworkSpec | None = None,
    overwrite: bool = False,
) -> SavedWeights:
    """Write a network's state dict as safetensors. Equal weights give equal bytes.

    With ``int8``, kernels of at least 10,000 values get eight bits with one scale
    an output channel; with ``int6`` those of at least 65,536 values get six, three
    quarters of the room. What is smaller, and everything with ``fp16``, gets half
    precision; biases, norms and running statistics only where it keeps each of
    their values to a thousandth (float32 otherwise).

    Round trip errors, relative to the root mean square of the weights: 0 for
    fp32, about 2e-4 for fp16, about 7e-3 for an eight-bit and 3e-2 for a six-bit
    kernel of normally distributed weights. Logits of trained networks move by about a thousandth of
    their spread with int8.

    Args:
        state: state dict, for example an average of weights; it is not changed.
        path: a ``.safetensors`` file in an existing folder; appears whole or not at all.
        precision: ``fp32``, ``fp16``, ``int8`` or ``int6``.
        spec: the network it belongs to. Then dead encoder stages and counters are
            left out, and missing or strange entries are refused.
        overwrite: whether an existing file may be replaced.

    Raises:
        PackError: when a value is NaN or infinite, or the entries do not fit ``spec``.
        OutputError: when the file cannot be written.
    """
    path = Path(path)
    if precision not in PRECISIONS:
        raise PackError(
            f"Unknown precision {precision!r}.", f"Choose one of {', '.join(PRECISIONS)}."
        )
    if path.suffix != ".safetensors":
        raise PackError(f"{path} is no name for weights.", "Choose a name in .safetensors.")
    floats = {
        name: value.detach().to("cpu", torch.float32)
        for name, value in state.items()
        if value.is_floating_point()
    }
    transposed: frozenset[str] = frozenset()
    if spec is not None:
        floats = _live_entries(floats, spec, f"The state dict for {path.name}")
        transposed = network_entries(spec).transposed
    _check_finite(floats, f"The state dict for {path.name}")
    stored: dict[str, Tensor] = {}
    error = power = 0.0
    for name, value in floats.items():
        encoded = _encode(name, value, precision, axis=int(name in transposed))
        stored.update(encoded)
        error += float((_decode(encoded, path.name)[name] - value).square().sum(dtype=torch.double))
        power += float(value.square().sum(dtype=torch.double))
    about = {"format": 2 if precision == "int6" else 1, "precision": precision}
    content = safetensors.torch.save(stored, {_METADATA_KEY: json.dumps(about, sort_keys=True)})
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(content)
    return SavedWeights(
        path,
        hashlib.sha256(content).hexdigest(),
        len(content),
        precision,
        (error / power) ** 0.5 if power > 0 else 0.0,
    )


def load_weights(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read weights as float32, whatever precision they are stored in.

    The file is read once into private memory, where the hash is computed on the
    very bytes that become tensors: nobody can change them in between or later.

    Args:
        path: a file written by `save_weights`.
        sha256: what the file's bytes must hash to, hexadecimal.

    Raises:
        PackError: naming the file and the remedy: pickle, truncated, not
            safetensors, another hash, NaN or infinite values, newer format.
    """
    path = Path(path)
    content = _read(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise PackError(
            f"{path} is not the file its pack names: its SHA-256 differs.",
            "It was changed or damaged after the pack was made; import the pack again.",
        )
    try:
        stored = safetensors.torch.load(content)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        # Asked only now: a sound header's length may begin with the same bytes.
        if content.startswith(_PICKLE_STARTS):
            raise _pickle(path) from error
        raise PackError(
            f"{path} is truncated, damaged or no safetensors file ({error}).",
            "Get the file again, or import the pack again.",
        ) from error
    _check_format(content, path)
    del content  # the tensors are copies; both at once would double what a large network takes
    state = _decode(stored, str(path))
    _check_finite(state, str(path))
    return state


def load_network(path: Path, spec: NetworkSpec, sha256: str | None = None) -> nn.Module:
    """Build a network and give it the weights of a file.

    Every live entry must be there in the right shape and nothing unknown; dead
    encoder stages may be absent and are left out of the network either way.

    Returns:
        The network on the CPU in evaluation mode, gradients off.

    Raises:
        PackError: as `load_weights`, or when the file does not fit ``spec``.
    """
    state = _live_entries(load_weights(path, sha256), spec, str(path))
    network = build_skeleton(spec)
    network.load_state_dict(state, strict=False, assign=True)
    for name, buffer in list(network.named_buffers()):
        # Counters of batch norm, which only training reads.
        if buffer.is_meta and not buffer.is_floating_point():
            owner, _, leaf = name.rpartition(".")
            network.get_submodule(owner).register_buffer(
                leaf, torch.zeros_like(buffer, device="cpu")
            )
    hollow = [
        name for name, t in [*network.named_parameters(), *network.named_buffers()] if t.is_meta
    ]
    if hollow:
        raise PackError(
            f"Encoder {spec.encoder!r} holds {hollow[0]!r}, which weights files do not carry.",
            "Choose another encoder.",
        )
    return network.eval().requires_grad_(False)


def _encode(name: str, value: Tensor, precision: Precision, axis: int) -> dict[str, Tensor]:
    if precision in ("int8", "int6") and worth_quantizing(value, axis):
        bits = 6 if precision == "int6" and worth_six_bits(value) else 8
        integers, scales = quantize(value, axis, bits)
        if bits == 8:
            return {name: integers, name + SCALE_SUFFIX: scales}
        return {
            name: pack_six_bits(integers),
            name + SCALE_SUFFIX: scales,
            name + SHAPE_SUFFIX: torch.tensor(value.shape),
        }
    if precision != "fp32" and _half_is_safe(value):
        return {name: value.half().contiguous()}
    return {name: value.contiguous()}


def _half_is_safe(value: Tensor) -> bool:
    half = value.half().float()
    if not torch.isfinite(half).all():
        return False
    if value.ndim >= 2:
        # In a kernel only errors beside its largest values matter.
        return bool((half - value).abs().max() <= _HALF_TOLERANCE * value.abs().max())
    return bool(((half - value).abs() <= _HALF_TOLERANCE * value.abs()).all())


def _decode(stored: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    state = {}
    for name, value in stored.items():
        if name.endswith((SCALE_SUFFIX, SHAPE_SUFFIX)):
            if name.rpartition("::")[0] not in stored:
                raise _damaged(source, f"{name!r} belongs to no entry")
        elif value.dtype == torch.int8:
            state[name] = _scaled(name, value, stored, source)
        elif value.dtype == torch.uint8:
            state[name] = _scaled(name, _unpacked(name, value, stored, source), stored, source)
        elif value.is_floating_point():
            state[name] = value.float()
        else:
            raise _damaged(source, f"{name!r} has type {value.dtype}")
    return state


def _unpacked(name: str, packed: Tensor, stored: Mapping[str, Tensor], source: str) -> Tensor:
    shape = stored.get(name + SHAPE_SUFFIX)
    if shape is None or shape.dtype != torch.int64 or shape.ndim != 1 or (shape < 1).any():
        raise _damaged(source, f"the shape of {name!r} is missing")
    try:
        return unpack_six_bits(packed, shape.tolist())
    except ValueError as error:
        raise _damaged(source, f"{name!r}: {error}") from error


def _scaled(name: str, integers: Tensor, stored: Mapping[str, Tensor], source: str) -> Tensor:
    scales = stored.get(name + SCALE_SUFFIX)
    if scales is None or not scales.is_floating_point():
        raise _damaged(source, f"the scales of {name!r} are missing")
    fits = scales.ndim == integers.ndim and all(
        s in (1, n) for s, n in zip(scales.shape, integers.shape, strict=True)
    )
    if not fits:
        raise _damaged(source, f"the scales of {name!r} have the wrong shape")
    return dequantize(integers, scales.float())


def _live_entries(state: Mapping[str, Tensor], spec: NetworkSpec, source: str) -> dict[str, Tensor]:
    """The entries that the network needs; refuse what is missing, unknown or misshapen."""
    entries = network_entries(spec)
    network = f"{spec.architecture} with encoder {spec.encoder} at depth {spec.encoder_depth}"
    missing = sorted(entries.live.keys() - state.keys())
    if missing:
        raise PackError(
            f"{source} lacks {len(missing)} entries of {network}, among them {missing[0]!r}.",
            "Check that the weights and the network of the manifest belong together.",
        )
    unknown = sorted(state.keys() - entries.live.keys() - entries.dead)
    if unknown:
        raise PackError(
            f"{source} has {len(unknown)} entries unknown to {network}, among them {unknown[0]!r}.",
            "Check that the weights and the network of the manifest belong together.",
        )
    for name, shape in entries.live.items():
        if state[name].shape != shape:
            raise PackError(
                f"{source}: {name!r} has shape {tuple(state[name].shape)}, "
                f"but {network} needs {tuple(shape)}.",
                "Check channels and classes in the manifest.",
            )
    return {name: state[name] for name in entries.live}


def _read(path: Path) -> bytes:
    if path.suffix.lower() in _PICKLE_SUFFIXES:
        raise _pickle(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise PackError(
                f"{path} has {size / 1024**3:.1f} GB and cannot be weights of ours.",
                "Check the file.",
            )
        content = path.read_bytes()
    except OSError as error:
        raise PackError(
            f"Cannot read the weights {path}: {error.strerror or error}.",
            "Check that the file is there and readable, or import the pack again.",
        ) from error
    return content


def _check_format(content: bytes, path: Path) -> None:
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    try:
        about = json.loads(metadata[_METADATA_KEY])
        version, precision = int(about["format"]), about["precision"]
    except (KeyError, TypeError, ValueError) as error:
        raise PackError(
            f"{path} was not written by this program: its header names no format and precision.",
            "Give weights out of a model pack.",
        ) from error
    if version > FORMAT_VERSION:
        raise PackError(
            f"{path} is in weights format {version}, newer than this program knows.",
            "Update the extension.",
        )
    if precision not in PRECISIONS:
        raise PackError(f"{path} has unknown precision {precision!r}.", "Update the extension.")


def _check_finite(state: Mapping[str, Tensor], source: str) -> None:
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise PackError(
                f"{source} contains NaN or infinite values in {name!r}.",
                "The training went wrong or the file is damaged; use another checkpoint or pack.",
            )


def _pickle(path: Path) -> PackError:
    return PackError(
        f"{path} is a pickle (a PyTorch checkpoint), which could run any code when opened.",
        "Use safetensors; a training run is turned into a pack by `brain-tumor-seg models export`.",
    )


def _damaged(source: str, why: str) -> PackError:
    return PackError(f"{source} is damaged: {why}.", "Import the pack again.")
