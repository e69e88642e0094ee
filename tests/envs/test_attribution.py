"""Each way to fail is planted, and told by exactly one name."""

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest

from refergym.assets import camera as pinhole
from refergym.envs import attribution
from refergym.envs.registration import make_env
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Backend, Event, SkillResult

QUICK = ("renderer.shadows=false", "renderer.antialias=none")


@pytest.fixture(scope="module")
def env() -> Iterator[TextEnv]:
    between = ["task.relations=[between]", *QUICK]
    made = TextEnv(make_env("pick_place", "kinematic", overrides=between))
    yield made
    made.close()


@pytest.fixture(scope="module")
def onto() -> Iterator[TextEnv]:
    made = TextEnv(make_env("pick_place", "kinematic", overrides=["task.relations=[onto]", *QUICK]))
    yield made
    made.close()


def step(env: TextEnv, point: tuple[float, float]) -> Any:
    return env.point(point)[4]


def pixel_on(env: TextEnv, index: int) -> tuple[float, float]:
    """A pixel that shows an object."""
    frame = env.refer._frame
    assert frame is not None
    ys, xs = np.nonzero(frame.ids == index)
    k = len(ys) // 2
    return pinhole.point_of_pixel(env.refer.start.scene.camera, int(xs[k]), int(ys[k]))  # type: ignore[union-attr]


def another(env: TextEnv, target: int) -> tuple[float, float]:
    frame = env.refer._frame
    assert frame is not None
    seen = [i for i in np.unique(frame.ids) if i >= 0 and i != target]
    return pixel_on(env, int(seen[0]))


def far_table(env: TextEnv, mask: np.ndarray) -> tuple[float, float]:
    """A pixel of the bare table, away from what is right."""
    frame = env.refer._frame
    assert frame is not None
    from scipy.ndimage import distance_transform_edt

    away = distance_transform_edt(~mask) * (frame.ids == -1) if (frame.ids == -1).any() else (
        distance_transform_edt(~mask) * (frame.ids < 0)
    )  # fmt: skip
    y, x = np.unravel_index(int(away.argmax()), away.shape)
    return pinhole.point_of_pixel(env.refer.start.scene.camera, int(x), int(y))  # type: ignore[union-attr]


class Forced:
    """A backend whose next skill comes out as is asked; the rest is real."""

    def __init__(self, real: Backend, event: Event) -> None:
        self._real, self._event = real, event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def pick(self, point_w: Any) -> SkillResult:
        return SkillResult(event=self._event, detail="planted")

    def place(self, point_w: Any, yaw: float | None = None) -> SkillResult:
        return SkillResult(event=self._event, object=self._real.state().held, detail="planted")


def test_what_goes_right_has_no_cause(env: TextEnv) -> None:
    _, info = env.reset(seed=0)
    causes = []
    while "verdict" not in info:
        info = step(env, info["truth"]["point_uv"])
        causes.append(info["cause"])
    assert causes == [None, None]


def test_unparsable(env: TextEnv) -> None:
    env.reset(seed=0)
    assert env.fail_step("no words")[4]["cause"] == "unparsable"


def test_wrong_object(env: TextEnv) -> None:
    _, info = env.reset(seed=0)
    assert step(env, another(env, info["truth"]["target"]))["cause"] == "wrong_object"


def test_a_wrong_thing_to_put_it_on(onto: TextEnv) -> None:
    _, info = onto.reset(seed=0)
    info = step(onto, info["truth"]["point_uv"])
    goal = info["truth"]["task"].goal
    anchor = info["truth"]["scene"].index(goal.anchors[0])
    frame = onto.refer._frame
    assert frame is not None
    others = [
        i for i in np.unique(frame.ids) if i >= 0 and i not in (anchor, info["truth"]["target"])
    ]
    assert step(onto, pixel_on(onto, int(others[0])))["cause"] == "wrong_object"


def test_a_point_beside_what_is_meant(env: TextEnv) -> None:
    _, info = env.reset(seed=0)
    assert step(env, far_table(env, info["truth"]["mask"]))["cause"] == "bad_point"


def test_a_place_beside_the_one_that_is_meant(env: TextEnv) -> None:
    _, info = env.reset(seed=0)
    info = step(env, info["truth"]["point_uv"])
    assert step(env, far_table(env, info["truth"]["mask"]))["cause"] == "bad_point"


def test_the_right_pixel_with_a_wrong_depth(env: TextEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor has it 30 cm behind what the pixel shows."""
    _, info = env.reset(seed=0)
    point = info["truth"]["point_uv"]
    monkeypatch.setattr(env.refer, "_depth", env.refer._depth + np.float32(0.3))
    info = step(env, point)
    assert info["cause"] == "bad_point"
    assert info["event"] != Event.PICKED


@pytest.mark.parametrize("event", [Event.NO_GRASP, Event.NOTHING_HELD, Event.OUT_OF_REACH])
def test_grasp_failed(env: TextEnv, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    _, info = env.reset(seed=0)
    monkeypatch.setattr(env.refer, "_backend", Forced(env.refer.backend, event))
    assert step(env, info["truth"]["point_uv"])["cause"] == "grasp_failed"


@pytest.mark.parametrize(
    ("event", "cause"), [(Event.PLACE_BLOCKED, "place_failed"), (Event.UNSTABLE, "unstable")]
)
def test_a_place_that_fails(
    env: TextEnv, event: Event, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, info = env.reset(seed=0)
    info = step(env, info["truth"]["point_uv"])
    monkeypatch.setattr(env.refer, "_backend", Forced(env.refer.backend, event))
    assert step(env, info["truth"]["point_uv"])["cause"] == cause


def test_out_of_steps() -> None:
    """Nothing was wrong with the pick; there was no step left to place."""
    made = TextEnv(make_env("pick_place", "kinematic", overrides=["max_steps=1", *QUICK]))
    _, info = made.reset(seed=0)
    info = step(made, info["truth"]["point_uv"])
    assert info["cause"] == "out_of_steps"
    assert not info["verdict"].success
    made.close()


@pytest.mark.parametrize(
    "task", ["point_at_object", "point_at_free_space", "pick", "sequence", "place_turned"]
)
def test_every_failed_step_has_a_cause_and_no_other_has(task: str) -> None:
    """Random points, and ground truth after that: a step without a cause did what it should."""
    made = TextEnv(make_env(task, "kinematic", overrides=QUICK))
    rng = np.random.default_rng(0)
    seen = set()
    for index in range(3):
        _, info = made.reset(seed=1, options={"index": index})
        ended, count = False, 0
        while not ended:
            truth = info["truth"]
            right = truth["point_uv"]
            is_random = count % 2 == 0 and index > 0
            point = tuple(map(float, rng.random(2))) if is_random or right is None else right
            before = truth["stage"]
            _, _, terminated, truncated, info = made.point(point)
            ended, count = terminated or truncated, count + 1
            cause = info["cause"]
            seen.add(cause)
            assert cause is None or cause in get_args(attribution.Cause)
            if cause is None and not info.get("verdict"):
                assert info["truth"]["stage"] != before or not before
            if "verdict" in info and not info["verdict"].success and index == 0:
                assert cause is not None
            if index == 0 and cause is None and ended:
                assert info["verdict"].success
    assert None in seen
    assert len(seen) > 1
    made.close()
