"""Turns that are planted: what a policy said, what was true, and what came of it."""

from typing import Any

import numpy as np

from refergym.envs.answers import AnswerReader
from refergym.envs.building import build_part
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.key_steps import KeyStep
from refergym.envs.programs import Beside, Facing, Gather, Into, Move, Program, Rank, Select
from refergym.envs.registration import compose_env
from refergym.envs.rewards import RewardSet, Turn
from refergym.envs.task_spec import Act, Certificate, HoldGoal, TaskSpec
from refergym.envs.types import Array, Event, Verdict

LARGEST = Select(category="mug", rank=Rank(axis="size", position=1))
PROGRAM = Move(
    what=LARGEST,
    where=Beside(anchor=Select(category="plate"), side="left"),
    facing=Facing(side="handle", to="left"),
)
"""bring the largest mug to the left of the plate, its handle to the left"""
GATHER = Gather(what=Select(category="apple"), where=Into(anchor=Select(category="bowl")))
MUG = KeyStep(perception="Position", target="the largest mug", value=(0.25, 0.5))
SIZE = KeyStep(perception="Size", target="the largest mug", value=(0.2,))
PLATE = KeyStep(perception="Position", target="the plate", value=(0.75, 0.25))
HANDLE = KeyStep(
    perception="Orientation", target="the handle of the largest mug", value=(0.0, 1.0, 0.0)
)
KEYS = (MUG, SIZE, PLATE, HANDLE)
RIGHT = (0.5, 0.5)
"""the right point"""
READER = AnswerReader(dialect=RoboRefer())


def said(perception: str, target: str, *value: float) -> str:
    """Write a step whose value may be any."""
    if perception == "Position":
        pairs = zip(value[::2], value[1::2], strict=True)
        return f"[Position] [{target}]: [{', '.join(f'({u:.6f}, {v:.6f})' for u, v in pairs)}]"
    numbers = ", ".join(f"{v:.6f}" for v in value)
    return f"[{perception}] [{target}]: {numbers if perception == 'Size' else f'({numbers})'}"


def words(*steps: str, point: tuple[float, float] = RIGHT) -> str:
    """Write an answer in perfect form."""
    thought = "\n".join(f"Step {k}: {s}" for k, s in enumerate(steps, 1))
    return f"<think>{thought}</think><answer>[({point[0]:.3f}, {point[1]:.3f})]</answer>"


def make_turn(
    text: str = "",
    *,
    keys: tuple[KeyStep, ...] = KEYS,
    program: Program = PROGRAM,
    true: tuple[float, float] | None = RIGHT,
    point: tuple[float, float] | None = None,
    size: tuple[int, int] = (960, 540),
    mask: Any = None,
    mask_w: Any = (),
    point_w: Array | None = None,
    stage: str = "point",
    success: bool = False,
    progress: float = 0.0,
    is_last: bool = False,
    limit: int = 1,
) -> Turn:
    """Make a turn of words, or of a point alone."""
    read = READER.read(text, size)
    if not text:
        problem = "no_point" if point is None else ""
    else:
        point, problem = read.point_uv, read.problem
    task = TaskSpec(
        scene="", kind="planted", instruction="Do it.", program=program,
        goal=HoldGoal(object="mug"),
        certificate=Certificate(chance=0.0, backend="kinematic", renderer="none", version="0"),
    )  # fmt: skip
    act = Act(
        point_uv=point, point_w=point_w, hit_w=point_w, hit=0,
        event=Event.INVALID if point is None else Event.POINTED,
    )  # fmt: skip
    truth = {
        "task": task,
        "key_steps": keys,
        "point_uv": true,
        "mask": np.zeros((1, 1), bool) if mask is None else mask,
        "mask_w": np.array(mask_w, np.float64).reshape(-1, 3),
        "stage": stage,
    }
    return Turn(
        text=text,
        reply=read.reply,
        problem=problem,
        points=read.points,
        image_size=size,
        truth=truth,
        act=act,
        verdict=Verdict(success=success, progress=progress, stage="planted"),
        is_last=is_last,
        limit=limit,
        acts=(act,),
    )


def reward_set(name: str, *overrides: str) -> RewardSet:
    """Make a reward set from its yaml."""
    made: RewardSet = build_part(compose_env([f"reward={name}", *overrides], "text_env"), "reward")
    return made


def paid(name: str, turn: Turn) -> float:
    """Return what a set pays for the only turn of an episode."""
    return sum(v.paid for v in reward_set(name).ledger().pay(turn).values())


def shortness(turn: Turn, longest: int = 100) -> float:
    """A term as anyone may write it: 1 for no words, 0 for the longest and above."""
    return max(0.0, 1.0 - len(turn.text) / longest)


half = lambda turn: 0.5  # noqa: E731
"""a term without a name"""
