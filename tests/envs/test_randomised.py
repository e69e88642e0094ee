"""Randomised episodes: what is asked is still right, what is seen differs, what is believed too."""

import msgspec
import numpy as np
import pytest

from refergym.assets import camera as pinhole
from refergym.assets.randomisation import AXES
from refergym.assets.randomisation.table import HEIGHT, lifted
from refergym.assets.tints import colour_name
from refergym.envs.errors import EnvError, TaskError
from refergym.envs.registration import make_env
from refergym.envs.skills import ways
from refergym.envs.starts import check_start, load_start

SEEN = ("distractors", "colours", "textures", "lights", "camera", "field_of_view")
SENSED = ("exposure", "white_balance")
UNSEEN = ("friction", "mass", "calibration")
MOVED = ("table_height", "robot_start")


def make(randomisation="none", task="point_at_object", backend="kinematic", *overrides):
    moving = ["task.min_grasp_rate=null"] if task in ("pick", "pick_place") else []
    return make_env(task, backend, randomisation=randomisation, overrides=[*moving, *overrides])


def act(env, info):
    point = info["truth"]["point_uv"]
    return env.fail_step("none") if point is None else env.step(np.array(point))


def play(env, index):
    """Let the oracle play; returns the start and the last step's info."""
    _, info = env.reset(seed=5, options={"index": index})
    start, over = info["start"], False
    while not over:
        _, _, terminated, truncated, info = act(env, info)
        over = terminated or truncated
    return start, info


@pytest.fixture(scope="module")
def plain():
    env = make()
    observation, info = env.reset(seed=5, options={"index": 2})
    frame = info["truth"]._look().frame
    yield observation, info["start"].scene, frame
    env.close()


@pytest.mark.parametrize("axis", AXES)
def test_each_axis_changes_what_it_should_and_nothing_else(axis, plain):
    before, scene, frame = plain
    env = make(axis)
    observation, info = env.reset(seed=5, options={"index": 2})
    start = info["start"]
    check_start(start)
    assert start.scene.digest != scene.digest
    assert load_start(start.to_json()) == start
    same_rgb = bool((observation["rgb"] == before["rgb"]).all())
    same_depth = bool((observation["depth"] == before["depth"]).all())
    same_ids = bool((info["truth"]._look().frame.ids == frame.ids).all())
    if axis not in MOVED:  # of the arm and the table the picture may show a shadow, or nothing
        assert same_rgb is (axis in ("depth_noise", *UNSEEN))
    if axis in ("colours", "textures", "lights", *SENSED, *UNSEEN):
        assert (same_depth, same_ids) == (True, True)
    elif axis == "depth_noise":
        assert (same_depth, same_ids) == (False, True)
    elif axis in SEEN:
        assert (same_depth, same_ids) == (False, False)
    env.close()


def test_equal_seeds_give_equal_starts_in_any_environment():
    first, second = make("all", "pick"), make("all", "pick", "kinematic", "pictures=true")
    for index in range(2):
        a, b = (e.reset(seed=3, options={"index": index})[1]["start"] for e in (first, second))
        assert a == b
    first.close()
    second.close()


def test_a_stored_start_is_played_as_it_is():
    randomised, unchanged = make("all"), make()
    _, info = unchanged.reset(seed=1)
    _, again = randomised.reset(options={"episode": info["start"]})
    assert again["start"] == info["start"]
    randomised.close()
    unchanged.close()


def test_tasks_are_right_with_every_axis_at_its_widest():
    env = make("all", "pick_place", "kinematic", "randomisation.axes.calibration=0.0")
    won = 0
    for index in range(4):
        start, info = play(env, index)
        assert start.task.scene == start.scene.digest
        won += info["verdict"].success
    env.close()
    assert won >= 3


@pytest.mark.bullet
def test_tasks_can_be_carried_out_with_contacts_too():
    env = make("all", "pick_place", "bullet", "randomisation.axes.calibration=0.0")
    won = 0
    for index in range(2):
        start, info = play(env, index)
        assert "bullet" in start.scene.settled
        won += info["verdict"].success
    env.close()
    assert won >= 1


@pytest.mark.parametrize("by", [-HEIGHT, HEIGHT])
def test_the_arm_gets_to_the_table_at_its_highest_and_lowest(by, plain):
    scene = lifted(plain[1], by)
    for radius in (0.31, 0.5, 0.69):
        for angle in np.radians((-60, -30, 0, 30, 60)):
            x, y = radius * np.cos(angle), radius * np.sin(angle)
            for above in (0.01, 0.15):
                assert ways.reachable(scene, np.array([x, y, scene.supports[0].top + above]))


def test_a_wrong_calibration_misleads_the_robot_but_not_the_judge():
    env = make("calibration", "pick")
    observation, info = env.reset(seed=5)
    scene, truth = info["start"].scene, info["truth"]
    point = truth["point_uv"]
    x, y = pinhole.pixel_of_point(scene.camera, *point)
    depth = [float(observation["depth"][y, x])]
    right = pinhole.unproject(scene.camera, [(x + 0.5, y + 0.5)], depth)[0]
    assert (observation["intrinsics"] != pinhole.intrinsics(scene.camera)).any()
    _, _, _, _, told = env.step(np.array(point))
    error = float(np.linalg.norm(told["point_w"] - right))
    assert 0.001 < error < 0.08
    act_ = env._acts[-1]
    np.testing.assert_allclose(act_.hit_w, right, atol=1e-9)
    assert act_.hit == truth["target"]
    assert told["truth"]["scene"].camera == scene.camera
    env.close()


@pytest.mark.slow
def test_the_ceiling_falls_with_the_calibration():
    won = []
    for strength in (0.0, 1.0):
        env = make(
            "calibration", "pick_place", "kinematic", f"randomisation.strength={strength}",
            "pictures=false", "max_steps=2",
        )  # fmt: skip
        won.append(sum(play(env, index)[1]["verdict"].success for index in range(20)))
        env.close()
    assert won[0] >= 18
    assert won[1] <= won[0] - 4


def test_a_tinted_thing_is_called_what_it_looks_like():
    env = make("colours")
    named = 0
    for index in range(2):
        _, info = env.reset(seed=5, options={"index": index})
        view, scene = info["truth"]._look(), info["start"].scene
        for thing, o in zip(view.things, scene.objects, strict=True):
            assert thing.colour == colour_name(view.pack, o.asset, o.tint)
            named += thing.colour is not None
    env.close()
    assert named > 0


def test_depth_noise_without_pictures_is_refused():
    env = make("depth_noise", "pick", "kinematic", "pictures=false")
    with pytest.raises(TaskError, match="no axis depth_noise in randomisation"):
        env.reset(seed=0)
    env.close()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("randomisation.axes.camera=2", r"randomisation: .*axes\.camera: expected a number in"),
        ("randomisation.strength=-1", r"randomisation: .*strength: expected a number in"),
        ("randomisation.axes.camra=1", r"randomisation\.axes\.camra: unknown key.*'camera'"),
        ("randomisation=fog", r"randomisation: expected one of all, .*got 'fog'"),
    ],
)
def test_a_wrong_strength_or_axis_is_named(override, message):
    with pytest.raises(EnvError, match=message):
        make_env("pick", "kinematic", overrides=[override])


def fog(scene, pack, rng, *, strength):
    sensor = msgspec.structs.replace(scene.sensor, rgb_sigma=round(10 * strength, 3))
    return msgspec.structs.replace(scene, sensor=sensor)


def test_an_axis_of_one_s_own_comes_by_its_import_path(monkeypatch):
    import refergym.assets.randomisation as package

    monkeypatch.setattr(package, "fog", fog, raising=False)
    target = "{_target_: refergym.assets.randomisation.fog, _partial_: true}"
    own = f"+randomisation.own.fog={{axis: {target}, strength: 0.5}}"
    env = make("none", "pick", "kinematic", own)
    assert env.reset(seed=0)[1]["start"].scene.sensor.rgb_sigma == 5.0
    env.close()
