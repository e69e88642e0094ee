"""A worker process and the channel to it: started, asked, and always reaped."""

import collections
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import IO, TypeVar

import msgspec

from refergym.envs.backends.wire import (
    Channel,
    Failed,
    Hello,
    Moment,
    Reply,
    WireError,
    error_of,
)
from refergym.envs.errors import BackendError

_T = TypeVar("_T")
_M = TypeVar("_M", bound=msgspec.Struct)
_KEPT = 4096
"""bytes of what a worker printed last"""
_DYING_S = 1.0
"""s that a worker whose end of the channel is closed gets to be gone by itself"""


class WorkerProcess:
    """One worker. Whatever goes wrong with it is one BackendError, and it is killed and reaped.

    It has no terminal to read from, and what it prints goes nowhere; the last line of that stands
    in errors.
    """

    def __init__(self, command: Sequence[str], *, name: str, start_s: float) -> None:
        """Start it and wait for its Hello.

        Args:
            command: the number of the channel's file descriptor is put behind it.
            name: what errors call it.
            start_s: s until it has to have said hello.

        Raises:
            BackendError: if it cannot be started, ends, or says nothing in time.
        """
        self._name = name
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # so that what it starts itself can be killed with it
            )
        except OSError as e:
            ours.close()
            raise BackendError(f"{name}: cannot start {command[0]}: {e.strerror or e}") from e
        finally:
            theirs.close()
        self._channel = Channel(ours)
        self._printed: collections.deque[bytes] = collections.deque(maxlen=2)
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=_drain, args=(self._process.stdout, self._printed), daemon=True
        )
        self._reader.start()
        self._kill = weakref.finalize(self, _end, self._process, self._channel, os.getpid())
        self.hello = self._guarded(
            lambda: self._channel.receive(Hello, start_s), "start", "start_s", start_s
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked; not whether it has ended since it was last asked."""
        return self._kill.alive

    def ask(
        self,
        request: msgspec.Struct,
        kind: type[_M],
        read: Callable[[_M], _T],
        limit_s: float,
        *,
        key: str = "call_s",
        moment: Callable[[Moment], None] | None = None,
    ) -> _T:
        """Send a request and wait for its answer.

        Args:
            request: the message.
            kind: what the answer has to be.
            read: makes of the answer what is returned.
            limit_s: s for all of it.
            key: of the configuration that this limit is, for the error.
            moment: called with each Moment on the way.

        Raises:
            BackendError: if it ends, takes too long, fails or says what is no answer. It is dead
                then.
            ValueError: what the backend inside raised on purpose; it is as alive as before.
        """
        what = type(request).__name__.lower()
        end = time.monotonic() + limit_s

        def exchange() -> _T | Failed:
            self._channel.send(request, limit_s)
            while True:
                left = max(0.0, end - time.monotonic())
                reply: Reply = self._channel.receive(Reply, left)  # type: ignore[arg-type]
                if isinstance(reply, Failed):
                    return reply
                if isinstance(reply, kind):
                    return read(reply)
                if not isinstance(reply, Moment):
                    raise WireError(f"{type(reply).__name__} instead of {kind.__name__}")
                if moment is not None:
                    moment(reply)

        reply = self._guarded(exchange, what, key, limit_s)
        if not isinstance(reply, Failed):
            return reply
        if not reply.error:
            raise self._failure(f"failed in {what!r} ({reply.message})")
        raise error_of(reply)

    def stop(self, request: msgspec.Struct, limit_s: float) -> None:
        """Ask it to end, and end it after `limit_s` s; idempotent."""
        if not self._kill.alive:
            return
        with contextlib.suppress(OSError, EOFError, WireError):
            self._channel.send(request, limit_s)
            end = time.monotonic() + limit_s
            while time.monotonic() < end and not _is_gone(self._process):
                time.sleep(0.002)
        self.kill()

    def kill(self) -> None:
        """End it now, with all that it started, and reap it; idempotent."""
        self._kill()
        self._reader.join(_DYING_S)

    def _guarded(self, exchange: Callable[[], _T], what: str, key: str, limit_s: float) -> _T:
        try:
            return exchange()
        except TimeoutError as e:
            raise self._failure(
                f"gave no answer to {what!r} in {key} = {limit_s:g} s and was killed"
            ) from e
        except (EOFError, ConnectionError) as e:
            raise self._failure(f"ended during {what!r}", ask_how=True) from e
        except WireError as e:
            raise self._failure(f"answered {what!r} with what is no message ({e})") from e
        except BaseException:
            self.kill()  # an interrupted exchange leaves half a message behind
            raise

    def _failure(self, text: str, *, ask_how: bool = False) -> BackendError:
        """Kill it; the error that says how it went."""
        if ask_how:
            end = time.monotonic() + _DYING_S
            while time.monotonic() < end and not _is_gone(self._process):
                time.sleep(0.002)
        self.kill()
        if ask_how:
            text += f" ({_how(self._process.returncode)})"
        lines = b"".join(self._printed)[-_KEPT:].decode("utf-8", "replace").split("\n")
        said = [" ".join(line.split()) for line in lines if line.strip()]
        last = f"; it printed last: {said[-1][:300]}" if said else ""
        return BackendError(f"{self._name} {text}{last}; the next reset starts a new one")


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def _is_gone(process: "subprocess.Popen[bytes]") -> bool:
    """Tell whether it ended, without reaping: until then its process group is its own."""
    if process.returncode is not None:
        return True
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None


def _end(process: "subprocess.Popen[bytes]", channel: Channel, owner: int) -> None:
    channel.close()
    if os.getpid() != owner:
        return  # a fork of the process that it belongs to
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _drain(stream: IO[bytes], kept: "collections.deque[bytes]") -> None:
    """Read what is printed, so that the worker never waits for us, and keep the end of it."""
    with contextlib.suppress(OSError, ValueError), stream:
        while chunk := os.read(stream.fileno(), 65536):
            kept.append(chunk[-_KEPT:])
