"""Check a task that was made elsewhere: do its words mean what it says, and can it be solved?

Everything that the certificate states is measured again from the scene and its rendered ids.
"""

from collections.abc import Iterator

import shapely
from shapely.geometry.base import BaseGeometry

from refergym.assets.library import Pack, open_pack
from refergym.envs import areas, goals, grammar
from refergym.envs.binding import bound_objects, names_in
from refergym.envs.errors import EnvError, TaskError
from refergym.envs.programs import Arrange, Floor, Gather, Move, Moves, Region, Select
from refergym.envs.proofs import prove
from refergym.envs.refer_env import ReferEnv
from refergym.envs.referents import Clarity, Reading, is_clear, read, read_all
from refergym.envs.regions import Limits, locate
from refergym.envs.starts import Start, look, rest_state
from refergym.envs.task_spec import (
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    RowGoal,
    SeveralGoal,
    Task,
    part_for,
)
from refergym.envs.view import View

ALIKE = 0.9
"""of two places: least share of what either covers that both cover"""
PIXELS = 0.05
"""share by which a count of pixels may differ: a renderer may round edges otherwise"""


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
    view = View(start.scene, state := rest_state(start.scene, kind),
                look(env.renderer, start.scene, state), pack or open_pack())  # fmt: skip
    part = part_for(env.task, start.task.kind)
    if part is None:
        return [f"task.kind: no {start.task.kind!r} in this environment"]
    found: list[str] = []
    for check in (_grammar, _meaning, _places, _figures):
        try:
            found += check(part, start, view)
        except TaskError as e:
            found.append(str(e))
    if part.moves and not found:
        found += _proof(env, start)
    return found


def _grammar(part: Task, start: Start, view: View) -> Iterator[str]:
    grammar.check_program(start.task.program)
    yield from ()


def _meaning(part: Task, start: Start, view: View) -> Iterator[str]:
    """The names mean what they are bound to, clearly, and that is what the goal is about."""
    task, clarity = start.task, _clarity(part)
    bound = bound_objects(task)
    for path, select in names_in(task.program):
        meant = tuple(view.scene.objects[r.index].id for r in _readings(start, path, select, view,
                                                                        clarity))  # fmt: skip
        where = path or "the description"
        if bound.get(path) != meant:
            yield f"{where}: means {', '.join(meant)}, bound to {', '.join(bound.get(path, ()))}"
    for path, names in bound.items():
        for name in names:
            if not is_clear(view.scene.index(name), view, clarity):
                yield f"{path or 'the description'}: too little of {name} is visible"
    for name in _goal_objects(start):
        if not any(name in names for names in bound.values()):
            yield f"goal: {name} is not what the words mean"


def _readings(
    start: Start, path: str, select: Select, view: View, clarity: Clarity
) -> list[Reading]:
    if path == "what" and isinstance(start.task.program, Gather | Arrange):
        return read_all(select, view, clarity)
    return [read(select, view, clarity)]


def _goal_objects(start: Start) -> tuple[str, ...]:
    goal = start.task.goal
    if isinstance(goal, PointObjectGoal | HoldGoal | PutGoal):
        return (goal.object,)
    if isinstance(goal, SeveralGoal):
        return tuple(p.object for p in goal.parts)
    return goal.objects if isinstance(goal, RowGoal) else ()


def _places(part: Task, start: Start, view: View) -> Iterator[str]:
    """The goal's areas are where the words say, and free."""
    program, goal = start.task.program, start.task.goal
    regions: list[Region] = []
    if isinstance(program, Region):
        regions = [program]
    elif isinstance(program, Move | Gather):
        regions = [program.where]
    elif isinstance(program, Moves):
        regions = [m.where for m in program.parts]
    parts: list[PointAreaGoal | PutGoal] = list(goals.parts_of(goal, view))
    if isinstance(goal, PointAreaGoal) and not isinstance(program, Floor):
        parts = [goal]
    if isinstance(goal, RowGoal):
        parts = []
    if isinstance(program, Gather):
        regions *= len(parts)
    if len(regions) != len(parts):
        yield f"goal: {len(parts)} places, {len(regions)} in the program"
        return
    for region, put in zip(regions, parts, strict=True):
        place = locate(region, view, _clarity(part), _limits(part))
        if _alike(place.polygon, areas.polygon_of(put.area)) < ALIKE:
            yield "goal: the area is not where the words say"
        is_table = isinstance(put, PointAreaGoal) or put.relation == "table"
        moved = [view.scene.index(n) for n in _goal_objects(start)]
        free = areas.free(view, 0.0, 0.0, without=moved)
        if is_table and not shapely.contains_xy(free, *put.area.goal[:2]):
            yield "goal: the place is taken or off the table"


def _figures(part: Task, start: Start, view: View) -> Iterator[str]:
    """The certificate's figures, measured again."""
    task, stated = start.task, start.task.certificate
    targets = [view.scene.index(n) for n in _goal_objects(start)]
    if targets and not _near(stated.target_pixels, int(view.pixels[targets[0]])):
        yield _differs("target_pixels", stated.target_pixels, int(view.pixels[targets[0]]))
    if stated.objects != len(view):
        yield _differs("objects", stated.objects, len(view))
    first: PointAreaGoal | PutGoal | None = None
    if isinstance(task.goal, PointAreaGoal):
        first = task.goal
    elif isinstance(task.goal, PutGoal | SeveralGoal):
        first = goals.parts_of(task.goal, view)[0]
    if first is not None:
        area, shows = areas.place_of(first, view)
        shown = len(areas.pixels_of(view, area, shows))
        if not _near(stated.area_pixels, shown):
            yield _differs("area_pixels", stated.area_pixels, shown)


def _proof(env: ReferEnv, start: Start) -> Iterator[str]:
    """The oracle solves it from this start, which is the one that the certificate names."""
    stated = start.task.certificate.proof
    try:
        found = prove(env, start)
    except EnvError as e:
        yield str(e)
        return
    if isinstance(found, str):
        yield found
    elif stated is not None and stated.backend == found.backend and stated.start != found.start:
        yield "certificate.proof.start: another state than this start's"


def _near(stated: int | None, found: int) -> bool:
    return stated is not None and abs(stated - found) <= max(2, PIXELS * found)


def _differs(name: str, stated: object, found: object) -> str:
    return f"certificate.{name}: says {stated}, is {found}"


def _alike(a: BaseGeometry, b: BaseGeometry) -> float:
    union = a.union(b).area
    return float(a.intersection(b).area / union) if union > 0 else 0.0


def _clarity(part: Task) -> Clarity:
    found = getattr(part, "clarity", None)
    return found if isinstance(found, Clarity) else Clarity()


def _limits(part: Task) -> Limits:
    found = getattr(part, "limits", None)
    return found if isinstance(found, Limits) else Limits()
