"""One environment that plays several kinds of tasks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from refergym.envs.errors import TaskError
from refergym.envs.grammar import steps
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import compose_env, make_env
from refergym.envs.starts import Start
from refergym.envs.task_spec import part_for
from refergym.envs.tasks import Mixed

PLAYED = ("point_at_object", "point_at_free_space", "pick", "pick_place", "place_turned",
          "sequence", "put_all", "arrange_row")  # fmt: skip


def mixed(*overrides: str) -> Mixed:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = compose_env(["task=mixed", *overrides]).task
    made = instantiate(OmegaConf.to_container(config), _convert_="all")
    assert isinstance(made, Mixed)
    return made


def weights(**given: float) -> list[str]:
    return [f"task.weights.{kind}={given.get(kind, 0)}" for kind in PLAYED]


@pytest.fixture(scope="module")
def env() -> Iterator[ReferEnv]:
    made = make_env("mixed", "kinematic", overrides=["pictures=false"])
    yield made
    made.close()


def kinds(env: ReferEnv, seed: int, count: int) -> list[str]:
    starts = [env.reset(seed=seed, options={"index": i})[1]["start"] for i in range(count)]
    return [s.task.kind for s in starts]


def test_kinds_are_drawn_by_their_weights() -> None:
    task = mixed(*weights(point_at_object=1, pick=3, put_all=4))
    rng = np.random.default_rng(0)
    drawn = Counter(task.draw(rng).kind for _ in range(4000))
    assert set(drawn) == {"point_at_object", "pick", "put_all"}
    shares = {"point_at_object": 0.125, "pick": 0.375, "put_all": 0.5}
    for kind, share in shares.items():
        spread = 4 * np.sqrt(share * (1 - share) / 4000)
        assert abs(drawn[kind] / 4000 - share) < spread


def test_a_weight_of_zero_only_plays() -> None:
    task = mixed(*weights(pick=1))
    rng = np.random.default_rng(0)
    assert {task.draw(rng).kind for _ in range(50)} == {"pick"}
    assert set(task.parts) == set(PLAYED)
    for kind in PLAYED:
        assert part_for(task, kind) is task.parts[kind]
    assert part_for(task, "point_at_waypoint") is None
    assert task.max_steps == max(t.max_steps for t in task.parts.values()) == 12
    assert task.moves


def test_the_same_seed_and_number_have_the_same_kind(env: ReferEnv) -> None:
    first = kinds(env, 3, 5)
    assert kinds(env, 3, 5) == first
    assert len(set(first)) >= 2
    assert kinds(env, 4, 5) != first


def test_a_scene_of_a_kind_is_composed_for_that_kind(env: ReferEnv) -> None:
    """The start is that of the part alone, whatever else is in the mixture."""
    start = env.reset(seed=3)[1]["start"]
    alone = make_env(start.task.kind, "kinematic", overrides=["pictures=false"])
    assert alone.reset(seed=3)[1]["start"] == start
    alone.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({k: 0.0 for k in PLAYED}, "weights: expected numbers >= 0, some of them > 0"),
        ({"pick": -1.0, "put_all": 2.0}, "weights: expected numbers >= 0"),
        ({"pick": float("nan")}, "weights: expected numbers >= 0"),
        ({"pik": 1.0}, "of point_at_object, .*; got {'pik': 1.0}"),
    ],
)
def test_wrong_weights_are_refused(given: Mapping[str, float], message: str) -> None:
    parts = {k: {"_target_": "refergym.envs.tasks.PointAtObject"} for k in PLAYED}
    with pytest.raises(TaskError, match=message):
        Mixed(parts=parts, weights=given, steps=None, voice=None)


def test_two_parts_of_one_kind_are_refused() -> None:
    from omegaconf import OmegaConf

    config: Any = OmegaConf.to_container(compose_env(["task=point_at_object"]).task)
    with pytest.raises(TaskError, match="several of one kind among a, b"):
        Mixed(parts={"a": config, "b": config}, weights={"a": 1.0}, steps=None, voice=None)


def test_steps_and_voice_are_passed_on() -> None:
    task: Any = mixed("task.steps=[1,1]", "task.voice={forms: held_out}")
    assert {k: p.voice.forms for k, p in task.parts.items()} == dict.fromkeys(PLAYED, "held_out")
    assert {p.voice.style for p in task.parts.values()} == {"any"}, "other fields stay"
    for kind, least in [
        ("point_at_object", 1),
        ("pick", 1),
        ("pick_place", 2),
        ("place_turned", 2),
    ]:
        assert task.parts[kind].steps == (least, least)
    assert task.parts["sequence"].steps == (2, 3), "parts with their own keep theirs"
    assert task.parts["put_all"].steps == (1, 3)
    plain: Any = mixed()
    assert plain.parts["pick"].steps is None
    assert plain.parts["pick"].voice.forms == "training"


def test_tasks_that_are_drawn_have_the_steps_asked_for() -> None:
    asked = ["pictures=false", "task.steps=[3,3]", *weights(point_at_object=1, pick=1)]
    env = make_env("mixed", "kinematic", overrides=asked)
    starts = [env.reset(seed=1, options={"index": i})[1]["start"] for i in range(8)]
    env.close()
    assert {steps(s.task.program) for s in starts} == {3}
    assert {s.task.kind for s in starts} == {"point_at_object", "pick"}


@pytest.fixture(scope="module")
def starts() -> list[Start]:
    found = []
    for kind in PLAYED:
        env = make_env(kind, "kinematic", overrides=["pictures=false"])
        found.append(env.reset(seed=9)[1]["start"])
        env.close()
    return found


def test_it_plays_all_of_its_kinds(env: ReferEnv, starts: list[Start]) -> None:
    """Those that it never draws too; each with its own rules and its own number of steps."""
    for start in starts:
        _, info = env.reset(options={"episode": start})
        count = 0
        while "verdict" not in info:
            *_, terminated, truncated, info = env.step(np.array(info["truth"]["point_uv"]))
            count += 1
        assert info["verdict"].success, start.task.kind
        assert terminated
        if start.task.kind.startswith("point"):
            assert count == 1
    limits = {"pick": 2, "pick_place": 4, "sequence": 9}
    for start in starts:
        if start.task.kind in limits:
            env.reset(options={"episode": start})
            truncated, count = False, 0
            while not truncated:
                *_, truncated, info = env.fail_step("none")
                count += 1
            assert count == limits[start.task.kind]


def test_a_start_of_a_kind_that_it_does_not_have_is_refused(
    env: ReferEnv, starts: list[Start]
) -> None:
    start = starts[0]
    other = msgspec.structs.replace(
        start, task=msgspec.structs.replace(start.task, kind="point_at_waypoint")
    )
    with pytest.raises(TaskError, match="plays 'mixed', got 'point_at_waypoint'"):
        env.reset(options={"episode": other})
