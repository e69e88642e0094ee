"""What a study of a policy's reasoning found: records, their summary, and tables of it."""

import math
from collections.abc import Sequence
from typing import Any, get_args

from rich.table import Table

from refergym.assets.records import Record
from refergym.envs.key_steps import KeyStep, Perception
from refergym.rollouts.statistics import clustered, jeffreys, student

VERSION = 1
ALL = "all"
FREE = "free"
THOUGHTS = {
    FREE: "none given: its free answer",
    "own": "its own",
    "true": "the true one",
    "corrupted": "its own, positions moved",
    "empty": "an empty one",
}
"""name of a thought that is given -> what it is"""
Interval = tuple[float, float]


class Claim(Record, frozen=True, kw_only=True):
    """What a thought says of a key step."""

    step: KeyStep
    is_stated: bool
    is_right: bool
    """by the first time that it is stated"""


class Given(Record, frozen=True, kw_only=True):
    """An answer behind a thought that was given to the policy, or its free answer."""

    text: str
    """the whole, what was given included"""
    point_uv: tuple[float, float] | None
    """none if it has no usable point"""
    success: bool
    """whether one step at this point, from the episode's start, does what it should"""


class Case(Record, frozen=True, kw_only=True):
    """The first answer of an episode, and the others that were drawn from the policy."""

    index: int
    kind: str
    """of the task"""
    instruction: str
    is_in_form: bool
    """of the free answer: one think block, then one answer block, nothing else"""
    steps: int
    """of the free answer's thought"""
    exact_steps: int
    """of those, how many have the form to the letter"""
    claims: tuple[Claim, ...]
    """of the free answer, in the order of the key steps"""
    answers: dict[str, Given]
    """by the thought that was given; no "corrupted" where its own states no position"""


class Stated(Record, frozen=True, kw_only=True):
    """How well thoughts state the true key steps of one perception type."""

    total: int
    """true key steps"""
    stated: int
    right: int
    share: float | None
    """right of total"""
    interval: Interval
    """95 %, over episodes"""


class Effect(Record, frozen=True, kw_only=True):
    """The answers behind one kind of thought."""

    thought: str
    n: int
    """episodes in which it was given"""
    points: int
    """of those, how many answers have a point, as the free answer does"""
    distance: float | None
    """mean distance of these points from the free answer's, as a share of the picture"""
    distance_interval: Interval | None
    """95 %, by Student's t"""
    successes: int
    """steps at its point, from the episode's start, that do what they should"""
    success_rate: float | None
    interval: Interval
    """95 % Jeffreys interval of the success rate"""


class Study(Record, frozen=True, kw_only=True):
    """What `reasoning` writes to reasoning.json."""

    version: int = VERSION
    policy: str
    task: str
    episodes: int
    """asked for"""
    n: int
    """studied; the others could not begin"""
    form_rate: float | None
    """share of free answers that are one think block, then one answer block, nothing else"""
    step_form_rate: float | None
    """share of the steps of their thoughts that are `[Perception] [target]: value` to the letter"""
    process: dict[str, Stated]
    """by perception type, and "all" """
    effects: tuple[Effect, ...]
    config: dict[str, Any]
    versions: dict[str, str]
    cases: tuple[Case, ...]


def study(
    cases: Sequence[Case],
    *,
    policy: str,
    task: str,
    episodes: int,
    config: dict[str, Any],
    versions: dict[str, str],
) -> Study:
    """Summarise cases; the other arguments are as in `Study`."""
    kinds: tuple[Perception, ...] = get_args(Perception)
    n, steps = len(cases), sum(c.steps for c in cases)
    return Study(
        policy=policy,
        task=task,
        episodes=episodes,
        n=n,
        form_rate=sum(c.is_in_form for c in cases) / n if n else None,
        step_form_rate=sum(c.exact_steps for c in cases) / steps if steps else None,
        process={k: _stated(cases, (k,)) for k in kinds} | {ALL: _stated(cases, kinds)},
        effects=tuple(_effect(cases, thought) for thought in THOUGHTS),
        config=config,
        versions=versions,
        cases=tuple(cases),
    )


def tables(found: Study) -> list[Table]:
    """Lay a study out for a terminal."""
    rates = (found.form_rate, found.step_form_rate)
    form, steps = ("-" if r is None else f"{100 * r:.1f} %" for r in rates)
    title = (
        f"{found.policy}, {found.task}: {found.n} answers, {form} in form ({steps} of the steps)"
    )
    process = Table(title=title)
    process.add_column("key steps", no_wrap=True)
    for head in ("right", "95 % interval", "stated", "of"):
        process.add_column(head, justify="right", no_wrap=True)
    for name, part in found.process.items():
        rate = _percent(part.share, part.interval)
        process.add_row(name, *rate, str(part.stated), str(part.total))
    effects = Table(title="answers behind a thought")
    effects.add_column("thought", no_wrap=True)
    for head in ("moves the answer by", "95 % interval", "success", "95 % interval", "n", "points"):
        effects.add_column(head, justify="right")
    for row in found.effects:
        moved = "-" if row.distance is None else f"{row.distance:.3f}"
        bounds = row.distance_interval
        within = "-" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
        rate = _percent(row.success_rate, row.interval)
        effects.add_row(THOUGHTS[row.thought], moved, within, *rate, str(row.n), str(row.points))
    return [process, effects]


def _stated(cases: Sequence[Case], kinds: Sequence[Perception]) -> Stated:
    claims = [[c for c in case.claims if c.step.perception in kinds] for case in cases]
    right = [sum(c.is_right for c in of) for of in claims]
    total = sum(map(len, claims))
    return Stated(
        total=total,
        stated=sum(c.is_stated for of in claims for c in of),
        right=sum(right),
        share=sum(right) / total if total else None,
        interval=clustered(right, [len(of) for of in claims]),
    )


def _effect(cases: Sequence[Case], thought: str) -> Effect:
    given = [(c.answers[FREE], c.answers[thought]) for c in cases if thought in c.answers]
    distances = [
        math.dist(free.point_uv, answer.point_uv)
        for free, answer in given
        if free.point_uv is not None and answer.point_uv is not None
    ]
    n, successes = len(given), sum(answer.success for _, answer in given)
    return Effect(
        thought=thought,
        n=n,
        points=len(distances),
        distance=math.fsum(distances) / len(distances) if distances else None,
        distance_interval=student(distances),
        successes=successes,
        success_rate=successes / n if n else None,
        interval=jeffreys(successes, n),
    )


def _percent(rate: float | None, interval: Interval) -> tuple[str, str]:
    if rate is None:
        return "-", "-"
    return f"{100 * rate:.1f} %", f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
