"""Check a task that was made elsewhere: do its words mean what it says, and can it be solved?

Everything that the certificate states is measured again from the scene and its rendered ids.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack, open_pack
from refergym.envs import areas, goal_checks, goals, grammar
from refergym.envs.binding import bound_objects, names_in
from refergym.envs.errors import EnvError, TaskError
from refergym.envs.goal_checks import clarity_of
from refergym.envs.language import says
from refergym.envs.programs import Arrange, Floor, Gather, Select
from refergym.envs.proofs import prove, replay
from refergym.envs.refer_env import ReferEnv
from refergym.envs.referents import Clarity, Reading, is_clear, read, read_all
from refergym.envs.starts import Start, look, rest_state
from refergym.envs.task_spec import PointAreaGoal, PutGoal, RowGoal, Task, TaskSpec, part_for
from refergym.envs.tasks.common import task_spec
from refergym.envs.truth import direction_mask
from refergym.envs.types import ID_SUPPORT
from refergym.envs.view import View

NEAR = 0.05
"""share by which a count of pixels and what follows from it may differ: a renderer may round edges
otherwise"""
MARGIN = 0.01
"""share by which a margin may differ"""


def problems(env: ReferEnv, start: Start, pack: Pack | None = None) -> list[str]:
    """List what is wrong with a task; nothing if all of it holds.

    Args:
        env: plays tasks of this kind; its `task` tells how clear words must be.
        start: scene and task.
        pack: assets; None takes the package's own.
    """
    kind = env.backend.kind
    if kind not in start.scene.settled:
        return [f"the scene was not settled for {kind}"]
    part = part_for(env.task, start.task.kind)
    if part is None:
        return [f"task.kind: no {start.task.kind!r} in this environment"]
    found = [*_grammar(start), *_names(start), *goal_checks.check_form(start.task)]
    if found:
        return found  # nothing further can be asked of it
    view = View(start.scene, state := rest_state(start.scene, kind),
                look(env.renderer, start.scene, state), pack or open_pack())  # fmt: skip
    for check in (_meaning, _places):
        found += _told(check, part, start, view)
    figures = [] if found else _told(_figures, part, start, view)
    if part.moves and not found:
        found += _proof(env, start)
    return list(dict.fromkeys((*found, *figures)))


def _told(
    check: Callable[[Task, Start, View], Iterator[str]], part: Task, start: Start, view: View
) -> list[str]:
    try:
        return list(check(part, start, view))
    except TaskError as e:
        return [str(e)]


def _grammar(start: Start) -> Iterator[str]:
    try:
        grammar.check_program(start.task.program)
    except TaskError as e:
        yield f"task.program.{e}"
        return
    if not says(start.task.instruction, start.task.kind, start.task.program):
        yield f"task.instruction: {start.task.instruction!r} does not say the program"


def _names(start: Start) -> Iterator[str]:
    """Every object that is named is in the scene."""
    known = {o.id for o in start.scene.objects}
    named = {n for names in bound_objects(start.task).values() for n in names}
    for name in sorted({*named, *goal_checks.named(start.task.goal)} - known):
        yield f"task: no {name!r} in the scene"
    certificate = start.task.certificate
    made = {"backend": certificate.backend}
    if certificate.proof is not None:
        made["proof.backend"] = certificate.proof.backend
    for key, kind in made.items():
        if kind not in start.scene.settled:
            yield f"certificate.{key}: {kind!r}, for which the scene was not settled"


def _meaning(part: Task, start: Start, view: View) -> Iterator[str]:
    """The names mean what they are bound to, clearly, and that is what the goal is about."""
    task, clarity = start.task, clarity_of(part)
    again = _measured(part, task, view)
    meant, bound = bound_objects(again), bound_objects(task)
    if len(bound) < len(task.bound):
        yield "bound: a name stands twice"
    for path in dict.fromkeys((*meant, *bound)):
        stated, found = bound.get(path, ()), meant.get(path, ())
        if stated != found:
            where = path or "the description"
            yield f"{where}: means {_listed(found)}, bound to {_listed(stated)}"
        for name in found:
            if not is_clear(view.scene.index(name), view, clarity):
                yield f"{path or 'the description'}: too little of {name} is visible"
    if task.frame != again.frame:
        yield f"task.frame: says {task.frame}, is {again.frame}"
    yield from goal_checks.check_objects(task)


def _places(part: Task, start: Start, view: View) -> Iterator[str]:
    yield from goal_checks.check_places(part, start.task, view)


def _figures(part: Task, start: Start, view: View) -> Iterator[str]:
    """The certificate's figures, measured again."""
    stated = start.task.certificate
    found = _measured(part, start.task, view).certificate
    shares = {"margin": MARGIN, "objects": 0.0, "distractors": 0.0, "center": 0.0}
    for name in ("target_pixels", "anchor_pixels", "area_pixels", "chance", *shares):
        says_, is_ = getattr(stated, name), getattr(found, name)
        if not _near(says_, is_, shares.get(name, NEAR)):
            yield f"certificate.{name}: says {says_}, is {is_}"


def _measured(part: Task, task: TaskSpec, view: View) -> TaskSpec:
    """The task as it would be put on record now."""
    clarity = clarity_of(part)
    names = [_read(task, path, select, view, clarity)
             for path, select in names_in(task.program)]  # fmt: skip
    furniture: list[int] = []
    if isinstance(task.program, Floor) and isinstance(task.goal, PointAreaGoal):
        ids = [s.id for s in view.scene.supports]
        shown = [ID_SUPPORT - ids.index(a) for a in task.goal.anchors if a in ids]
        furniture = [int((view.frame.ids == i).sum()) for i in shown]
    return task_spec(
        view,
        kind=task.kind,
        instruction=task.instruction,
        program=task.program,
        goal=task.goal,
        subgoals=task.subgoals,
        names=names,
        targets=[view.scene.index(n) for n in goal_checks.moved(task.goal)],
        places=list(_pixels(task, view)),
        anchors=furniture,
    )


def _read(
    task: TaskSpec, path: str, select: Select, view: View, clarity: Clarity
) -> Reading | Sequence[Reading]:
    is_set = path == "what" and isinstance(task.program, Gather | Arrange)
    try:
        return read_all(select, view, clarity) if is_set else read(select, view, clarity)
    except TaskError as e:
        raise TaskError(f"{path or 'the description'}: {e}") from e


def _pixels(task: TaskSpec, view: View) -> Iterator[NDArray[np.int64]]:
    """The pixels [K, 2] (x, y) that are right for each point of a goal that is not on a thing."""
    goal = task.goal
    if isinstance(goal, RowGoal):
        for slot in goal.slots:
            yield areas.pixels_of(view, areas.disc(view, np.array(slot), goal.tolerance))
        return
    for put in [goal] if isinstance(goal, PointAreaGoal) else goals.parts_of(goal, view):
        area, shows = areas.place_of(put, view)
        yield areas.pixels_of(view, area, shows)
        if isinstance(put, PutGoal) and put.turn is not None:
            told = direction_mask(view, np.array(put.area.goal), put.turn)
            yield np.argwhere(told)[:, ::-1]


def _proof(env: ReferEnv, start: Start) -> Iterator[str]:
    """The oracle solves it from this start, which is the one that the certificate names."""
    stated = start.task.certificate.proof
    try:
        found = prove(env, start)
        if isinstance(found, str):
            yield found
        elif stated is not None and stated.backend == found.backend:
            if stated.start != found.start:
                yield "certificate.proof.start: another state than this start's"
            elif stated != found and (problem := replay(env, start, stated)) is not None:
                yield f"certificate.proof: {problem}"
    except EnvError as e:
        yield str(e)


def _near(stated: object, found: object, share: float) -> bool:
    if isinstance(stated, tuple) and isinstance(found, tuple):
        same = len(stated) == len(found)
        return same and all(_near(s, f, share) for s, f in zip(stated, found, strict=True))
    if share == 0 or stated is None or found is None:
        return stated == found
    assert isinstance(stated, int | float), "a figure"
    assert isinstance(found, int | float), "a figure"
    least = 2.0 if isinstance(found, int) else 0.0
    return math.isclose(stated, found, rel_tol=share, abs_tol=least)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
