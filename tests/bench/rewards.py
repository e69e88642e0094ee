"""What reading an answer and paying for it costs: CPU ms an answer, and its share of a bullet step.

python tests/bench/rewards.py
"""

import importlib.util
import sys
import time
from typing import Any

from refergym.agents.narrator import in_blocks, thought
from refergym.envs.answers import AnswerReader
from refergym.envs.building import build_part
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.registration import compose_env, make_env
from refergym.envs.rewards import RewardSet, Turn
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Verdict

WORDS = 300
"""tokens of an answer, taken as four characters each"""
ROUNDS = 400
GOAL_MS = 0.3
GOAL_SHARE = 2.0


def main() -> int:
    """Measure; returns 1 if a goal is not met."""
    reading = answer_ms()
    met = say(f"read an answer of {WORDS} tokens, all terms of roborefer", reading, "ms", GOAL_MS)
    if importlib.util.find_spec("pybullet") is None:
        print("PyBullet is not installed: no share of a step")
        return int(not met)
    for name in ("roborefer", "sim"):
        share = step_share(name)
        met &= say(f"{name}: share of a bullet step of pick_place", share, "%", GOAL_SHARE)
    return int(not met)


def answer_ms() -> float:
    """CPU ms to read an answer and ask every term of `roborefer`, the truth being known."""
    env = TextEnv(make_env("point_at_object", "kinematic", overrides=["task.steps=[3,3]"]))
    _, info = env.reset(seed=1)
    truth = dict(info["truth"])
    reader = AnswerReader(dialect=RoboRefer())
    rewards = reward_set("roborefer")
    texts = [answer(truth, k) for k in range(ROUNDS)]
    size = env.image_size
    act = None
    _, _, _, _, info = env.answer(texts[0], reader=reader)
    act = env.refer.acts[-1]
    verdict = Verdict(success=True, progress=1.0, stage="success")
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for text in texts:
            read = reader.read(text, size)
            turn = Turn(
                text=text, reply=read.reply, problem=read.problem, points=read.points,
                image_size=size, truth=truth, act=act, verdict=verdict, is_last=True,
            )  # fmt: skip
            rewards.ledger().pay(turn)
        best = min(best, time.process_time() - began)
    env.close()
    return 1000 * best / ROUNDS


def answer(truth: Any, k: int) -> str:
    """An answer of WORDS tokens with true steps; no two are the same."""
    words = thought(truth)
    filler = f"\nI look at picture {k} and think about where things are." * 40
    u, v = truth["point_uv"]
    return in_blocks((words + filler)[: 4 * WORDS], f"[({u:.3f}, {v:.3f})]")


def step_share(name: str) -> float:
    """CPU of reading, paying and attributing, in percent of that of the robot's step in bullet."""
    refer = make_env("pick_place", "bullet")
    env = TextEnv(refer, reader=AnswerReader(dialect=RoboRefer()), rewards=reward_set(name))
    inner, step = [0.0], refer.step

    def timed(point: Any) -> Any:
        began = time.process_time()
        done = step(point)
        inner[0] += time.process_time() - began
        return done

    refer.step = timed  # type: ignore[method-assign]
    whole = 0.0
    for index in range(6):
        _, info = env.reset(seed=2, options={"index": index})
        while "verdict" not in info:
            truth = info["truth"]
            text = in_blocks(thought(truth), "[({:.3f}, {:.3f})]".format(*truth["point_uv"]))
            # nothing of the truth is known yet where the policy does not see it
            env._info = {**info, "truth": fresh(truth)}
            began = time.process_time()
            *_, info = env.step(text)
            whole += time.process_time() - began
    env.close()
    return 100 * (whole / inner[0] - 1)


def fresh(truth: Any) -> Any:
    """The same truth, of which nothing is known yet."""
    return type(truth)(truth._task, truth._look, truth._tried, truth._named)


def reward_set(name: str) -> RewardSet:
    """A set that ships."""
    made = build_part(compose_env([f"reward={name}"], "text_env"), "reward")
    assert isinstance(made, RewardSet), "what the group holds"
    return made


def say(what: str, value: float, unit: str, goal: float) -> bool:
    """Print a figure and whether its goal is met."""
    met = value <= goal
    print(f"{what:62} {value:8.3f} {unit:3} goal <= {goal}{'' if met else '   NOT MET'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
