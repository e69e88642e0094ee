"""Worker processes: started with spawn, one thread each, a pipe to each, deaf to Ctrl-C.

Ctrl-C reaches the whole group of processes, and the parent alone decides what it means. A worker
ends when its pipe does, so none outlives a parent that was killed.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def start(target: Callable[..., None], *args: object) -> tuple[BaseProcess, Connection]:
    """Start a process that runs target(pipe, *args); returns it and our end of the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *args), daemon=True)
    resource_tracker.ensure_running()  # its start would unblock what is blocked here
    with _environment(dict.fromkeys(THREADS, "1")), _blocked(signal.SIGINT):
        process.start()
    # while we hold the worker's end, its death would not close the pipe
    theirs.close()
    return process, ours


def end(process: BaseProcess, pipe: Connection) -> None:
    """Kill a process and forget it."""
    pipe.close()
    process.kill()
    process.join()
    process.close()


def epitaph(process: BaseProcess) -> str:
    """Say what a process died of."""
    process.join(5)
    if process.exitcode is not None and process.exitcode < 0:
        return f"the worker was killed by signal {-process.exitcode}"
    return f"the worker ended with exit status {process.exitcode}"


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes started inside."""
    before: dict[str, Any] = {key: os.environ.get(key) for key in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Hold a signal back; processes started inside never get it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
