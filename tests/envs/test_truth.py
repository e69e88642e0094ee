"""What the truth points at when the best point of a place can't be seen, or nothing of it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import shapely

from refergym.assets import camera as pinhole
from refergym.assets.library import open_pack
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.starts import look
from refergym.envs.task_spec import Area, PutGoal, TaskSpec
from refergym.envs.truth import mask_of, point_of
from refergym.envs.types import ID_SUPPORT, Frame, State
from refergym.envs.view import View


@pytest.fixture(scope="module")
def env() -> Iterator[ReferEnv]:
    made = make_env("pick", "kinematic", overrides=["pictures=false"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def case(env: ReferEnv) -> tuple[TaskSpec, View]:
    """A thing is held that is to be put where another one stands, or round it."""
    _, info = env.reset(seed=1)
    scene, rest = info["start"].scene, info["truth"]["state"]
    state = State(objects=rest.objects, joints=rest.joints, held=0)
    view = View(scene, state, look(env.renderer, scene, rest), open_pack())
    other = max(range(1, len(view)), key=lambda i: view.pixels[i])
    (x, y), radius = view.thing(other).centre, view.thing(other).radius + 0.06
    circle = shapely.Point(x, y).buffer(radius, quad_segs=4).exterior.coords[:-1]
    area = Area(ring=tuple((float(a), float(b)) for a, b in circle), height=0.0,
                goal=(float(x), float(y), 0.0))  # fmt: skip
    goal = PutGoal(object=scene.objects[0].id, relation="table", anchors=(), anchors_xy=(),
                   area=area, tolerance=0.05)  # fmt: skip
    return msgspec.structs.replace(info["start"].task, goal=goal), view


def test_a_place_with_a_hidden_middle_is_named_as_near_to_it_as_can_be_seen(
    case: tuple[TaskSpec, View],
) -> None:
    task, view = case
    goal: Any = task.goal
    point = point_of(task, view)
    assert point is not None
    x, y = pinhole.pixel_of_point(view.scene.camera, *point)
    mask = mask_of(task, view)
    assert mask[y, x]
    assert view.frame.ids[y, x] == ID_SUPPORT
    ys, xs = np.nonzero(mask)
    away = np.hypot(*(view.points(ys, xs)[:, :2] - goal.area.goal[:2]).T)
    at = view.points(np.array([y]), np.array([x]))[0]
    assert np.hypot(*(at[:2] - goal.area.goal[:2])) == pytest.approx(away.min())
    assert away.min() > 0.025


def test_a_place_of_which_nothing_is_seen_has_no_point(case: tuple[TaskSpec, View]) -> None:
    task, view = case
    ids = np.where(view.frame.ids == ID_SUPPORT, ID_SUPPORT - 1, view.frame.ids)
    frame = Frame(rgb=view.frame.rgb, depth=view.frame.depth, ids=ids)
    blind = View(view.scene, view.state, frame, view.pack)
    assert point_of(task, blind) is None
    assert not mask_of(task, blind).any()
