"""Every kind of task that moves things: the truth solves it, and its proof can be played again."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from refergym.assets import camera as pinhole
from refergym.envs.proofs import prove
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.starts import Start
from refergym.envs.task_spec import SeveralGoal
from refergym.envs.types import Event

Info = dict[str, Any]
KINDS = {
    "pick": ["task.steps=[1,4]"],
    "pick_place": ["task.steps=[2,5]"],
    "place_turned": [],
    "sequence": [],
    "put_all": [],
    "arrange_row": [],
}
QUICK = ["renderer.shadows=false", "renderer.antialias=none"]
SEED = 9
COUNTS = {"sequence": 2, "put_all": 2, "arrange_row": 2}
MORE = 20
"""starts that are played in the slow test"""


@pytest.fixture(scope="module")
def envs() -> Iterator[dict[str, ReferEnv]]:
    made = {
        kind: make_env(kind, "kinematic", overrides=[*QUICK, *asked])
        for kind, asked in KINDS.items()
    }
    yield made
    for env in made.values():
        env.close()


@pytest.fixture(scope="module")
def starts(envs: dict[str, ReferEnv]) -> dict[str, list[Start]]:
    return {
        kind: [start_of(env, i) for i in range(COUNTS.get(kind, 3))] for kind, env in envs.items()
    }


def start_of(env: ReferEnv, index: int) -> Start:
    start = env.reset(seed=SEED, options={"index": index})[1]["start"]
    assert isinstance(start, Start)
    return start


def play(env: ReferEnv, start: Start) -> Info:
    """Let the truth play; each of its points lies on the pixels that it says are right."""
    _, info = env.reset(options={"episode": start})
    camera = start.scene.camera
    while "verdict" not in info:
        truth = info["truth"]
        if truth["point_uv"] is None:
            *_, info = env.fail_step("nothing right can be seen")
            continue
        x, y = pinhole.pixel_of_point(camera, *truth["point_uv"])
        assert truth["mask"][y, x]
        assert truth["target"] >= 0
        *_, info = env.step(np.array(truth["point_uv"]))
    return info


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_solves_it_and_then_nothing_is_left_to_do(
    envs: dict[str, ReferEnv], starts: dict[str, list[Start]], kind: str
) -> None:
    for start in starts[kind]:
        info = play(envs[kind], start)
        assert info["verdict"].success, info["verdict"]
        assert info["verdict"].progress == 1
        truth = info["truth"]
        assert (truth["target"], truth["point_uv"]) == (-1, None)
        assert not truth["mask"].any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_solves_nearly_every_start(envs: dict[str, ReferEnv], kind: str) -> None:
    env = envs[kind]
    solved = [play(env, start_of(env, 10 + i))["verdict"].success for i in range(MORE)]
    assert sum(solved) >= 0.95 * MORE


def replayed(env: ReferEnv, start: Start, points: tuple[tuple[float, float], ...]) -> list[str]:
    """Digests of the states that points lead to, from the start's own on."""
    _, info = env.reset(options={"episode": start})
    found = [info["truth"]["state"].digest()]
    for point in points:
        *_, info = env.step(np.array(point))
        found.append(info["truth"]["state"].digest())
    assert info["verdict"].success
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_leads_from_the_start_to_its_end(
    envs: dict[str, ReferEnv], starts: dict[str, list[Start]], kind: str
) -> None:
    """Both the one of the rehearsal, in the certificate, and one that is played."""
    env, start = envs[kind], starts[kind][0]
    rehearsed, played = start.task.certificate.proof, prove(env, start)
    assert not isinstance(played, str)
    for proof in (rehearsed, played):
        assert proof is not None
        states = replayed(env, start, proof.points)
        assert proof.backend == "kinematic"
        assert (states[0], states[-1]) == (proof.start, proof.end)
        assert len(set(states)) == len(states) - (kind == "place_turned"), "each point does a thing"


def test_what_fails_has_no_proof(envs: dict[str, ReferEnv], starts: dict[str, list[Start]]) -> None:
    env = make_env("sequence", "kinematic", overrides=["task.max_steps=1"])
    assert prove(env, starts["sequence"][0]) == "fails in kinematic: timeout"
    env.close()


def test_the_order_of_a_sequence_decides(
    envs: dict[str, ReferEnv], starts: dict[str, list[Start]]
) -> None:
    """The truth's own points, the last move first: all stand in place, in the wrong order."""
    env = envs["sequence"]
    stages = []
    for start in starts["sequence"]:
        proof = start.task.certificate.proof
        assert proof is not None
        moves = [proof.points[k : k + 2] for k in range(0, len(proof.points), 2)]
        env.reset(options={"episode": start})
        for point in (p for move in reversed(moves) for p in move):
            *_, terminated, _, info = env.step(np.array(point))
            assert not terminated
        # the last step that is left: nothing more happens, and the verdict falls
        while "verdict" not in info:
            *_, info = env.fail_step("no more")
        stages.append(info["verdict"].stage)
        assert not info["verdict"].success
        assert info["verdict"].progress < 1
    assert "order" in stages


def test_all_of_a_kind_may_be_brought_in_any_order(
    envs: dict[str, ReferEnv], starts: dict[str, list[Start]]
) -> None:
    env, solved = envs["put_all"], 0
    for start in starts["put_all"]:
        proof = start.task.certificate.proof
        assert proof is not None
        moves = [proof.points[k : k + 2] for k in range(0, len(proof.points), 2)]
        env.reset(options={"episode": start})
        for point in (p for move in reversed(moves) for p in move):
            *_, info = env.step(np.array(point))
        solved += "verdict" in info and info["verdict"].success
    assert solved == len(starts["put_all"])


def test_an_object_that_is_taken_out_again_is_to_be_put_back(
    envs: dict[str, ReferEnv], starts: dict[str, list[Start]]
) -> None:
    env, start = envs["put_all"], starts["put_all"][0]
    goal, proof = start.task.goal, start.task.certificate.proof
    assert isinstance(goal, SeveralGoal)
    assert proof is not None
    env.reset(options={"episode": start})
    for point in proof.points[:2]:
        *_, info = env.step(np.array(point))
    first = start.scene.index(goal.parts[0].object)
    assert info["truth"]["target"] == start.scene.index(goal.parts[1].object)
    seen = np.argwhere(info["truth"]._look().frame.ids == first)
    for y, x in seen[len(seen) // 2 :: 5]:
        *_, info = env.step(np.array(pinhole.point_of_pixel(start.scene.camera, int(x), int(y))))
        if info["event"] is Event.PICKED:
            break
    assert info["object"] == first
    assert info["truth"]["target"] == first, "what is held is the next to be put down"
