"""What the processor computes by itself, without emulation."""

from __future__ import annotations

import torch


def native_bf16() -> bool | None:
    """Whether the processor multiplies bf16 numbers; None where torch is too old to tell."""
    ask = getattr(torch.cpu, "get_capabilities", dict)
    abilities: dict[str, bool] = ask()
    if not abilities:
        return None
    return any(abilities.get(key) for key in ("avx512_bf16", "amx_bf16", "bf16"))
