"""Parts of a cohort for schedulers of any kind, and a script for Slurm."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

#: What a job asks for, where the user says nothing: minutes for a case on one core, with
#: registration and brain extraction, and room to spare.
_MINUTES_A_CASE = 10

PART = "$SLURM_ARRAY_TASK_ID"


def slurm_script(
    command: Iterable[str], folder: Path, cases: int, parts: int, threads: int, gigabytes: int
) -> str:
    """A script for ``sbatch`` that runs each part as one task of an array of jobs.

    The same script again goes on where it was stopped: whatever ends a job, what was done stays
    done.

    Args:
        command: the program and its arguments, without ``--part``.
        folder: of all results; logs of the jobs go there.
        cases: how many there are.
        parts: how many jobs.
        threads: CPU cores a job.
        gigabytes: memory a job.
    """
    minutes = _MINUTES_A_CASE * -(-cases // parts)
    hours, minutes = divmod(minutes, 60)
    output = shlex.quote(str(folder.resolve() / "logs" / "job-%a.txt"))
    return f"""#!/bin/bash
#SBATCH --job-name=brain-tumor-seg
#SBATCH --array=1-{parts}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem={gigabytes}G
#SBATCH --time={hours:02d}:{minutes:02d}:00
#SBATCH --output={output}
# A minute before the time is up the job is told, and stops cleanly.
#SBATCH --signal=TERM@60

# Steps do not ask for the cores of their job by themselves.
exec srun --cpus-per-task={threads} {shlex.join(command)} --part "{PART}/{parts}"
"""
