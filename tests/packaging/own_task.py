from refergym.assets.composers.base import Wants
from refergym.envs.programs import Rank, Select
from refergym.envs.referents import read
from refergym.envs.task_spec import PointObjectGoal
from refergym.envs.tasks.common import OnePoint, see, task_spec


class PointAtTallest(OnePoint):
    """Point at the tallest thing of all."""

    kind = "point_at_tallest"
    wants = Wants()

    def __init__(self, clarity, pack=None):
        super().__init__(pack)
        self.clarity = clarity

    def sample(self, scene, state, frame, rng):
        view = see(scene, state, frame, self._pack)
        program = Select(rank=Rank(axis="height", position=1))
        found = read(program, view, self.clarity)  # TaskError where that is not clear
        return task_spec(
            view,
            kind=self.kind,
            instruction="Point at the tallest thing.",
            program=program,
            goal=PointObjectGoal(object=scene.objects[found.index].id),
            subgoals=("point",),
            names=[found],
            targets=[found.index],
        )
