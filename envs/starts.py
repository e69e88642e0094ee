"""Starts: a settled scene and a task in it; made from a seed, stored as JSON, rebuilt exactly."""

import logging
from collections import Counter

import msgspec
import numpy as np

from refergym.assets import records
from refergym.assets.composers.base import Composer
from refergym.assets.errors import ComposeError
from refergym.assets.poses import as_row
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.assets.spec import SceneSpec, check_scene
from refergym.envs.errors import TaskError
from refergym.envs.task_spec import Mixture, Task, TaskSpec, check_task
from refergym.envs.types import Backend, Frame, Renderer, State

TRIES = 64
"""scenes that are composed at most for one start"""
_log = logging.getLogger(__name__)


class Start(Record, frozen=True, kw_only=True):
    """Where an episode begins."""

    scene: SceneSpec
    task: TaskSpec
    seed: int = 0
    """of the episode: sensor noise follows from it"""
    index: int = 0

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON."""
        return records.digest(self)

    def to_json(self) -> bytes:
        """Encode as canonical JSON."""
        return records.canonical_json(self)


def load_start(data: bytes | str) -> Start:
    """Decode and check a start.

    Raises:
        TaskError: naming the field by path, or that the task belongs to another scene.
    """
    start = records.decode(data, Start, error=TaskError)
    check_start(start)
    return start


def check_start(start: Start) -> None:
    """Check the scene, the task, and that they belong together."""
    check_scene(start.scene)
    check_task(start.task)
    if start.task.scene != start.scene.digest:
        raise TaskError(
            f"task.scene: expected {start.scene.digest[:12]} (the scene's digest), "
            f"got {start.task.scene[:12]}"
        )


def make_start(
    composer: Composer,
    task: Task,
    backend: Backend,
    renderer: Renderer,
    seed: int,
    index: int = 0,
    *,
    tries: int = TRIES,
) -> Start:
    """Compose a scene, settle it, look at it, and choose a task in it, until one can be asked.

    A function of its arguments alone: the same in every process.

    Args:
        composer: makes scenes.
        task: chooses and certifies.
        backend: settles; its kind names the poses.
        renderer: shows which pixels belong to what.
        seed: of the run.
        index: of the episode.
        tries: scenes composed at most.

    Raises:
        TaskError: with the reasons and how often each came up, if no try succeeds.
    """
    task = _drawn(task, seed, index)
    reasons: Counter[str] = Counter()
    for attempt in range(tries):
        try:
            composed = composer.compose(seed, index * tries + attempt, task.wants)
            scene = settle(composed, backend)
            state = rest_state(scene, backend.kind)
            frame = look(renderer, scene, state)
            spec = task.sample(scene, state, frame, generator(seed, "task", index, attempt))
        except (TaskError, ComposeError) as e:
            reasons[str(e)] += 1
            continue
        if attempt:
            _log.debug("start (%d, %d): scene %d of %d", seed, index, attempt + 1, tries)
        spec = _certified(spec, backend, renderer)
        return Start(scene=scene, task=spec, seed=seed, index=index)
    shown = "\n".join(f"  {n} x {r}" for r, n in reasons.most_common(5))
    raise TaskError(
        f"{task.kind}: none of {tries} scenes carries the task (seed {seed}, index {index}); "
        f"the most frequent reasons:\n{shown}\nChange the scene's or the task's limits."
    )


def make_starts(
    composer: Composer,
    task: Task,
    backend: Backend,
    renderer: Renderer,
    seed: int,
    index: int,
    *,
    tasks: int,
) -> tuple[list[Start], Frame | None, Counter[str]]:
    """Compose one scene and choose several different tasks in it.

    Args:
        composer: makes scenes.
        task: chooses and certifies.
        backend: settles; its kind names the poses.
        renderer: makes the picture, with colour.
        seed: of the run.
        index: of the scene.
        tasks: tries, and so tasks at most.

    Returns:
        The starts, the picture that all of them have (None without any), and how often each reason
        stood against a try.
    """
    task = _drawn(task, seed, index)
    reasons: Counter[str] = Counter()
    try:
        scene = settle(composer.compose(seed, index, task.wants), backend)
    except ComposeError as e:
        return [], None, Counter({str(e): 1})
    state = rest_state(scene, backend.kind)
    frame = renderer.render(scene, state)
    found: dict[bytes, TaskSpec] = {}
    for k in range(tasks):
        try:
            spec = task.sample(scene, state, frame, generator(seed, "task", index, k))
        except TaskError as e:
            reasons[str(e)] += 1
            continue
        key = records.canonical_json(spec.program)
        if key in found:
            reasons["the same program again"] += 1
            continue
        found[key] = _certified(spec, backend, renderer)
    starts = [Start(scene=scene, task=spec, seed=seed, index=index) for spec in found.values()]
    return starts, frame if starts else None, reasons


def _drawn(task: Task, seed: int, index: int) -> Task:
    """The task itself, or the part of a mixture that a scene gets."""
    if isinstance(task, Mixture):
        return task.draw(generator(seed, "mixture", index))
    return task


def _certified(spec: TaskSpec, backend: Backend, renderer: Renderer) -> TaskSpec:
    """Write into a task's certificate by what it was made."""
    certificate = msgspec.structs.replace(
        spec.certificate, backend=backend.kind, renderer=renderer.name
    )
    return msgspec.structs.replace(spec, certificate=certificate)


def settle(scene: SceneSpec, backend: Backend) -> SceneSpec:
    """Return the scene with its poses at rest in this kind of backend, if it has none yet."""
    if backend.kind in scene.settled:
        return scene
    settled = {**scene.settled, backend.kind: tuple(backend.settle(scene))}
    return msgspec.structs.replace(scene, settled=settled)


def with_backend(start: Start, backend: Backend) -> Start:
    """Return the same start, settled for one more kind of backend."""
    scene = settle(start.scene, backend)
    task = msgspec.structs.replace(start.task, scene=scene.digest)
    return msgspec.structs.replace(start, scene=scene, task=task)


def rest_state(scene: SceneSpec, kind: str) -> State:
    """State after a reset, without a backend: settled poses, the arm parked, the fingers open."""
    rows = [as_row(p) for p in scene.poses(kind)]
    objects = np.array(rows, np.float64).reshape(-1, 7)
    return State(objects=objects, joints=np.array([*scene.robot.parked, 0.04, 0.04]))


def look(renderer: Renderer, scene: SceneSpec, state: State) -> Frame:
    """Depth and ids of the scene's camera, without colour where the renderer can leave it out."""
    render_ids = getattr(renderer, "render_ids", None)
    if render_ids is None:
        return renderer.render(scene, state)
    depth, ids = render_ids(scene, state)
    return Frame(rgb=np.broadcast_to(np.uint8(0), (*ids.shape, 3)), depth=depth, ids=ids)
