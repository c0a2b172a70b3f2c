"""What a run computes on: the cores of a CPU, the processes of a job, programs compiled before."""

import contextlib
import os
from collections.abc import Sequence

import jax
import threadpoolctl

from shortcut1d import errors
from shortcut1d.errors import InvalidInput


def use_all_cores() -> None:
    """Give each core of a CPU a device of its own, so that cells train side by side.

    No effect on accelerators, nor once JAX has been used.
    """
    # Small decompositions: the threads of a BLAS would wait on cores that are at work for XLA.
    threadpoolctl.threadpool_limits(1, user_api="blas")
    os.environ["XLA_FLAGS"] = without_deadlock(os.environ.get("XLA_FLAGS", ""), jax.__version__)
    # Where the process is confined to some cores, the others are of no use to it.
    confined = getattr(os, "sched_getaffinity", None)
    cores = len(confined(0)) if confined else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", cores)


def without_deadlock(flags: str, version: str) -> str:
    """`XLA_FLAGS` under which a version of JAX does not wait for ever; to be set before it is used.

    An FFT of 0.11 on a CPU gives work to the threads of the pool that it runs on, and waits for it:
    where as many run as there are threads, all wait (PyAutoLabs/PyAutoFit issue 1530 has it taken
    apart). Without such a pool a device does its own work; 0.10.2 and 0.12.0 need no such thing.
    """
    option = "--xla_cpu_multi_thread_eigen"
    if not version.startswith("0.11.") or option in flags:
        return flags
    return f"{flags} {option}=false".strip()


def join_processes(address: Sequence[str] | None) -> None:
    """Become one process of a job.

    Args:
        address: None for a job of one process. Empty: JAX finds the others by itself under SLURM,
            Open MPI, Kubernetes and on TPU pods. Else the coordinator (host:port), this process's
            number, how many there are.

    Raises:
        InvalidInput: no such job was found.
    """
    if address is None:
        return
    if len(address) not in (0, 3):
        raise errors.refuse(
            "distributed", " ".join(address), "nothing, or HOST:PORT NUMBER COUNT of this process"
        )
    try:
        if address:
            jax.distributed.initialize(address[0], int(address[2]), int(address[1]))
        else:
            jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"distributed: no job of several processes here ({reason})") from error
