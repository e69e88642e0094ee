"""Put an object to a place and turn it there: the first point is where, the second which way."""

from typing import Unpack

import msgspec
import numpy as np

from refergym.assets.library import Pack
from refergym.envs import goals
from refergym.envs.errors import TaskError
from refergym.envs.programs import Facing, Move
from refergym.envs.proposals import Proposer
from refergym.envs.referents import Reading, read
from refergym.envs.task_spec import TaskSpec, TurnGoal
from refergym.envs.tasks.carrying import rounded
from refergym.envs.tasks.pick_place import PickPlace, PickPlaceKeys
from refergym.envs.tasks.sites import Site
from refergym.envs.truth import direction_error
from refergym.envs.types import SIDES, Array
from refergym.envs.view import View

STEP = 45.0
"""degrees: angles that are asked are whole multiples"""
NEAR = 0.12
"""m: something nearer to the place tells no direction"""


class PlaceTurned(PickPlace):
    """Pick up one object, put it to a place, and turn its handle (blade, face...) a given way."""

    kind = "place_turned"

    def __init__(
        self, *, turn: float, pack: Pack | None = None, **keys: Unpack[PickPlaceKeys]
    ) -> None:
        """Set what may be asked, and how it is judged.

        Args:
            turn: degrees that may be missing or too much at the end.
            pack: assets; None takes the package's own.
            **keys: see `PickPlace`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack=pack, **keys)
        if not 0 < turn < 90:
            raise TaskError(f"turn: expected more than 0 and less than 90 degrees, got {turn}")
        self.turn = turn

    def hindrance(self, view: View, index: int) -> str | None:
        """Say why an object should not be asked for; what looks alike all round tells no turn."""
        body = view.bodies[index]
        if not body.facings or body.symmetry != 1:
            return "has no direction of its own"
        return super().hindrance(view, index)

    def task(self, view: View, what: Reading, site: Site, rng: np.random.Generator) -> TaskSpec:
        """Make the task of bringing an object to a place and turning it there."""
        if site.relation != "table":
            raise TaskError("things are turned on the table")
        body = view.bodies[what.index]
        side = body.facings[int(rng.integers(len(body.facings)))]
        facing, to, names = self._facing(view, what.index, side, site, rng)
        now = body.facing(side)
        assert now is not None, "one of its level directions"
        if abs(goals.angle_between(now, to)) < 2 * self.turn:
            raise TaskError("it is turned so already")
        if direction_error(view, np.array(site.area.goal), rounded(to)) > self.turn / 3:
            raise TaskError("no point that is seen tells the way")
        program = Move(what=what.select, where=site.where, facing=facing)
        turn = TurnGoal(side=side, to=rounded(to), tolerance=self.turn)
        goal = msgspec.structs.replace(self.goal(view, what.index, site), turn=turn)
        return self.record(view, program, goal, what, site, names, rng)

    def _facing(
        self, view: View, target: int, side: str, site: Site, rng: np.random.Generator
    ) -> tuple[Facing, Array, list[Reading]]:
        """A way to turn an object: its words, the direction [2], and what they name."""
        form = int(rng.integers(3))
        if form == 0:
            to = SIDES[int(rng.integers(len(SIDES)))]
            return Facing(side=side, to=to), view.direction(to), []
        proposer = Proposer(view, self.clarity, rng)
        sames = [i for i, b in enumerate(view.bodies) if side in b.facings and b.symmetry == 1]
        among = range(len(view)) if form == 1 else sames
        toward = proposer.called([i for i in among if i != target and view.below[i] < 0])
        if toward is None:
            raise TaskError("nothing to turn it towards")
        reading = read(toward, view, self.clarity)
        if form == 1:
            way = view.thing(reading.index).centre - np.array(site.area.goal[:2])
            if np.linalg.norm(way) < NEAR:
                raise TaskError("what it should point to is too near")
            return Facing(side=side, toward=toward), way / np.linalg.norm(way), [reading]
        ahead = view.bodies[reading.index].facing(side)
        assert ahead is not None, "chosen for it"
        angle = STEP * float(rng.integers(-3, 5))
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        way = np.array([c * ahead[0] - s * ahead[1], s * ahead[0] + c * ahead[1]])
        return Facing(side=side, toward=toward, angle=angle), way, [reading]
