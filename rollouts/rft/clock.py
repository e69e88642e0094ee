"""Where the time of a process goes: to environments, to the policy, or to nothing."""

import threading
import time
from collections import defaultdict

IDLE = "idle"


class Clock:
    """Adds up the time of each kind of turn; another thread may ask how long one lasts."""

    def __init__(self) -> None:
        """Begin idle."""
        self._lock = threading.Lock()
        # one tuple: who reads it never sees a new turn with the time of the one before
        self._turn = (IDLE, time.monotonic())
        self._counted = self._turn[1]
        self._spent: dict[str, float] = defaultdict(float)

    def turn(self, whose: str) -> None:
        """Begin a turn; the one before is over."""
        with self._lock:
            self._turn = (whose, self._count())

    @property
    def pulse(self) -> tuple[str, float]:
        """Whose turn it is, and for how many s."""
        whose, since = self._turn
        return whose, time.monotonic() - since

    def spent(self) -> dict[str, float]:
        """Return the s of each kind since this was last asked; the turn goes on."""
        with self._lock:
            self._count()
            found, self._spent = dict(self._spent), defaultdict(float)
            return found

    def _count(self) -> float:
        now = time.monotonic()
        self._spent[self._turn[0]] += now - self._counted
        self._counted = now
        return now
