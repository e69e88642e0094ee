"""Processes that answer jobs: JSON lines in, JSON lines out, restarted when they die or swell.

Blender keeps memory and now and then crashes or hangs, so a process is given a limited number of
jobs, and a job that twice ends its process is reported by name while the others go on.
"""

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refergym.assets.errors import BuildError

Job = Mapping[str, Any]
"""has "name"; the rest is the script's"""
Answer = dict[str, Any]
"""has "name" and "error" (None or text)"""


def answers(
    command: Sequence[str],
    jobs: Sequence[Job],
    *,
    processes: int,
    timeout: float,
    log: Path,
    jobs_per_process: int = 20,
) -> Iterator[Answer]:
    """Yield an answer for each job, in the order in which they are done.

    Args:
        command: starts a process that reads jobs from standard input and writes answers.
        jobs: what to do; names differ.
        processes: how many run at once.
        timeout: seconds that one job may take; then its process is killed.
        log: file to which standard error is appended.
        jobs_per_process: after so many jobs a process is replaced.

    Raises:
        BuildError: if the command cannot be started.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    done: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        worker = _Worker(command, timeout, log, stop)
        try:
            while not stop.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                if worker.served >= jobs_per_process:
                    worker.close()
                answer = worker.answer(job)
                if answer is None and not stop.is_set():
                    # Blender's bake hangs once in some hundred; a fresh process does not.
                    answer = worker.answer(job)
                done.put(answer or {"name": job["name"], "error": worker.cause})
        except BaseException as e:  # noqa: BLE001 - handed to the caller's thread
            done.put(e)
        finally:
            worker.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, processes))]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class _Worker:
    """One process at a time, started when needed."""

    def __init__(
        self, command: Sequence[str], timeout: float, log: Path, stop: threading.Event
    ) -> None:
        self._command = list(command)
        self._timeout = timeout
        self._log = log
        self._stop = stop
        self._process: subprocess.Popen[bytes] | None = None
        self._tail = b""
        self.served = 0
        self.cause = "stopped"

    def answer(self, job: Job) -> Answer | None:
        """Return the answer, or None if the process died or took too long; `cause` tells."""
        process = self._process or self._start()
        assert process.stdin is not None
        self.served += 1
        try:
            process.stdin.write(json.dumps(dict(job)).encode() + b"\n")
            process.stdin.flush()
            line = self._line(process)
        except BrokenPipeError:
            line = None
        if line is not None:
            return dict(json.loads(line))
        self.cause = self._death(process)
        self.close()
        return None

    def close(self) -> None:
        """Kill the process; what it answered is on its way already."""
        process, self._process, self.served, self._tail = self._process, None, 0, b""
        if process is not None:
            # A session of its own: whatever it started ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with self._log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as e:
                raise BuildError(f"{self._command[0]}: cannot be run ({e.strerror})") from e
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """Return the next line, or None at the end, after too long, or when all is to stop."""
        assert process.stdout is not None
        until = time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._tail:
                if self._stop.is_set() or time.monotonic() > until:
                    return None
                if selector.select(0.2):
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    if not data:
                        return None
                    self._tail += data
        line, self._tail = self._tail.split(b"\n", 1)
        return line

    def _death(self, process: subprocess.Popen[bytes]) -> str:
        try:
            status = process.wait(0.5)
        except subprocess.TimeoutExpired:
            return f"took longer than {self._timeout:g} s"
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"its process died ({how}); see {self._log.name}"
