"""SIGINT and SIGTERM: at once where nothing is lost by it, later where a step is under way."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the run is to end; a signal raises KeyboardInterrupt inside `now`, or behind `later`.

    Outside the main thread, where no handler may be set, nothing asks.
    """

    def __init__(self) -> None:
        """Begin without being asked."""
        self.asked = False
        self._at_once, self._heard = False, 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        """Listen to signals."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more; whoever listened before hears of it as well."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._heard:
            signal.raise_signal(self._heard)

    @contextlib.contextmanager
    def now(self) -> Iterator[None]:
        """Let a signal end what is done inside."""
        self._check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextlib.contextmanager
    def later(self) -> Iterator[None]:
        """Let a signal wait until what is done inside is over."""
        yield
        self._check()

    def _check(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked, self._heard = True, number
        if self._at_once:
            raise KeyboardInterrupt
