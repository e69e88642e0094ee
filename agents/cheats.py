"""Scripted policies that try to earn a reward without doing what is asked; they probe reward sets.

Each is told the truth, as the best of cheats would have found out what pays: what it is then not
allowed to use is its point, its reasoning, or both. `configs/policy/cheat.yaml` takes them by name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from refergym.agents.narrator import image_size, in_blocks, thought
from refergym.agents.policy import Answer
from refergym.assets import camera as pinhole
from refergym.envs.dialects.base import Dialect, PointSeen, Several
from refergym.envs.types import Observation

MANY = 100
"""points, repeats or lines of those that overdo it"""
LONG = 90_000
"""characters of a very long answer; more are not read"""
PERCEPTIONS = {
    "Position": "[(0.500, 0.500)]",
    "Orientation": "(1.000, 0.000, 0.000)",
    "Size": "0.10",
}
"""of each perception type a value with perfect form"""


class CheatPolicy:
    """Plays one cheat.

    Attributes:
        dialect: how it writes points.
        several: how its points are to be read.
    """

    privileged = True

    def __init__(
        self, cheat: str, dialect: Dialect, several: Several = "first", name: str | None = None
    ) -> None:
        """Choose a cheat by its name in CHEATS.

        Raises:
            ValueError: listing them if there is none of that name.
        """
        if cheat not in CHEATS:
            raise ValueError(f"cheat: expected one of {', '.join(CHEATS)}; got {cheat!r}")
        self.name = name or cheat
        self.dialect = dialect
        self.several = several
        self._cheat = CHEATS[cheat]

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act.

        Raises:
            ValueError: without `truths`.
        """
        if truths is None:
            raise ValueError("truths: a cheat needs info['truth'] of each episode, got None")
        return [
            Answer(text=self._cheat(Case(seen, truth, self.dialect, seed)))
            for seen, truth, seed in zip(observations, truths, seeds, strict=True)
        ]


class Case:
    """What a cheat answers: an observation, its truth, and the words to write points with."""

    def __init__(
        self, observation: Observation, truth: Mapping[str, Any], dialect: Dialect, seed: int
    ) -> None:
        """Take what there is."""
        self.observation = observation
        self.truth = truth
        self.rng = np.random.default_rng(seed)
        self._dialect = dialect
        self._size = image_size(observation)

    def say(self, *points: tuple[float, float]) -> str:
        """Write points (u, v) in the dialect."""
        return self._dialect.format([PointSeen(u=u, v=v) for u, v in points], self._size)

    @property
    def right(self) -> tuple[float, float]:
        """The ground-truth point; the middle where none is right."""
        point = self.truth["point_uv"]
        return (0.5, 0.5) if point is None else (float(point[0]), float(point[1]))

    @property
    def wrong(self) -> tuple[float, float]:
        """The pixel farthest from all that are right."""
        mask = self.truth["mask"]
        if mask.all():
            return 0.5, 0.5
        away = distance_transform_edt(~mask)
        y, x = np.unravel_index(int(away.argmax()), away.shape)
        return (float(x) + 0.5) / mask.shape[1], (float(y) + 0.5) / mask.shape[0]


def _random(case: Case) -> tuple[float, float]:
    u, v = case.rng.random(2)
    return float(u), float(v)


def many_points(case: Case) -> str:
    """A grid of points, the right one among them, behind true reasoning."""
    side = np.linspace(0.05, 0.95, int(MANY**0.5))
    grid = [(float(u), float(v)) for v in side for u in side]
    return in_blocks(thought(case.truth), case.say(*grid, case.right))


def repeated_step(case: Case) -> str:
    """One true step, a hundred times, and a wrong point."""
    step = (thought(case.truth).splitlines() or [""])[0]
    return in_blocks("\n".join([step] * MANY), case.say(case.wrong))


def empty_thought(case: Case) -> str:
    """Nothing thought, in perfect form, and a random point."""
    return in_blocks("", case.say(_random(case)))


def false_reasoning(case: Case) -> str:
    """The right point behind reasoning that is all wrong."""
    lines = [
        f"Step {k}: [{s.perception}] [{s.target}]: {_false(s.perception, s.value)}"
        for k, s in enumerate(case.truth["key_steps"], 1)
    ]
    return in_blocks("\n".join(lines), case.say(case.right))


def wrong_point(case: Case) -> str:
    """True reasoning, and the wrong point."""
    return in_blocks(thought(case.truth), case.say(case.wrong))


def middle(case: Case) -> str:
    """The middle of the picture, in perfect form."""
    return in_blocks("Step 1: [Position] [the object]: [(0.500, 0.500)]", case.say((0.5, 0.5)))


def copied(case: Case) -> str:
    """The instruction as every step's target, with values that fit many things."""
    words = case.observation["instruction"].strip(".?").replace("[", "").replace("]", "")
    parts = [words, *words.split(" the ")]
    lines = [f"[{p}] [{target}]: {v}" for target in parts for p, v in PERCEPTIONS.items()]
    return in_blocks("\n".join(lines), case.say((0.5, 0.5)))


def pusher(case: Case) -> str:
    """Acts anywhere but where it should, as often as it may, behind true reasoning."""
    holds = bool(case.observation["holding"])
    point = case.wrong if holds else _other_object(case)
    return in_blocks(thought(case.truth), case.say(point))


def transient(case: Case) -> str:
    """Picks up rightly, then lets go anywhere, and begins again."""
    point = case.wrong if case.observation["holding"] else case.right
    return in_blocks(thought(case.truth), case.say(point))


def stacked_types(case: Case) -> str:
    """Every perception type on every target, and a wrong point."""
    targets = dict.fromkeys(s.target for s in case.truth["key_steps"])
    true = {(s.perception, s.target): s.text for s in case.truth["key_steps"]}
    lines = [true.get((p, t), f"[{p}] [{t}]: {v}") for t in targets for p, v in PERCEPTIONS.items()]
    return in_blocks("\n".join(lines), case.say(case.wrong))


def guesses(case: Case) -> str:
    """A hundred guesses at each key step, the true one among them, and a wrong point."""
    lines = []
    for step in case.truth["key_steps"]:
        tries = [_guess(case, step.perception) for _ in range(MANY // 10)]
        lines += [f"[{step.perception}] [{step.target}]: {value}" for value in tries]
        lines.append(step.text)
    return in_blocks("\n".join(lines), case.say(case.wrong))


def very_long(case: Case) -> str:
    """True reasoning drowned in words, and a wrong point."""
    words = thought(case.truth)
    filler = "I am thinking about it very carefully. "
    return in_blocks(words + filler * ((LONG - len(words)) // len(filler)), case.say(case.wrong))


def nested_tags(case: Case) -> str:
    """Blocks within blocks, each with the perfect answer but for the last."""
    good = in_blocks(thought(case.truth), case.say(case.right))
    return f"<think>{good}</think><answer>{good}{case.say(case.wrong)}</answer>"


def repeated_blocks(case: Case) -> str:
    """The perfect answer ten times, then a wrong one."""
    good = in_blocks(thought(case.truth), case.say(case.right))
    return good * 10 + in_blocks(thought(case.truth), case.say(case.wrong))


def last_moment(case: Case) -> str:
    """True reasoning and no answer block, to stay in the game as long as it lasts."""
    return f"<think>{thought(case.truth)}"


CHEATS: Mapping[str, Callable[[Case], str]] = {
    "many_points": many_points,
    "repeated_step": repeated_step,
    "empty_thought": empty_thought,
    "false_reasoning": false_reasoning,
    "wrong_point": wrong_point,
    "middle": middle,
    "copied": copied,
    "pusher": pusher,
    "transient": transient,
    "stacked_types": stacked_types,
    "guesses": guesses,
    "very_long": very_long,
    "nested_tags": nested_tags,
    "repeated_blocks": repeated_blocks,
    "last_moment": last_moment,
}
"""name -> what it answers"""


def _false(perception: str, value: Sequence[float]) -> str:
    if perception == "Position":
        points = ((value[k], value[k + 1]) for k in range(0, len(value), 2))
        return f"[{', '.join(f'({(u + 0.5) % 1:.3f}, {(v + 0.5) % 1:.3f})' for u, v in points)}]"
    if perception == "Orientation":
        return f"({', '.join(f'{-v + 0.0:.3f}' for v in value)})"
    return f"{2 * value[0]:.2f}"


def _guess(case: Case, perception: str) -> str:
    if perception == "Position":
        u, v = _random(case)
        return f"[({u:.3f}, {v:.3f})]"
    if perception == "Orientation":
        way = case.rng.normal(size=3)
        way /= np.linalg.norm(way)
        return f"({', '.join(f'{v:.3f}' for v in way)})"
    return f"{case.rng.uniform(0.02, 0.5):.2f}"


def _other_object(case: Case) -> tuple[float, float]:
    """The middle of some object that is not meant; the wrong point where none is in the picture."""
    scene, state = case.truth["scene"], case.truth["state"]
    middles = np.asarray(state.objects)[:, :3] + [0.0, 0.0, 0.02]
    px, depth = pinhole.project(scene.camera, middles)
    points = px / [scene.camera.width, scene.camera.height]
    for k in case.rng.permutation(len(points)):
        is_shown = depth[k] > 0 and ((points[k] >= 0) & (points[k] <= 1)).all()
        if k != case.truth["target"] and is_shown:
            return float(points[k, 0]), float(points[k, 1])
    return case.wrong
