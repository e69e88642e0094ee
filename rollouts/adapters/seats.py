"""Seats: environments that are kept open between episodes, each with a thread of its own."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from refergym.rollouts.adapters.place import Place
from refergym.rollouts.adapters.playing import Playing

T = TypeVar("T")
_FREE: dict[Place, list["Seat"]] = {}
"""of this process: as many as episodes ever ran at once"""


class Seat:
    """An environment and the thread that all of its calls run in: a GL context stays there."""

    def __init__(self, place: Place) -> None:
        """Take a thread; the environment is made by the first `play`."""
        self._place = place
        self._thread = ThreadPoolExecutor(1, "refergym-seat")
        self._playing: Playing | None = None

    async def play(self, what: Callable[[Playing], T]) -> T:
        """Call something with the environment, in its thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, functools.partial(self._call, what))

    def leave(self) -> None:
        """Close the environment, and let the thread end."""
        if self._playing is not None:
            self._thread.submit(self._playing.close)
        self._thread.shutdown(wait=False)

    def _call(self, what: Callable[[Playing], T]) -> T:
        if self._playing is None:
            self._playing = Playing(self._place)
        return what(self._playing)


@asynccontextmanager
async def seated(place: Place) -> AsyncIterator[Seat]:
    """Take a free seat at a place, or a new one; it is free again behind the block.

    One whose block failed is left for good: its simulator may be in any state.
    """
    free = _FREE.setdefault(place, [])
    seat = free.pop() if free else Seat(place)
    try:
        yield seat
    except BaseException:
        seat.leave()
        raise
    free.append(seat)
