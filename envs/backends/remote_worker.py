"""The other side of `remote`: makes a backend and carries out what the channel asks for.

`python -m refergym.envs.backends.remote_worker FD`, with the file descriptor of a connected socket.
It ends when the other end of the socket is closed, by whatever way.
"""

import faulthandler
import os
import platform
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

import refergym
from refergym.assets.library import Pack, open_pack
from refergym.envs.backends import wire
from refergym.envs.backends.wire import Channel
from refergym.envs.errors import BackendError, EnvError

_LEFT_S = 5.0
"""s that a call in progress goes on after the other side is gone, before the process ends"""


def main(argv: Sequence[str]) -> int:
    """Serve one channel.

    Returns:
        0 when it was closed; 1 after a fault; 2 if the arguments are no file descriptor.
    """
    if len(argv) != 1 or not argv[0].isdigit():
        sys.stderr.write("usage: python -m refergym.envs.backends.remote_worker FD\n")
        return 2
    faulthandler.enable()
    connected = socket.socket(fileno=int(argv[0]))
    del sys.argv[1:]  # simulators read them too
    threading.Thread(target=_end_with, args=(connected,), daemon=True).start()
    channel = Channel(connected)
    channel.send(
        wire.Hello(
            protocol=wire.PROTOCOL,
            version=refergym.__version__,
            python=platform.python_version(),
        )
    )
    return serve(channel)


def serve(channel: Channel) -> int:
    """Answer until Close, the end of the channel, or a fault; the backend is closed then.

    Returns:
        0, or 1 after a fault.
    """
    served = _Served(channel)
    try:
        while True:
            request: wire.Request = channel.receive(wire.Request)  # type: ignore[arg-type]
            if isinstance(request, wire.Close):
                return 0
            try:
                reply = served.answer(request)
            except Exception as e:  # noqa: BLE001 - told to the other side, whatever it is
                reply = wire.failed(e)
            channel.send(reply)
            if isinstance(reply, wire.Failed) and not reply.error:
                return 1
    except (EOFError, ConnectionError):
        return 0
    finally:
        served.close()


class _Served:
    """The backend, and what is asked of it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._backend: Any = None
        """a Backend; some have a recorder, a hand_yaw and a camera besides"""

    def close(self) -> None:
        """Close the backend, if there is one."""
        if self._backend is not None:
            self._backend.close()

    def answer(self, request: wire.Request) -> wire.Reply:
        """Carry out one request; raises what the backend raises."""
        match request:
            case wire.Make():
                return self._make(request)
            case wire.Settle():
                return wire.Poses(poses=self._there.settle(request.spec))
            case wire.Reset():
                self._there.reset(request.spec)
                return wire.Done()
            case wire.Ask():
                return wire.told(self._there.state())
            case wire.Pick():
                self._record(request.moments)
                result = self._there.pick(wire.array(request.point))
                return wire.ended(result, self._hand_yaw)
            case wire.Place():
                self._record(request.moments)
                result = self._there.place(wire.array(request.point), request.yaw)
                return wire.ended(result, self._hand_yaw)
            case wire.Look():
                if not hasattr(self._there, "look"):
                    kind = self._there.kind
                    raise BackendError(f"backend {kind!r} has no camera of its own; use a renderer")
                return wire.seen(self._there.look(request.camera))
            case _:
                raise BackendError(f"{type(request).__name__} is not a call")

    @property
    def _there(self) -> Any:
        if self._backend is None:
            raise BackendError("no backend was made")
        return self._backend

    @property
    def _hand_yaw(self) -> float:
        return float(getattr(self._there, "hand_yaw", 0.0))

    def _make(self, request: wire.Make) -> wire.Made:
        from refergym.envs.building import build_part

        config = OmegaConf.create({"backend": request.node})
        pack = None if request.pack is None else _pack(request.pack, request.digest)
        try:
            self._backend = backend = build_part(config, "backend", pack)
        except EnvError as e:  # its path begins with the group's name; the key here is another
            raise BackendError(f"inside{str(e).removeprefix('backend')}") from e
        return wire.Made(
            kind=backend.kind,
            has_recorder=hasattr(backend, "recorder"),
            has_camera=hasattr(backend, "look"),
        )

    def _record(self, wanted: bool) -> None:
        """Send the states on the way, or stop doing so."""
        if hasattr(self._there, "recorder"):
            send = self._channel.send
            self._there.recorder = (
                (lambda state: send(wire.Moment(state=wire.told(state)))) if wanted else None
            )


def _pack(folder: str, digest: str | None) -> Pack:
    pack = open_pack(folder)
    if digest is not None and pack.digest != digest:
        raise BackendError(f"pack: {folder} has changed since it was opened; open it again")
    return pack


def _end_with(connected: socket.socket) -> None:
    """End the process when the other side is gone and a call does not come to its end."""
    poll = select.poll()
    poll.register(connected, getattr(select, "POLLRDHUP", select.POLLHUP))
    while not any(
        events & (select.POLLHUP | getattr(select, "POLLRDHUP", 0)) for _, events in poll.poll()
    ):
        pass
    time.sleep(_LEFT_S)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with all that the simulator started
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
