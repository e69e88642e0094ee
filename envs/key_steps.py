"""Key steps: the ground truth of the reasoning that a task's program asks for.

Each is `[Perception] [target]: value` as RoboRefer (arXiv 2506.04308, section 3.3) writes the steps
of its answers: a position in the picture, a direction in the camera's frame, or a size.
"""

from typing import Literal

from refergym.assets.records import Record
from refergym.envs.task_spec import TaskSpec
from refergym.envs.view import View

Perception = Literal["Position", "Orientation", "Size"]


class KeyStep(Record, frozen=True, kw_only=True):
    """One fact that has to be seen on the way to the answer."""

    perception: Perception
    target: str
    """what it is about, in canonical words: "the handle of the red cup" """
    value: tuple[float, ...]
    """Position: (u, v) in [0, 1]; Orientation: unit vector [3] in the camera's frame (x right,
    y down, z forward); Size: (m,)"""

    @property
    def text(self) -> str:
        """The step as an answer writes it: "[Position] [the cup]: [(0.245, 0.147)]"."""
        numbers = ", ".join(f"{v + 0.0:.3f}" for v in self.value)
        form = {"Position": f"[({numbers})]", "Orientation": f"({numbers})"}
        value = form.get(self.perception) or f"{self.value[0]:.2f}"
        return f"[{self.perception}] [{self.target}]: {value}"


def key_steps(task: TaskSpec, view: View) -> tuple[KeyStep, ...]:
    """Work out the key steps of a task in the current state, in the order of the reasoning.

    What is not in the picture any more (a cup that the gripper carried out of it) has no position.
    """
    raise NotImplementedError
