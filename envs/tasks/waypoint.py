"""Waypoints for a mobile base: point at free floor beside the furniture or under it.

A place is right if the base has room there and gets there from its start on a straight free path;
it starts on the floor nearest to the viewer (`floors.start_of`). The goal keeps the start.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas, floors
from refergym.envs.errors import TaskError
from refergym.envs.floors import FLOOR_SIDES, Base, FloorSide
from refergym.envs.language import ANY, Voice, instruct
from refergym.envs.programs import Floor
from refergym.envs.task_spec import Area, PointAreaGoal, TaskSpec
from refergym.envs.tasks.common import OnePoint, Refusals, see, task_spec
from refergym.envs.types import ID_SUPPORT, Array, Frame, State
from refergym.envs.view import View


class PointAtWaypoint(OnePoint):
    """Point at the free floor to the left of, right of, before, behind or under the furniture."""

    kind = "point_at_waypoint"

    def __init__(
        self,
        *,
        voice: Voice = ANY,
        sides: Sequence[FloorSide],
        radius: float,
        height: float,
        beside: float,
        pixels: int,
        furniture_pixels: int,
        pack: Pack | None = None,
    ) -> None:
        """Set which places are asked.

        Args:
            voice: which words are chosen.
            sides: some of left, right, front, behind, under.
            radius: m, of the base: what is kept clear of furniture, walls and the floor's edge.
            height: m, of the base: it passes under what hangs higher.
            beside: m beyond the furniture's edge, at most, that still count as beside it.
            pixels: least visible pixels of the free floor, in a picture 224 px wide.
            furniture_pixels: likewise of the furniture that is named.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack)
        if not sides or set(sides) - set(FLOOR_SIDES):
            known = ", ".join(FLOOR_SIDES)
            raise TaskError(f"sides: expected some of {known}; got {list(sides)}")
        for key, value in (("radius", radius), ("height", height), ("beside", beside)):
            if not value > 0:
                raise TaskError(f"{key}: expected > 0, got {value}")
        self.voice = voice
        self.sides = tuple(sides)
        self.base = Base(radius=radius, height=height)
        self.beside = beside
        self.pixels = pixels
        self.furniture_pixels = furniture_pixels
        self.wants = Wants(floor=True)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose a side with enough visible free floor; raises TaskError where there is none."""
        view = see(scene, state, frame, self._pack)
        refusals = Refusals(view)
        named = floors.names(view)
        start = floors.start_of(view, self.base)
        asked = [(k, side) for k in named for side in self.sides]
        for n in rng.permutation(len(asked)):
            index, side = asked[n]
            shown = int((frame.ids == ID_SUPPORT - index).sum())
            if shown < self._least(self.furniture_pixels, view):
                refusals.refuse(f"too little of the {named[index]} is visible")
                continue
            try:
                area, xy = self._place(view, index, side, start)
            except TaskError as e:
                refusals.refuse(str(e))
                continue
            program = Floor(furniture=named[index], side=side)
            return task_spec(
                view,
                kind=self.kind,
                instruction=instruct("point", program, rng, self.voice),
                program=program,
                goal=PointAreaGoal(
                    area=area,
                    anchors=(scene.supports[index].id,),
                    support=floors.FLOOR,
                    start=(float(start[0]), float(start[1])),
                ),
                subgoals=("point",),
                names=[],
                anchors=[shown],
                places=[xy],
            )
        raise refusals.error(self.kind)

    def _place(
        self, view: View, index: int, side: FloorSide, start: Array
    ) -> tuple[Area, NDArray[np.int64]]:
        """Free floor that the base gets straight to, and the pixels [K, 2] that show it."""
        area = floors.area_at(view, index, side, self.base, self.beside, start)
        xy = areas.pixels_of(view, area, ID_SUPPORT - floors.FLOOR)
        if len(xy) < self._least(self.pixels, view):
            raise TaskError("too little free floor is visible there: the view must be wider")
        x, y = _middle(view, xy)
        point = view.points(np.array([y]), np.array([x]))[0].tolist()
        goal = (round(point[0], 5) + 0.0, round(point[1], 5) + 0.0, area.height)
        return msgspec.structs.replace(area, goal=goal), xy

    def _least(self, pixels: int, view: View) -> float:
        return max(1.0, pixels * (view.scene.camera.width / 224) ** 2)


def _middle(view: View, xy: NDArray[np.int64]) -> tuple[int, int]:
    """The pixel (x, y) of some [K, 2] that is farthest from all others and the picture's edge."""
    mask = np.zeros(np.add(view.frame.ids.shape, 2), bool)
    mask[xy[:, 1] + 1, xy[:, 0] + 1] = True
    away = distance_transform_edt(mask)[xy[:, 1] + 1, xy[:, 0] + 1]
    x, y = xy[int(away.argmax())].tolist()
    return x, y
