"""Where to compute, and several processes that train one member together under torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch
from torch import nn

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.models.networks import NetworkSpec, live_parameter_names

#: The first process prepares data while the others wait, which may take long.
_TIMEOUT = timedelta(hours=24)


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; on a CPU only the number of processes changes what comes out.

    Batch norm and the Dice loss see the part of a batch that is a process's own, and each
    process augments by a seed of its own.

    Attributes:
        device: torch device.
        workers: threads that prepare batches and processes that make synthetic samples.
        cache: folder for prepared volumes, where several runs share one; else the run's own.
        rank: which of several processes this is, from 0; process 0 writes files and shows
            progress.
        world: number of processes.
    """

    device: str = "cpu"
    workers: int = 0
    cache: Path | None = None
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def wait_for_all(self) -> None:
        """Continue when every process has come here."""
        if self.world > 1:
            torch.distributed.barrier()

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """The first process runs the body alone, then all others run it together."""
        if not self.first:
            self.wait_for_all()
        yield
        if self.first:
            self.wait_for_all()


@contextmanager
def joined(machine: Machine) -> Iterator[Machine]:
    """Join the processes that torchrun started; alone without torchrun.

    Args:
        machine: as chosen; with several processes on CUDA each takes the GPU of its number.

    Yields:
        The machine as this process has it.

    Raises:
        TrainingError: when there are more processes on this machine than GPUs.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield machine
        return
    kind = torch.device(machine.device).type
    if kind == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise TrainingError(
                f"There are {torch.cuda.device_count()} GPUs for process {local + 1}.",
                "Give torchrun --nproc-per-node the number of GPUs.",
            )
        machine = replace(machine, device=f"cuda:{local}")
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_TIMEOUT)
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    try:
        yield replace(machine, rank=rank, world=world)
    finally:
        torch.distributed.destroy_process_group()


def data_parallel(network: nn.Module, spec: NetworkSpec, machine: Machine) -> nn.Module:
    """The network with gradients averaged over the processes; itself when alone.

    Parameters that the output does not depend on are taken out of training: torch would
    wait for their gradients.
    """
    if machine.world == 1:
        return network
    live = live_parameter_names(network, spec)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in live)
    device = torch.device(machine.device)
    devices = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=devices)
