"""What a run computes on: the cores of a CPU, the processes of a job, programs compiled before."""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import jax
import threadpoolctl

from shortcut1d import errors
from shortcut1d.errors import InvalidInput

PATIENCE = 10  # seconds without a word from another process until it counts as dead
PROGRAMS = 2**30  # bytes of compiled programs to keep; the least used go first


def use_all_cores() -> None:
    """Give each core of a CPU a device of its own, so that cells train side by side.

    No effect on accelerators, nor once JAX has been used.
    """
    # A BLAS's threads would wait for cores that XLA keeps busy; its decompositions are small here.
    threadpoolctl.threadpool_limits(1, user_api="blas")
    os.environ["XLA_FLAGS"] = without_deadlock(os.environ.get("XLA_FLAGS", ""), jax.__version__)
    # A process may be confined to some of the cores.
    confined = getattr(os, "sched_getaffinity", None)
    cores = len(confined(0)) if confined else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", cores)


def without_deadlock(flags: str, version: str) -> str:
    """`XLA_FLAGS` under which a version of JAX does not wait for ever; set before JAX is used.

    In JAX 0.11, an FFT on a CPU gives work to the thread pool that it runs on, and waits for it. If
    as many FFTs run as there are threads, all wait (analysed in PyAutoLabs/PyAutoFit issue 1530).
    Without that pool a device does its own work. 0.10.2 and 0.12.0 do not need this.
    """
    option = "--xla_cpu_multi_thread_eigen"
    if not version.startswith("0.11.") or option in flags:
        return flags
    return f"{flags} {option}=false".strip()


def keep_programs() -> None:
    """Keep compiled programs on disk, so that a second run of a study compiles nothing.

    They are in the user's cache, in one folder for each kind of CPU: a program may use instructions
    that other CPUs lack. `JAX_COMPILATION_CACHE_DIR` names another folder.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "shortcut1d" / f"programs-{_kind_of_cpu()}"
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_compilation_cache_max_size", PROGRAMS)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _kind_of_cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        said = [line for line in lines if line.startswith(("flags", "Features"))][:1]
    except OSError:
        said = [platform.processor()]
    return hashlib.sha256(f"{platform.machine()}{said}".encode()).hexdigest()[:12]


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
    if _cpus_only():
        # Else JAX ends this process, without our message, when another one dies. On CPUs it is
        # enough that a collective fails by itself.
        jax.config.update("jax_enable_recoverability", True)
    try:
        if address:
            jax.distributed.initialize(
                address[0],
                int(address[2]),
                int(address[1]),
                heartbeat_timeout_seconds=PATIENCE,
            )
        else:
            jax.distributed.initialize(heartbeat_timeout_seconds=PATIENCE)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"distributed: no job of several processes here ({reason})") from error


def _cpus_only() -> bool:
    """Whether JAX can have no accelerator here; asking JAX itself would start its back end."""
    plugins = importlib.metadata.entry_points(group="jax_plugins")
    return os.environ.get("JAX_PLATFORMS") == "cpu" or not (
        plugins or any(map(importlib.util.find_spec, ("jax_plugins", "libtpu")))
    )
