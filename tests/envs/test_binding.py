"""Every name in a program is bound to what it means, however deep it stands."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refergym.assets.composers.base import Wants
from refergym.assets.library import open_pack
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.binding import bound_objects, frame_of, names_in
from refergym.envs.errors import TaskError
from refergym.envs.programs import Arrange, Gather, Select, walk
from refergym.envs.referents import Clarity, read, read_all
from refergym.envs.registration import compose_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state, settle
from refergym.envs.task_spec import RowGoal, SeveralGoal, Task, TaskSpec
from refergym.envs.view import View

KINDS = {
    "point_at_object": ["task.steps=[1,5]"],
    "point_at_free_space": ["task.steps=[1,5]"],
    "pick_place": ["task.steps=[3,5]", "task.rehearsed=false"],
    "place_turned": ["task.rehearsed=false"],
    "sequence": ["task.rehearsed=false"],
    "put_all": ["task.rehearsed=false"],
    "arrange_row": ["task.rehearsed=false"],
}
CLARITY = Clarity()
VIEWS = 9


def instantiated(config: Any) -> Any:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    return instantiate(OmegaConf.to_container(config), _convert_="all")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {
        kind: instantiated(compose_env([f"task={kind}", *asked]).task)
        for kind, asked in KINDS.items()
    }


@pytest.fixture(scope="module")
def views(tasks: dict[str, Task]) -> Iterator[list[View]]:
    composer = instantiated(compose_env([]).scene)
    backend, renderer = KinematicBackend(), EmbreeRenderer()
    made = []
    wanted = [Wants(duplicates=True), tasks["put_all"].wants, tasks["arrange_row"].wants]
    for index in range(VIEWS):
        wants = wanted[index % len(wanted)]
        scene = settle(composer.compose(4, index, wants), backend)
        state = rest_state(scene, "kinematic")
        made.append(View(scene, state, look(renderer, scene, state), open_pack()))
    yield made
    renderer.close()


def made(task: Task, view: View, seed: int) -> TaskSpec | None:
    try:
        return task.sample(view.scene, view.state, view.frame, np.random.default_rng(seed))
    except TaskError:
        return None


def meant(spec: TaskSpec, path: str, select: Select, view: View) -> tuple[str, ...]:
    """What a name means, read by itself."""
    is_set = path == "what" and isinstance(spec.program, Gather | Arrange)
    readings = read_all(select, view, CLARITY) if is_set else [read(select, view, CLARITY)]
    return tuple(view.scene.objects[r.index].id for r in readings)


@given(kind=st.sampled_from(list(KINDS)), n=st.integers(0, VIEWS - 1), seed=st.integers(0, 2**31))
@settings(max_examples=40)
def test_every_name_is_bound_to_what_it_means(
    tasks: dict[str, Task], views: list[View], kind: str, n: int, seed: int
) -> None:
    spec = made(tasks[kind], views[n], seed)
    assume(spec is not None)
    assert spec is not None
    names = {path: node for path, node in walk(spec.program) if isinstance(node, Select)}
    bound = bound_objects(spec)
    assert len(spec.bound) == len(bound), "no name twice"
    assert bound.keys() == names.keys()
    for path, select in names.items():
        assert bound[path] == meant(spec, path, select, views[n]), path


@pytest.mark.parametrize("kind", ["put_all", "arrange_row"])
def test_a_name_for_all_that_fit_is_bound_to_every_one(
    tasks: dict[str, Task], views: list[View], kind: str
) -> None:
    specs = [(s, v) for v in views for k in range(3) if (s := made(tasks[kind], v, k)) is not None]
    assert specs
    for spec, view in specs:
        assert isinstance(spec.program, Gather | Arrange)
        what = spec.program.what
        fit = {
            o.id
            for t, o in zip(view.things, view.scene.objects, strict=True)
            if t.category == what.category and what.colour in (None, t.colour)
        }
        assert set(bound_objects(spec)["what"]) == fit
        goal = spec.goal
        assert isinstance(goal, SeveralGoal | RowGoal)
        moved = [p.object for p in goal.parts] if isinstance(goal, SeveralGoal) else goal.objects
        assert sorted(moved) == sorted(fit)
        assert len(fit) >= (2 if kind == "put_all" else 3)


def test_deep_names_come_up_and_each_outermost_name_leads_to_its_own(
    tasks: dict[str, Task], views: list[View]
) -> None:
    specs = [s for v in views for k in range(4)
             if (s := made(tasks["point_at_object"], v, k)) is not None]  # fmt: skip
    deepest = max(path.count("anchor") for s in specs for path in bound_objects(s))
    assert deepest >= 2
    for spec in specs:
        assert isinstance(spec.program, Select)
        assert list(names_in(spec.program)) == [("", spec.program)]


@given(kind=st.sampled_from(["point_at_object", "pick_place"]), seed=st.integers(0, 2**31))
@settings(max_examples=10)
def test_the_frame_is_the_first_that_is_not_the_viewers(
    tasks: dict[str, Task], views: list[View], kind: str, seed: int
) -> None:
    spec = made(tasks[kind], views[seed % len(views)], seed)
    assume(spec is not None)
    assert spec is not None
    frames = [f for _, n in walk(spec.program)
              if (f := getattr(n, "frame", "viewer")) in ("object", "robot")]  # fmt: skip
    assert spec.frame == frame_of(spec.program) == (frames[0] if frames else "viewer")
