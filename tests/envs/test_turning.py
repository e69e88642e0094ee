"""A place with a turn takes two points: where, and which way."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from refergym.assets import camera as pinhole
from refergym.assets.library import open_pack
from refergym.envs import turning
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.starts import Start
from refergym.envs.task_spec import PutGoal
from refergym.envs.types import Array, Event
from refergym.envs.view import Layout

Info = dict[str, Any]
SEED = 7


@pytest.fixture(scope="module")
def env() -> Iterator[ReferEnv]:
    made = make_env("place_turned", "kinematic", overrides=["pictures=false"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def starts(env: ReferEnv) -> list[Start]:
    return [env.reset(seed=SEED, options={"index": i})[1]["start"] for i in (1, 2, 3)]


def named(env: ReferEnv, start: Start) -> Info:
    """Play a start until its place is named."""
    _, info = env.reset(options={"episode": start})
    for event in (Event.PICKED, Event.AIMED):
        info = env.step(np.array(info["truth"]["point_uv"]))[4]
        assert info["event"] is event
    return info


def ahead(start: Start, place_w: Array, angle: float, away: float = 0.12) -> Array | None:
    """The point (u, v) that shows the table in a direction from a place; none if out of view."""
    camera = start.scene.camera
    toward = place_w + away * np.array([np.cos(angle), np.sin(angle), 0.0])
    px, _ = pinhole.project(camera, toward[None])
    uv = px[0] / (camera.width, camera.height)
    return uv if (uv > 0).all() and (uv < 1).all() else None


def misses(env: ReferEnv, start: Start, angles: Array) -> list[float | Event]:
    """For each direction: by how many degrees the object is turned wrongly, or what went wrong."""
    goal = start.task.goal
    assert isinstance(goal, PutGoal)
    assert goal.turn is not None
    found: list[float | Event] = []
    for angle in angles:
        place_w = named(env, start)["point_w"]
        uv = ahead(start, place_w, angle)
        if uv is None:
            continue
        info = env.step(uv)[4]
        if info["event"] is not Event.PLACED:
            found.append(info["event"])
            continue
        way = (info["point_w"] - place_w)[:2]
        now = Layout(start.scene, info["truth"]["state"], open_pack())
        facing = now.bodies[start.scene.index(goal.object)].facing(goal.turn.side)
        assert facing is not None
        cosine = facing @ way / np.linalg.norm(way)
        found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return found


def test_the_second_point_decides_the_way_it_faces(env: ReferEnv, starts: list[Start]) -> None:
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    found = [m for s in starts for m in misses(env, s, angles)]
    off = [m for m in found if isinstance(m, float)]
    assert len(off) >= 12
    assert max(off) < 0.1


@pytest.mark.bullet
def test_the_second_point_decides_it_in_bullet_too() -> None:
    env = make_env("place_turned", "bullet", overrides=["pictures=false"])
    start = env.reset(seed=SEED, options={"index": 1})[1]["start"]
    found = misses(env, start, np.radians([70.0, 190.0]))
    env.close()
    off = [m for m in found if isinstance(m, float)]
    assert len(off) == 2
    assert max(off) < 5


def test_naming_the_place_changes_nothing_but_what_comes_next(
    env: ReferEnv, starts: list[Start]
) -> None:
    _, info = env.reset(options={"episode": starts[0]})
    info = env.step(np.array(info["truth"]["point_uv"]))[4]
    place, before = np.array(info["truth"]["point_uv"]), info["truth"]["state"].digest()
    observation, reward, terminated, truncated, info = env.step(place)
    assert (info["event"], observation["event"]) == (Event.AIMED, Event.AIMED)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation["holding"] == 1
    assert info["truth"]["state"].digest() == before
    assert info["truth"]["point_uv"] != pytest.approx(place), "now the way is to be told"
    *_, terminated, _, info = env.step(np.array(info["truth"]["point_uv"]))
    assert (terminated, info["event"]) == (True, Event.PLACED)
    assert info["verdict"].success
    assert info["truth"]["state"].digest() != before


def test_an_answer_without_a_point_keeps_the_place_that_was_named(
    env: ReferEnv, starts: list[Start]
) -> None:
    named(env, starts[0])
    *_, info = env.fail_step("no point")
    *_, info = env.step(np.array(info["truth"]["point_uv"]))
    assert info["event"] is Event.PLACED


def test_after_a_blocked_place_it_is_named_again_and_elsewhere(
    env: ReferEnv, starts: list[Start]
) -> None:
    blocked = 0
    for start in starts:
        for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
            place_w = named(env, start)["point_w"]
            uv = ahead(start, place_w, angle)
            info = {} if uv is None else env.step(uv)[4]
            if info.get("event") is not Event.PLACE_BLOCKED:
                continue
            blocked += 1
            assert info["truth"]["state"].held >= 0
            *_, info = env.step(np.array(info["truth"]["point_uv"]))
            assert info["event"] is Event.AIMED
            assert np.linalg.norm(info["point_w"] - place_w) > 0.01, (
                "what failed is not tried again"
            )
            *_, info = env.step(np.array(info["truth"]["point_uv"]))
            assert info["event"] is not Event.AIMED
            break
    assert blocked


def test_points_that_are_too_near_each_other_turn_nothing(
    env: ReferEnv, starts: list[Start]
) -> None:
    info = named(env, starts[0])
    start, state = starts[0], info["truth"]["state"]
    before = Layout(start.scene, state, open_pack())
    place = info["point_w"]
    for away, is_told in [(0.004, False), (0.006, True)]:
        toward = place + np.array([away, 0.0, 0.0])
        yaw = turning.yaw(start.task.goal, before, state.held, place, toward)
        assert (yaw is not None) == is_told
    other = next(i for i in range(len(before)) if i != state.held)
    assert turning.yaw(start.task.goal, before, other, place, place + 0.1) is None


def test_a_start_replayed_gives_bitwise_equal_states(env: ReferEnv, starts: list[Start]) -> None:
    def play() -> list[str]:
        info = named(env, starts[1])
        *_, last = env.step(np.array([0.5, 0.6]))
        return [info["truth"]["state"].digest(), last["truth"]["state"].digest()]

    assert play() == play()


@pytest.mark.parametrize("kind", ["pick_place", "sequence"])
def test_without_a_turn_a_place_takes_one_point(kind: str) -> None:
    env = make_env(kind, "kinematic", overrides=["pictures=false"])
    _, info = env.reset(seed=SEED)
    assert not turning.is_asked(info["start"].task.goal)
    events = []
    while "verdict" not in info:
        *_, info = env.step(np.array(info["truth"]["point_uv"]))
        events.append(info["event"])
    env.close()
    assert info["verdict"].success
    assert events == [Event.PICKED, Event.PLACED] * (len(events) // 2)
