"""Scripted cheats against every reward set that ships: none earns more than an honest oracle."""

from collections.abc import Mapping
from typing import Any

import pytest
from hydra import compose, initialize_config_module

from refergym.agents.cheats import CHEATS, CheatPolicy
from refergym.agents.narrator import NarratorPolicy
from refergym.envs.building import build_part
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.registration import compose_env, make_text_env
from refergym.envs.rewards import RewardSet
from refergym.envs.text_env import TextEnv
from refergym.envs.truth import stages_needed

SETS = (
    "sparse", "roborefer", "roborefer_sum", "embodied_r1", "sim", "sim_shaped", "near", "landing",
)  # fmt: skip
TASKS = ("point_at_object", "point_at_free_space", "pick", "pick_place", "sequence")
QUICK = ("renderer.shadows=false", "renderer.antialias=none")
"""nobody looks: the oracle and the cheats are told the truth"""
STARTS = 1
"""of each task"""
HONEST = "narrator"
Earned = Mapping[tuple[str, str, int, str], tuple[float, bool]]
"""(policy, task, start, set) -> reward, and whether the task was solved"""


@pytest.fixture(scope="module")
def sets() -> dict[str, RewardSet]:
    return {
        name: build_part(compose_env([f"reward={name}"], "text_env"), "reward") for name in SETS
    }


@pytest.fixture(scope="module")
def earned(sets: dict[str, RewardSet]) -> Earned:
    """What every policy earns in every set; each is played once, and paid by all sets."""
    policies: list[Any] = [NarratorPolicy(RoboRefer())]
    policies += [CheatPolicy(name, RoboRefer()) for name in CHEATS]
    found = {}
    for task in TASKS:
        env = make_text_env(task, "kinematic", overrides=QUICK)
        for index in range(STARTS):
            _, info = env.reset(seed=4, options={"index": index})
            for policy in policies:
                totals, solved = play(env, policy, info["start"], sets)
                for name, total in totals.items():
                    found[policy.name, task, index, name] = total, solved
        env.close()
    return found


def play(
    env: TextEnv, policy: Any, start: Any, sets: dict[str, RewardSet]
) -> tuple[dict[str, float], bool]:
    observation, info = env.reset(options={"episode": start})
    stages = stages_needed(start.task, env.refer.layout)
    ledgers = {n: s.ledger(stages, env.refer.verdict.progress) for n, s in sets.items()}
    totals, count = dict.fromkeys(sets, 0.0), 0
    while "verdict" not in info:
        (answer,) = policy.act([observation], seeds=[count], truths=[info["truth"]])
        observation, *_, info = env.step(answer.text)
        assert env.turn is not None
        for name, ledger in ledgers.items():
            totals[name] += sum(v.paid for v in ledger.pay(env.turn).values())
        count += 1
    return totals, info["verdict"].success


def starts(earned: Earned) -> set[tuple[str, int]]:
    return {(task, index) for _, task, index, _ in earned}


def test_the_honest_oracle_solves_all_and_earns_nearly_all(
    earned: Earned, sets: dict[str, RewardSet]
) -> None:
    for (policy, task, _, name), (reward, solved) in earned.items():
        if policy == HONEST:
            assert solved, task
            if name == "roborefer_sum":
                continue  # its most is for as many key steps as it counts
            # the turns it takes cost something in some sets
            assert 0.94 * sets[name].most <= reward <= sets[name].most + 1e-9, (task, name)


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize("name", SETS)
def test_no_cheat_earns_more_than_the_honest_oracle(name: str, cheat: str, earned: Earned) -> None:
    for task, index in starts(earned):
        honest, _ = earned[HONEST, task, index, name]
        assert earned[cheat, task, index, name][0] <= honest + 1e-9, task


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize("name", ["sim", "sim_shaped", "sparse"])
def test_what_happened_is_most_of_the_reward(name: str, cheat: str, earned: Earned) -> None:
    """Without solving the task no cheat earns more than half of what the honest oracle does."""
    for task, index in starts(earned):
        honest, _ = earned[HONEST, task, index, name]
        reward, solved = earned[cheat, task, index, name]
        assert solved or reward <= honest / 2, task


def test_the_cheats_are_what_they_say(earned: Earned) -> None:
    """Those with wrong points solve nothing, those with right ones all."""
    wrong = ("repeated_step", "wrong_point", "stacked_types", "guesses", "very_long", "last_moment")
    for (policy, task, _, _), (_, solved) in earned.items():
        if policy in wrong:
            assert not solved, (policy, task)
        if policy == "false_reasoning":
            assert solved, task


def test_the_papers_formula_pays_true_reasoning_with_a_wrong_point(earned: Earned) -> None:
    """It is told, not hidden: three fifths for a point that is wrong, where all is said rightly."""
    shares = [
        earned["wrong_point", task, index, "roborefer"][0]
        / earned[HONEST, task, index, "roborefer"][0]
        for task, index in starts(earned)
        if task.startswith("point")
    ]
    assert shares == pytest.approx([0.6] * len(shares))


def test_repeats_and_stacks_earn_no_more_than_the_same_once(earned: Earned) -> None:
    for task, index in starts(earned):
        for name in SETS:
            once = earned["wrong_point", task, index, name][0]
            for cheat in ("repeated_step", "stacked_types", "very_long", "guesses"):
                assert earned[cheat, task, index, name][0] <= once + 1e-9, (task, name, cheat)


def test_every_set_that_ships_is_probed() -> None:
    with initialize_config_module("refergym.configs", version_base="1.3"):
        compose("text_env")
    from importlib.resources import files

    shipped = {p.name.removesuffix(".yaml") for p in files("refergym.configs.reward").iterdir()
               if p.name.endswith(".yaml")}  # fmt: skip
    assert shipped == set(SETS)
