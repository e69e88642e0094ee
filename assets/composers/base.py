"""What a composer is: a function of (its config, seed, index, wants) that returns a scene."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

from refergym.assets.spec import SceneSpec

Arrangement = Literal["", "row", "grid", "any"]
"""what some things of one category form, with one place left free: nothing, an evenly spaced row, a
grid, or one of the two"""
FEWEST = {"": 0, "row": 3, "grid": 5, "any": 3}
"""things that an arrangement has at least"""


@dataclass(frozen=True)
class Wants:
    """What a task needs in a scene."""

    graspable: int = 0
    """at least that many objects that the gripper is known to pick up, on the table and in reach"""
    receptacles: int = 0
    """at least that many empty containers or flat tops that the arm reaches"""
    duplicates: bool = False
    """at least two objects of one category"""
    alike: int = 0
    """at least so many of the graspable objects are of one category"""
    category: str = ""
    """that one category, of composers that can choose it; nothing else is of it. Empty: any"""
    floor: bool = False
    """a view of the floor round the table, of composers that have one"""
    arrangement: Arrangement = ""
    """a row or a grid on the table, upright, of 3 to 5 or of 2 x 3 or 3 x 3 places; one place of it
    is free and in reach: a gap in it, or where the row would go on"""

    @property
    def least(self) -> int:
        """How many objects it takes at least."""
        wanted = max(self.graspable, self.alike) + self.receptacles
        alike = (self.duplicates and wanted == self.receptacles) * 2
        return max(wanted + max(alike, FEWEST[self.arrangement]), 1)

    def __post_init__(self) -> None:
        """Refuse negative counts and unknown arrangements."""
        for key in ("graspable", "receptacles", "alike"):
            if getattr(self, key) < 0:
                raise ValueError(f"wants.{key}: expected >= 0, got {getattr(self, key)}")
        if self.arrangement not in get_args(Arrangement):
            known = ", ".join(repr(a) for a in get_args(Arrangement))
            raise ValueError(
                f"wants.arrangement: expected one of {known}, got {self.arrangement!r}"
            )


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
