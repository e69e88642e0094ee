"""What a composer is: a function of (its config, seed, index, wants) that returns a scene."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from refergym.assets.spec import SceneSpec


@dataclass(frozen=True)
class Wants:
    """What a task needs in a scene."""

    graspable: int = 0
    """at least that many objects that the gripper is known to pick up, on the table and in reach"""
    receptacles: int = 0
    """at least that many empty containers or flat tops that the arm reaches"""
    duplicates: bool = False
    """at least two objects of one category"""
    floor: bool = False
    """a view of the floor round the table, of composers that have one"""

    @property
    def least(self) -> int:
        """How many objects it takes at least."""
        wanted = self.graspable + self.receptacles
        return max(wanted + (self.duplicates and wanted == self.receptacles) * 2, 1)

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        for key in ("graspable", "receptacles"):
            if getattr(self, key) < 0:
                raise ValueError(f"wants.{key}: expected >= 0, got {getattr(self, key)}")


@runtime_checkable
class Composer(Protocol):
    """Makes scenes. Equal arguments give equal digests, in any process on any machine."""

    def compose(self, seed: int, index: int = 0, wants: Wants = Wants()) -> SceneSpec:
        """Compose scene number `index` of a seed.

        Raises:
            ComposeError: if no scene meets the request within the allowed tries; the message says
                which constraint failed how often.
        """
        ...
