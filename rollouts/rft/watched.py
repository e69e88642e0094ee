"""An actor under watch: whether it is up, whose turn it says it is, and when it says nothing."""

import time
from dataclasses import dataclass, field
from typing import Any

from refergym.rollouts.rft.clock import IDLE
from refergym.rollouts.rft.cluster import kind_of, said


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why an actor must be replaced."""

    kind: str
    """"crash", "oom" or "hang" """
    cause: str


@dataclass
class Watched:
    """An actor with a method `pulse`, which says whose turn it is and for how many s."""

    actor: Any
    is_up: bool = False
    """whether it has said anything yet"""
    whose: str = IDLE
    age: float = 0.0
    """s that the turn has lasted, when it was last asked"""
    _since: float = field(default_factory=time.monotonic)
    _pulse: Any = None
    _asked: float = 0.0

    def look(self, start_s: float, silent_s: float) -> Trouble | None:
        """Ask it how it goes, and take what it said; does not wait.

        Args:
            start_s: s that it may take to say anything at first.
            silent_s: s that it may take to answer later.
        """
        import ray

        now = time.monotonic()
        if self._pulse is None:
            self._pulse, self._asked = self.actor.pulse.remote(), now
            return None
        ready, _ = ray.wait([self._pulse], timeout=0)
        if not ready:
            if not self.is_up and now - self._since > start_s:
                return Trouble(kind="hang", cause=f"not started within {start_s:g} s")
            if self.is_up and now - self._asked > silent_s:
                return Trouble(kind="hang", cause=f"its process says nothing for {silent_s:g} s")
            return None
        pulse, self._pulse = self._pulse, None
        try:
            self.whose, self.age = ray.get(pulse)
        except ray.exceptions.RayError as e:
            return Trouble(kind=kind_of(e), cause=said(e))
        self.is_up = True
        return None
