import itertools
import warnings

import gymnasium as gym
import msgspec
import numpy as np
import pytest

from refergym.envs.errors import ActionError, ClosedError, EnvError, TaskError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.types import Event

KINDS = ("point_at_object", "point_at_free_space", "pick", "pick_place")


def make(kind, *overrides, **kwargs):
    extra = ["task.min_grasp_rate=null"] if kind in ("pick", "pick_place") else []
    kwargs.setdefault("backend", "kinematic")
    return make_env(task=kind, overrides=[*extra, *overrides], **kwargs)


@pytest.fixture(scope="module")
def envs():
    made = {kind: make(kind) for kind in KINDS}
    yield made
    for env in made.values():
        env.close()


@pytest.fixture
def env(envs):
    envs["pick_place"].reset(seed=2)
    return envs["pick_place"]


def oracle(env, info):
    point = info["truth"]["point_uv"]
    return env.fail_step("none") if point is None else env.step(np.array(point))


def play(env, info):
    """Let the oracle play; returns every step."""
    steps = []
    while not steps or not (steps[-1][2] or steps[-1][3]):
        steps.append(oracle(env, steps[-1][4] if steps else info))
    return steps


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_solves_most_episodes(envs, kind):
    env, solved = envs[kind], 0
    for i in range(8):
        _, info = env.reset(seed=1, options={"index": i})
        solved += play(env, info)[-1][4]["verdict"].success
    assert solved >= (8 if kind.startswith("point") else 4)


def test_pointing_takes_one_step_and_leaves_the_robot_parked(envs):
    env = envs["point_at_object"]
    _, info = env.reset(seed=4)
    before = info["truth"]["state"].digest()
    _, reward, terminated, truncated, info = oracle(env, info)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["event"] is Event.POINTED
    assert info["truth"]["state"].digest() == before


def test_pick_then_place(envs):
    env = envs["pick_place"]
    for i in range(10):
        observation, info = env.reset(seed=1, options={"index": i})
        assert (observation["holding"], observation["event"]) == (0, Event.NONE)
        steps = play(env, info)
        if steps[-1][4]["verdict"].success:
            break
    (first, *_), (last, reward, terminated, _, _) = steps[-2], steps[-1]
    assert (first["holding"], first["event"]) == (1, Event.PICKED)
    assert (last["holding"], last["event"]) == (0, Event.PLACED)
    assert (reward, terminated) == (1.0, True)


def test_a_failed_grasp_costs_a_step_and_may_be_tried_again(envs):
    env = envs["pick"]
    _, info = env.reset(seed=2)
    table = np.argwhere(info["truth"]._look().frame.ids == -10)[0]
    point = (table[::-1] + 0.5) / 224
    _, _, terminated, truncated, step = env.step(point)
    assert not terminated
    assert not truncated
    assert step["event"] is not Event.PICKED
    assert "verdict" not in step
    _, _, terminated, truncated, step = env.step(point)
    assert (terminated, truncated) == (False, True)
    assert step["verdict"].stage == "point"


def test_an_answer_without_a_point_costs_a_step(env):
    observation, reward, terminated, truncated, info = env.fail_step("no point in the answer")
    assert observation["event"] == Event.INVALID
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["detail"] == "no point in the answer"
    for _ in range(3):
        *_, truncated, info = env.fail_step("again")
    assert truncated
    assert info["verdict"].stage == "invalid"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([np.nan, 0.5]), "u = nan, expected in"),
        (np.array([0.5, np.inf]), "v = inf"),
        (np.array([0.5, -0.01]), "v = -0.01"),
        (np.array([1.0001, 0.5]), "u = 1.0001"),
        (np.array([112, 80]), "expected floats, got int64.*pixels become a point"),
        (np.array([0.5, 0.5, 0.5]), r"expected shape \(2,\)"),
        (np.array([[0.5, 0.5]]), r"expected shape \(2,\)"),
        (0.5, r"expected shape \(2,\)"),
        ("0.5, 0.5", "expected shape"),
        (None, "expected shape"),
        (np.array([0.5, 0.5j]), "expected floats, got complex"),
        ([0.5, [0.1]], "expected two floats"),
    ],
)
def test_a_wrong_action_is_refused_and_costs_nothing(env, action, message):
    with pytest.raises(ActionError, match=message):
        env.step(action)
    *_, truncated, _ = env.step(np.array([0.5, 0.5]))
    assert not truncated


@pytest.mark.parametrize("action", [np.float32([0, 1]), [1.0, 0.0], (0.0, 0.0), np.ones(2)])
def test_every_point_of_the_space_is_taken(env, action):
    env.step(action)


def test_observations_fit_their_space_and_share_no_memory(envs):
    for env in envs.values():
        observation, info = env.reset(seed=6)
        seen = [observation, *(step[0] for step in play(env, info))]
        assert all(o in env.observation_space for o in seen)
        for a, b in itertools.combinations(seen, 2):
            for key in a.keys() & b.keys():
                assert not np.shares_memory(a[key], b[key])
        for o in seen:
            arrays = [v for v in o.values() if isinstance(v, np.ndarray)]
            for a, b in itertools.combinations(arrays, 2):
                assert not np.shares_memory(a, b)


def test_what_a_policy_does_to_an_observation_changes_nothing(env):
    observation, _ = env.reset(seed=2)
    wanted = {k: np.copy(v) for k, v in observation.items()}
    for value in observation.values():
        if isinstance(value, np.ndarray):
            value[...] = 0
    assert (env.render() != 0).any()
    *_, info = env.step(np.array([0.5, 0.5]))
    assert info["point_w"] is not None
    again, _ = env.reset(seed=2)
    for key, value in again.items():
        np.testing.assert_array_equal(value, wanted[key])


def test_the_picture_changes_when_something_was_moved(envs):
    env = envs["pick"]
    for i in range(10):
        first, info = env.reset(seed=1, options={"index": i})
        observation, *_, step = oracle(env, info)
        if step["event"] is Event.PICKED:
            break
    assert (observation["rgb"] != first["rgb"]).any()
    np.testing.assert_array_equal(observation["first_rgb"], first["rgb"])


def test_the_same_start_gives_the_same_episode(envs):
    env = envs["pick_place"]
    _, info = env.reset(seed=1)
    start, steps = info["start"], play(env, info)
    for given in (start, start.to_json()):
        _, info = env.reset(seed=999, options={"episode": given})
        assert info["start"] == start
        for (a, *_), (b, *_) in zip(steps, play(env, info), strict=True):
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])


def test_episodes_follow_from_the_seed_and_the_number(envs):
    env = envs["point_at_object"]
    first = [env.reset(seed=8)[1]["start"]] + [env.reset()[1]["start"] for _ in range(2)]
    second = [env.reset(seed=8, options={"index": i})[1]["start"] for i in range(3)]
    assert first == second
    assert len({s.digest for s in first}) == 3
    assert env.reset(seed=9)[1]["start"] != first[0]


def test_a_reset_that_fails_leaves_the_environment_usable(envs):
    env = envs["pick_place"]
    _, info = env.reset(seed=2)
    start = info["start"]
    unsettled = msgspec.structs.replace(start.scene, settled={})
    broken = msgspec.structs.replace(
        start,
        scene=unsettled,
        task=msgspec.structs.replace(start.task, scene=unsettled.digest),
    )
    for options, message in [
        ({"episode": broken}, "no poses for backend kind"),
        ({"episode": b"{"}, "not valid JSON"),
        ({"episode": 5}, "expected a Start, got int"),
        ({"epizode": start}, r"unknown \['epizode'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            env.reset(options=options)
    with pytest.raises(EnvError, match="call reset"):
        env.step(np.array([0.5, 0.5]))
    env.reset(options={"episode": start})
    env.step(np.array([0.5, 0.5]))


def test_a_start_of_another_task_or_size_is_refused(envs):
    start = envs["pick"].reset(seed=1)[1]["start"]
    with pytest.raises(TaskError, match="plays 'pick_place', got 'pick'"):
        envs["pick_place"].reset(options={"episode": start})
    small = make("pick", "scene.width=96", "scene.height=64")
    assert small.reset(seed=1)[0]["rgb"].shape == (64, 96, 3)
    with pytest.raises(TaskError, match=r"expected 96x64 px .* got 224x224"):
        small.reset(options={"episode": start})


def test_noise_follows_from_the_seed_and_the_step():
    env = make("pick", sensor="gaussian")
    first, _ = env.reset(seed=1)
    second, *_ = env.fail_step("")
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(first["depth"], again["depth"])
    assert (first["depth"] != second["depth"]).any()
    exact = make("pick")
    clean, _ = exact.reset(seed=1)
    away = np.abs(first["depth"] - clean["depth"])
    assert away.any()
    assert (away <= 0.02 * clean["depth"] ** 2).all()
    env.close()
    exact.close()


def test_without_pictures_the_same_points_do_the_same(envs):
    """Depth is cast, not looked up; a ray and a pixel agree to a fraction of a millimetre."""
    blind = make("pick_place", "pictures=false")
    sighted = envs["pick_place"]
    assert "rgb" not in blind.observation_space.spaces
    for i in range(3):
        _, info = sighted.reset(seed=1, options={"index": i})
        observation, _ = blind.reset(options={"episode": info["start"]})
        assert observation in blind.observation_space
        for step in play(sighted, info):
            pixel = step[4]["pixel"]
            _, _, terminated, truncated, told = blind.step((np.array(pixel) + 0.5) / 224)
            assert told["event"] == step[4]["event"]
            assert (terminated, truncated) == step[2:4]
            np.testing.assert_allclose(told["point_w"], step[4]["point_w"], atol=1e-4)
    _, info = blind.reset(seed=1)
    assert info["truth"]["point_uv"] is not None
    assert blind.render().shape == (224, 224, 3)
    blind.close()


def test_render_draws_the_points(env):
    observation, _ = env.reset(seed=2)
    np.testing.assert_array_equal(env.render(), observation["rgb"])
    env.step(np.array([0.25, 0.75]))
    assert tuple(env.render()[168, 56]) == (255, 40, 40)


def test_nothing_heavy_is_made_before_the_first_reset():
    made = []

    def backend():
        made.append("backend")
        raise RuntimeError("not now")

    parts = make("pick")
    env = ReferEnv(composer=parts.composer, task=parts.task, backend=backend, renderer=backend)
    assert made == []
    env.close()
    with pytest.raises(ClosedError, match="closed"):
        env.reset()
    assert made == []


def test_steps_out_of_turn_are_refused(envs):
    env = make("point_at_object")
    with pytest.raises(EnvError, match="call reset"):
        env.step(np.array([0.5, 0.5]))
    with pytest.raises(EnvError, match="call reset"):
        env.render()
    env.reset(seed=1)
    env.step(np.array([0.5, 0.5]))
    with pytest.raises(EnvError, match="has ended"):
        env.step(np.array([0.5, 0.5]))
    env.close()
    env.close()
    with pytest.raises(ClosedError):
        env.step(np.array([0.5, 0.5]))


def test_truth_stays_out_of_observations(env):
    observation, info = env.reset(seed=2)
    assert set(observation) == {
        "rgb", "depth", "intrinsics", "instruction", "holding", "event", "first_rgb"
    }  # fmt: skip
    assert set(info["truth"]) == {
        "scene", "state", "task", "target", "ids", "mask", "mask_w", "point_uv", "key_steps",
        "stage",
    }  # fmt: skip


def test_gymnasium_wrappers_work(envs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("refergym/PointAtObject-v0", backend="kinematic")
        observation, info = env.reset(seed=1)
        env.step(np.array(info["truth"]["point_uv"]))
        env.close()
    assert observation["rgb"].shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": -1}, "options.index: expected a whole number >= 0, got -1"),
        ({"index": 1.5}, "options.index: expected a whole number >= 0, got 1.5"),
        ({"index": True}, "options.index: expected a whole number >= 0, got True"),
        ({"index": "a"}, "options.index: expected a whole number >= 0, got 'a'"),
        ({1: 2, "a": 3}, "options: unknown"),
        ([1], "options: expected a dict"),
    ],
)
def test_wrong_reset_options_are_named(env, options, message):
    with pytest.raises(EnvError, match=message):
        env.reset(seed=2, options=options)


def test_a_start_with_a_negative_seed_is_refused(env):
    start = msgspec.structs.replace(env.start, seed=-5)
    with pytest.raises(TaskError, match="seed and index: expected >= 0, got -5 and 0"):
        env.reset(options={"episode": start})


def test_nothing_is_made_or_shown_after_close():
    env = make("point_at_object")
    env.reset(seed=0)
    env.close()
    for use in (lambda: env.backend, lambda: env.renderer, env.render):
        with pytest.raises(ClosedError):
            use()
