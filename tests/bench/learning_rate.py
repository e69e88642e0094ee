"""Which learning rate? How far a few steps of each move the nano, and what that earns elsewhere.

Plays groups once with the nano as it is, learns from all but the last with each learning rate, and
judges by the last: KL(sampler || learner) of whole answers, and the reward that the learner would
earn there, by importance weights (self-normalised, cut at e^3). Where few answers carry the weight
(`ess`) the learner has gone too far for that to be told.
"""

import argparse
import sys

import numpy as np
import torch
from collectors import collector, play

from refergym.agents.rft.learner import Learning, RftLearner
from refergym.agents.rft.likelihood import Likelihood
from refergym.agents.rft.losses import LossSettings
from refergym.agents.rft.sample import Sample
from refergym.assets import records
from refergym.rollouts import config
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import made_policy, with_dialect
from refergym.rollouts.rft.groups import Group, lesson
from refergym.rollouts.rft.settings import Settings

WORDS = ["task=pick", "task.max_steps=1", "sensor=knocked", "reward=landing", "threads=1"]
CUT = 3.0
PART = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-5, 2e-5, 3e-5, 1e-4, 5e-4])
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--held", type=int, default=100, help="groups to judge by")
    parser.add_argument("overrides", nargs="*", help="further settings of `refergym train`")
    args = parser.parse_args()
    composed = config.compose("train", [*WORDS, *args.overrides])
    settings = records.convert(composed.config, Settings, error=ConfigError)
    torch.set_num_threads(settings.threads)
    count = settings.learner.groups * args.batches + args.held
    with collector([*WORDS, *args.overrides]) as made:
        found = play(made, 0, count, settings.learner.members)
    groups = [g for g in found if isinstance(g, Group)]
    learned, held = groups[: -args.held], groups[-args.held :]
    print("| lr | steps | KL, nats an answer | reward elsewhere | before | ess |")
    print("|---|---|---|---|---|---|")
    for rate in args.rates:
        for row in study(settings, rate, learned, held):
            print(f"| {rate:g} | {row} |", flush=True)
    return 0


def study(settings: Settings, rate: float, learned: list[Group], held: list[Group]) -> list[str]:
    """Learn batch by batch; returns a row for steps 1, 3, 6 and the last."""
    node = {**with_dialect(settings.policy), "batch": settings.rollout.batch}
    policy = made_policy(node)
    learning = records.convert(
        {**settings.learner.learning, "lr": rate, "warmup": 0}, Learning, error=ConfigError
    )
    loss = records.convert(settings.learner.loss, LossSettings, error=ConfigError)
    likelihood = Likelihood(
        processor=policy.processor, prompter=policy.prompter, dialect=policy.dialect,
        temperature=policy.temperature,
    )  # fmt: skip
    learner = RftLearner(policy.model, likelihood, learning, loss, settings.seed)
    size = settings.learner.groups
    batches = [learned[k : k + size] for k in range(0, len(learned), size)]
    rows = []
    for step, batch in enumerate(batches, 1):
        learner.learn(lesson(batch, settings.learner.credit).samples)
        if step in (1, 3, 6, len(batches)):
            rows.append(f"{step} | {judged(learner, likelihood, held)}")
    return rows


def judged(learner: RftLearner, likelihood: Likelihood, held: list[Group]) -> str:
    """Say how far the learner is from the sampler, and what it would earn."""
    turns = [
        (step.reward, Sample(observation=seen, prompt_tokens=answer.prompt_tokens,
                             tokens=answer.tokens, logprobs=answer.logprobs, advantage=0.0))
        for group in held for recording in group.recordings
        for seen, answer, step in zip(
            recording.observations, recording.answers, recording.episode.steps, strict=True
        )
        if answer.tokens
    ]  # fmt: skip
    shown = [sample for _, sample in turns]
    paid = np.array([reward for reward, _ in turns])
    apart = np.zeros(len(shown))
    with torch.no_grad():
        for first in range(0, len(shown), PART):
            part = shown[first : first + PART]
            for likely in likelihood(learner.model, part):
                for row, n in enumerate(likely.numbers):
                    apart[first + n] = float(likely.logprobs[row].sum()) - sum(part[n].logprobs)
    weights = np.exp(np.minimum(apart, CUT))
    ess = weights.sum() ** 2 / (weights**2).sum()
    earned = weights @ paid / weights.sum()
    return f"{-apart.mean():.3f} | {earned:.3f} | {paid.mean():.3f} | {ess:.0f} of {len(shown)}"


if __name__ == "__main__":
    sys.exit(main())
