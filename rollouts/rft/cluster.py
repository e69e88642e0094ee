"""Reaching Ray: a cluster that runs, or one on this machine; what actors take of it, their ends."""

import logging
import math
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from refergym.rollouts.errors import ConfigError, PoolError
from refergym.rollouts.rft.settings import Rollout

log = logging.getLogger(__name__)
TRIES = 3
"""to start Ray on this machine; it gives up by itself where other processes leave it no time"""
ANSWER_S = 10.0
"""s that a cluster's address has to take a connection"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
EXIT = re.compile(r"(?:Worker exit detail|The actor died because|cause):?\s*([^.]+)")


def connect(settings: Rollout, more_cpus: int = 0) -> bool:
    """Reach Ray; returns whether that is to be undone by `ray.shutdown`.

    Args:
        settings: where it is, and what will run there.
        more_cpus: that others need.

    Raises:
        ConfigError: if Ray is missing, its cluster is not there, or it has too little.
        PoolError: if Ray does not start on this machine.
    """
    try:
        import ray
    except ImportError as e:
        raise ConfigError(
            "rollout.engine: ray needs the extra ray: pip install 'refergym[ray]' (EXTRAS=ray)"
        ) from e
    if ray.is_initialized():
        _check_room(settings)
        return False
    # Ray would report usage over the network, and look for a driver of its own
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # and its workers would stand back behind all else on this machine, the learner included
    os.environ.setdefault("RAY_worker_niceness", "0")
    with _own_signals():
        if settings.address is None:
            _start_here(settings, more_cpus)
            return True
        _check_there(settings.address)
        try:
            ray.init(address=settings.address, **_QUIET)
        except (ConnectionError, ValueError, RuntimeError) as e:
            raise ConfigError(f"rollout.address: {settings.address}: {said(e)}") from e
    try:
        _check_room(settings)
    except ConfigError:
        ray.shutdown()
        raise
    return True


def _check_there(address: str) -> None:
    """Ask whether anybody listens at "host:port"; Ray would try for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as e:
        raise ConfigError(f"rollout.address: nobody listens at {address} ({e})") from e


def options(settings: Rollout, cpus: float, gpus: float) -> dict[str, Any]:
    """Return options of an actor: what it takes, where it goes, one thread for every library."""
    return {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "scheduling_strategy": "SPREAD" if settings.placement == "spread" else "DEFAULT",
        "runtime_env": {"env_vars": {**dict.fromkeys(THREADS, "1"), "PYTHONPATH": _paths()}},
        "max_restarts": 0,
    }


def _paths() -> str:
    """Return where modules are found here beside Python's own, so that a user's are found there."""
    own = (sys.prefix, sys.base_prefix)
    return os.pathsep.join(p or os.getcwd() for p in sys.path if not p.startswith(own))


def kill(actor: Any) -> None:
    """End an actor, whatever it does."""
    import ray

    ray.kill(actor, no_restart=True)


def said(error: BaseException | None) -> str:
    """Say in one line what went wrong; of a traceback, its end."""
    text = str(error).strip()
    if "Traceback" in text or "creation task" in text:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"{lines[-1]:.300}"
    found = EXIT.search(text)
    if found:
        text = found[1]
    return f"{type(error).__name__}: {' '.join(text.split()):.200}"


def kind_of(error: BaseException) -> str:
    """Name what an actor died of: "oom" where Ray ended it for want of memory, else "crash"."""
    return "oom" if "running low on memory" in str(error) else "crash"


_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def _start_here(settings: Rollout, more_cpus: int) -> None:
    import ray

    needed = settings.workers * settings.cpus + settings.server_cpus + more_cpus
    # what is started here may have more actors than cores: each is one thread that often waits
    cpus = max(os.cpu_count() or 1, math.ceil(needed))
    for tries in range(1, TRIES + 1):
        try:
            # local: Ray Train leaves the address of a cluster that is gone in the environment
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **_QUIET)
            break
        except Exception as e:  # Ray has no class of its own for this
            ray.shutdown()
            if tries == TRIES:
                raise PoolError(f"Ray does not start on this machine: {said(e)}") from e
            log.warning("Ray did not start, it is tried again: %s", said(e))
    try:
        _check_room(settings)
    except ConfigError:
        ray.shutdown()
        raise


def _check_room(settings: Rollout) -> None:
    """Refuse what would wait for room without end.

    Raises:
        ConfigError: naming what there is too little of.
    """
    import ray

    total = ray.cluster_resources()
    cpus = settings.workers * settings.cpus + settings.server_cpus
    for name, wanted, keys in (
        ("CPU", cpus, "workers, cpus and server_cpus"),
        ("GPU", settings.server_gpus, "server_gpus"),
    ):
        if wanted > total.get(name, 0.0):
            raise ConfigError(
                f"rollout.{keys}: want {wanted:g} {name}, but Ray's cluster has"
                f" {total.get(name, 0.0):g}"
            )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our answer to SIGTERM, in whose place Ray puts its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
