"""TaskSpec: one task in one scene as plain data, and the Task protocol that makes and judges it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, runtime_checkable

import msgspec
from numpy.random import Generator

from refergym.assets import records
from refergym.assets.composers.base import Wants
from refergym.assets.records import Record
from refergym.assets.spec import NonNegative, Positive, SceneSpec, Vec3
from refergym.envs.errors import TaskError
from refergym.envs.grammar import load_program
from refergym.envs.programs import Program
from refergym.envs.relations.bodies import Reference
from refergym.envs.types import Array, Event, Frame, State, Verdict

VERSION = 2


class Area(Record, frozen=True, kw_only=True):
    """A place on a support: a polygon at one height."""

    ring: tuple[tuple[float, float], ...]
    """[K, 2] m, world: its corners in order"""
    without: tuple[tuple[tuple[float, float], ...], ...] = ()
    """rings like that one; what lies inside them does not belong to it"""
    height: float
    """m, world"""
    goal: Vec3
    """[3] m, world: the best point of it"""


class PointObjectGoal(Record, frozen=True, kw_only=True, tag="point_object", tag_field="kind"):
    """The point lies on a visible pixel of the object."""

    object: str
    """id in the scene"""


class PointAreaGoal(Record, frozen=True, kw_only=True, tag="point_area", tag_field="kind"):
    """The point shows a bare place of a support's upper face inside the area."""

    area: Area
    anchors: tuple[str, ...]
    """ids in the scene"""
    support: Annotated[int, msgspec.Meta(ge=0)] = 0
    """index in the scene; the first is the table, the second the floor"""
    start: tuple[float, float] | None = None
    """[2] m, world: where a mobile base waits that gets straight to any point of the area; none of
    places that nothing drives to"""


class HoldGoal(Record, frozen=True, kw_only=True, tag="hold", tag_field="kind"):
    """The object is in the gripper."""

    object: str


class TurnGoal(Record, frozen=True, kw_only=True):
    """How an object is to be turned on the table: one of its directions points a given way."""

    side: str
    """its direction: "handle" """
    to: tuple[float, float]
    """[2] level unit vector, world: where that direction is to point"""
    tolerance: Positive
    """degrees that may be missing or too much"""


class PutGoal(Record, frozen=True, kw_only=True, tag="put", tag_field="kind"):
    """The object rests in its place, and the gripper is empty."""

    object: str
    relation: Literal["onto", "into", "table"]
    """on top of or in the first anchor, or on the table's face inside the area"""
    anchors: tuple[str, ...]
    anchors_xy: tuple[tuple[float, float], ...]
    """[A, 2] m, world: where the anchors' middles stood; the area moves along with them"""
    area: Area
    tolerance: Positive
    """m: also right if the footprint's centre is this near to the area's goal"""
    upright: NonNegative | None = None
    """rad: how far the object may have tipped; none accepts any"""
    turn: TurnGoal | None = None
    """none accepts any"""


class SeveralGoal(Record, frozen=True, kw_only=True, tag="several", tag_field="kind"):
    """Several objects, each in its place at the end."""

    parts: Annotated[tuple[PutGoal, ...], msgspec.Meta(min_length=1)]
    """in the order in which they are asked"""
    ordered: bool
    """whether they have to be brought there in that order"""


class RowGoal(Record, frozen=True, kw_only=True, tag="row", tag_field="kind"):
    """Objects stand on the table in a straight and evenly spaced row."""

    objects: Annotated[tuple[str, ...], msgspec.Meta(min_length=3)]
    along: tuple[float, float]
    """[2] level unit vector, world: the row's direction, either way"""
    slots: tuple[tuple[float, float], ...]
    """[N, 2] m, world: one such row, the n-th place for the n-th object; any other is as good"""
    straight: Positive
    """m that a middle may be off the line"""
    even: Positive
    """share by which a gap may differ from the mean gap"""
    angle: Positive
    """degrees between the row and `along`, at most"""
    tolerance: Positive
    """m from its slot within which an object need not be moved"""


Goal = PointObjectGoal | PointAreaGoal | HoldGoal | PutGoal | SeveralGoal | RowGoal


class Proof(Record, frozen=True, kw_only=True):
    """That ground-truth points solve the task, played from its very start."""

    backend: str
    """kind of the backend in which it was played"""
    start: str
    """digest of the state in which it began"""
    end: str
    """digest of the state in which it ended"""
    points: tuple[tuple[float, float], ...]
    """(u, v) of every step"""


class Certificate(Record, frozen=True, kw_only=True):
    """Why the task can be asked: what was measured when it was made."""

    target_pixels: int | None = None
    """visible pixels of the object to point at or to move"""
    anchor_pixels: tuple[int, ...] = ()
    """visible pixels of each anchor"""
    area_pixels: int | None = None
    """visible pixels of the free area to point at"""
    margin: float | None = None
    """least gap that any rank or relation rests on, in units of the margin asked for; none without
    any"""
    distractors: Annotated[int, msgspec.Meta(ge=0)] = 0
    """objects of the target's category besides it; of the anchors' for a place"""
    objects: Annotated[int, msgspec.Meta(ge=0)] = 0
    """objects in the scene"""
    chance: float
    """probability that a uniformly random point (one for each step needed) succeeds"""
    center: bool = False
    """whether the middle of the picture is a right first point"""
    proof: Proof | None = None
    """of tasks that move things; none where it was not asked for"""
    backend: str
    """kind of the backend in which the scene was settled"""
    renderer: str
    """what made the ids"""
    version: str
    """of refergym"""


class Bound(Record, frozen=True, kw_only=True):
    """What a name in the program meant at the start, and means ever after."""

    path: str
    """of a Select in the program, as `programs.walk` gives it"""
    objects: tuple[str, ...]
    """ids in the scene; several only where all that fit are meant"""


class TaskSpec(Record, frozen=True, kw_only=True):
    """One task, bound to one scene. Referents stay bound while things move."""

    version: int = VERSION
    scene: str
    """digest of the SceneSpec"""
    kind: str
    """the Task that made it and judges it"""
    instruction: str
    program: Program
    goal: Goal
    subgoals: tuple[str, ...] = ()
    """what has to be reached one after the other, for progress"""
    bound: tuple[Bound, ...] = ()
    """what the names in the program mean"""
    frame: Reference = "viewer"
    """whose left, right, front and behind are meant; of several in one program, the one that is
    not the viewer's"""
    certificate: Certificate

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON."""
        return records.digest(self)


@dataclass(frozen=True, kw_only=True)
class Act:
    """One step of an episode, as a task judges it."""

    point_uv: tuple[float, float] | None
    """the point, or none if the answer had none"""
    point_w: Array | None
    """[3] m, world: where the robot believes it, by the observed depth and its calibration; none
    without surface"""
    hit_w: Array | None
    """[3] m, world: what the point shows exactly, without the sensor's noise"""
    hit: int
    """what the point shows: an object's index, or an ID_ constant of `types`"""
    event: Event
    object: int = -1
    """index of the object that was picked or placed, or -1"""


@runtime_checkable
class Task(Protocol):
    """Makes tasks of one kind out of scenes, and judges what became of them."""

    kind: str
    wants: Wants
    """what the composer has to put into a scene for it"""
    moves: bool
    """False if a point alone decides, and the robot stays parked"""
    max_steps: int
    """steps until truncation"""

    def sample(self, scene: SceneSpec, state: State, frame: Frame, rng: Generator) -> TaskSpec:
        """Make a task for a settled scene from what its camera sees.

        Raises:
            TaskError: naming the constraint that the scene does not meet.
        """
        ...

    def judge(
        self, spec: TaskSpec, scene: SceneSpec, start: State, state: State, acts: Sequence[Act]
    ) -> Verdict:
        """Judge a state that was reached from `start` by `acts`. Pure."""
        ...

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """Tell whether further steps can't count."""
        ...


@runtime_checkable
class Mixture(Protocol):
    """A Task that is made of others."""

    parts: Mapping[str, Task]
    """by kind"""

    def draw(self, rng: Generator) -> Task:
        """Choose one of them for a scene."""
        ...


def part_for(task: Task, kind: str) -> Task | None:
    """Return what plays tasks of a kind: a task itself, or a part of it; None if nothing does."""
    if task.kind == kind:
        return task
    return task.parts.get(kind) if isinstance(task, Mixture) else None


def load_task(data: bytes | str) -> TaskSpec:
    """Decode and check a task.

    Raises:
        TaskError: naming the field by path.
    """
    spec = records.decode(data, TaskSpec, error=TaskError)
    check_task(spec)
    return spec


def check_task(spec: TaskSpec) -> None:
    """Check what types alone cannot: the version and the program's grammar."""
    if spec.version != VERSION:
        raise TaskError(f"version: expected {VERSION}, got {spec.version}")
    try:
        load_program(records.canonical_json(spec.program))
    except ValueError as e:
        raise TaskError(f"program: {e}") from e
