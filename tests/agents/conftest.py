"""A real local server that behaves as badly as told, on a real socket."""

import contextlib
import socket
import threading

import numpy as np
import pytest

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


class BadServer:
    """Answers each connection with `behave(connection, request bytes)`; keeps the requests."""

    def __init__(self, behave):
        self.behave = behave
        self.requests = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._end.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            request = _read(connection)
            if request.startswith(b"GET / "):  # healthy, as far as anybody can see
                connection.sendall(FINE)
                return
            self.requests.append(request)
            self.behave(self, connection, request)

    def sleep(self, seconds):
        """Sleep, but no longer than the test; counts how many do so at once."""
        # not until the connection ends: the client may have its answer before and ask anew
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self._end.wait(seconds)
        with self._lock:
            self._at_once -= 1


def _read(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(65536)):
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    while len(body) < size and (chunk := connection.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


@pytest.fixture
def bad_server():
    """Make a server from what it does: bad_server(lambda server, connection, request: ...)."""
    made = []

    def make(behave):
        made.append(BadServer(behave))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def seen():
    """Make an observation with a red pixel."""

    def make(instruction="point at the cup", **more):
        rgb = np.full((12, 16, 3), 90, np.uint8)
        rgb[3, 4] = (255, 0, 0)
        return {
            "rgb": rgb,
            "depth": np.linspace(0.5, 2, 12 * 16, dtype=np.float32).reshape(12, 16),
            "intrinsics": np.eye(3),
            "instruction": instruction,
            "holding": 0,
            "event": 0,
            **more,
        }

    return make
