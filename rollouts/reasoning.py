"""`refergym reasoning`: how true a policy's thoughts are, and what they do to its answers.

Of each episode the first answer is studied. Its stated steps are compared with the true ones as
rewards do it. Then the policy goes on from thoughts that are given to it (teacher forcing): its
own, the true one, one whose positions were moved, none. A thought that matters moves the answer.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from rich.console import Console

from refergym.agents.narrator import thought as true_thought
from refergym.agents.policy import Answer, ContinuingPolicy
from refergym.assets import records
from refergym.assets.errors import AssetError
from refergym.assets.seeding import generator
from refergym.envs.answers import AnswerReader
from refergym.envs.errors import TaskError
from refergym.envs.replies import stated_points
from refergym.envs.rewards.paper import ProcessAccuracy
from refergym.envs.rewards.turns import Turn
from refergym.envs.starts import Start
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Observation
from refergym.rollouts import arguments, config, output
from refergym.rollouts.bars import Bar
from refergym.rollouts.errors import ConfigError, OutputError, PolicyError, StartError
from refergym.rollouts.plan import (
    EnvSettings,
    Job,
    Plan,
    answer_seed,
    build_env,
    build_policy,
    reader_of,
    with_dialect,
)
from refergym.rollouts.thinking import Case, Claim, Given, Study, study, tables
from refergym.rollouts.thoughts import FARTHEST, begin_of, corrupted, thought_of

log = logging.getLogger(__name__)
FILE = "reasoning.json"
Count = Annotated[int, msgspec.Meta(ge=1)]
OnProgress = Callable[[int, int], None]
"""told how many episodes are done and how many there will be"""


class Settings(EnvSettings, frozen=True, kw_only=True):
    """The keys of configs/reasoning.yaml; their defaults and their meaning stand there."""

    policy: dict[str, Any]
    pack: str | None
    episodes: Count
    seed: Annotated[int, msgspec.Meta(ge=0)]
    shift: Annotated[float, msgspec.Meta(gt=0, le=FARTHEST)]
    batch: Count
    out: Annotated[str, msgspec.Meta(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a study gave."""

    file: Path
    study: Study


@dataclass(frozen=True, kw_only=True, eq=False)
class _Begun:
    """An episode at its first step."""

    index: int
    seed: int
    """of its answers"""
    start: Start
    state: str
    """digest of the state"""
    seen: Observation
    truth: Mapping[str, Any]


def reasoning(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> Done:
    """Study as the command does, and write reasoning.json to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: called at the start and after each batch.

    Raises:
        ConfigError: if a key, a choice or a value is wrong, or the policy has no words or cannot
            go on from given ones.
        OutputError: if nothing can be written there.
        StartError: if an episode does not begin as it did before.
    """
    composed = config.compose("reasoning", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    name = composed.choices["policy"]
    plan = Plan(
        env=settings.env,
        pack=settings.pack,
        policies={name: with_dialect(settings.policy, config_dir)},
        task=composed.choices["task"],
        suite=f"{composed.choices['task']}-s{settings.seed}",
        seed=settings.seed,
        versions=output.package_versions(),
    )
    student = Student(plan, name, settings.shift)
    file = Path(settings.out) / FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"out: cannot write to {file.parent}: {e.strerror}") from e
    cases: list[Case] = []
    try:
        on_progress(0, settings.episodes)
        for k in range(0, settings.episodes, settings.batch):
            chunk = range(k, min(k + settings.batch, settings.episodes))
            cases += student.cases(chunk)
            on_progress(chunk.stop, settings.episodes)
    finally:
        student.close()
    found = study(
        cases,
        policy=name,
        task=plan.task,
        episodes=settings.episodes,
        config=output.fixed_config(composed.config),
        versions=plan.versions,
    )
    output.write_json(file, found)
    return Done(file=file, study=found)


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "reasoning" on the command line.

    Returns:
        Exit status: 1 if no episode could begin.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("reasoning", "reasoning", argv)
    console, errors = Console(), Console(stderr=True)
    with Bar("episodes", errors) as bar:
        done = reasoning(words.overrides, words.config_dir, bar.show)
    for table in tables(done.study):
        console.print(table)
    console.print(f"Wrote {done.file}", markup=False, highlight=False, soft_wrap=True)
    return 0 if done.study.cases else 1


class Student:
    """A policy that is asked again and again about the first steps of episodes."""

    def __init__(self, plan: Plan, name: str, shift: float) -> None:
        """Make policy and environment.

        Args:
            plan: which.
            name: of the policy.
            shift: share of the picture; see `thoughts.corrupted`.

        Raises:
            ConfigError: if the policy cannot be studied.
        """
        self._plan, self._name, self._shift = plan, name, shift
        policy = build_policy(plan, name)
        reader = reader_of(policy)
        if reader is None:
            raise ConfigError(f"policy: {name} answers without words, so it has no reasoning")
        if not isinstance(policy, ContinuingPolicy):
            raise ConfigError(
                f"policy: {name} cannot go on from given words (it has no continue_from); models"
                " of transformers can"
            )
        check = getattr(policy, "check", None)
        if check is not None:
            check()
        self._policy: ContinuingPolicy = policy
        self._reader: AnswerReader = reader
        self._env = TextEnv(build_env(plan))

    def cases(self, indices: Sequence[int]) -> list[Case]:
        """Study the first answers of episodes together; those that cannot begin are left out."""
        begun = [b for index in indices if (b := self._begin(index)) is not None]
        truths = [b.truth for b in begun] if self._policy.privileged else None
        free = self._policy.act(
            [b.seen for b in begun], seeds=[b.seed for b in begun], truths=truths
        )
        self._check(free, len(begun))
        given = [
            (k, kind, begin_of(answer.text, thought))
            for k, (b, answer) in enumerate(zip(begun, free, strict=True))
            for kind, thought in self._thoughts(b, answer.text).items()
        ]
        forced = self._policy.continue_from(
            [begun[k].seen for k, _, _ in given],
            [begin for _, _, begin in given],
            seeds=[begun[k].seed for k, _, _ in given],
        )
        self._check(forced, len(given))
        cases = []
        for k, (b, answer) in enumerate(zip(begun, free, strict=True)):
            answers = {"free": self._judged(b, answer)}
            turn = self._env.turn
            assert turn is not None, "it was answered"
            for (of, kind, _), other in zip(given, forced, strict=True):
                if of == k:
                    answers[kind] = self._judged(b, other)
            cases.append(_case(b, turn, answers))
        return cases

    def close(self) -> None:
        """Close the environment; idempotent."""
        self._env.close()

    def _thoughts(self, begun: _Begun, text: str) -> dict[str, str]:
        """Return the thoughts to give; a thought that states no position is not corrupted."""
        own = thought_of(text)
        found = {"own": own, "true": true_thought(begun.truth), "empty": ""}
        if stated_points(own):
            rng = generator(self._plan.seed, "corrupted", begun.index)
            found["corrupted"] = corrupted(own, self._shift, rng)
        return found

    def _begin(self, index: int) -> _Begun | None:
        try:
            seen, info = self._env.reset(seed=self._plan.seed, options={"index": index})
        except (TaskError, AssetError) as e:
            log.warning("episode %d: %s: %s", index, type(e).__name__, e)
            return None
        return _Begun(
            index=index,
            seed=answer_seed(self._plan, Job(policy=self._name, index=index), 0),
            start=info["start"],
            state=info["truth"]["state"].digest(),
            seen=cast(Observation, seen),
            truth=info["truth"],
        )

    def _judged(self, begun: _Begun, answer: Answer) -> Given:
        """Let the environment take an answer, from the same start."""
        _, info = self._env.reset(
            seed=self._plan.seed, options={"index": begun.index, "episode": begun.start}
        )
        if info["truth"]["state"].digest() != begun.state:
            raise StartError(f"episode {begun.index}: it does not begin twice in the same state")
        read = self._reader.read(answer.text, answer.image_size or self._env.image_size)
        _, _, _, _, info = self._env.take(read, answer.text)
        return Given(
            text=answer.text,
            point_uv=read.point_uv,
            success=info["cause"] in (None, "out_of_steps"),
        )

    def _check(self, answers: Sequence[Answer], wanted: int) -> None:
        if len(answers) != wanted:
            raise PolicyError(f"policy {self._name}: {len(answers)} answers, expected {wanted}")


def _case(begun: _Begun, turn: Turn, answers: dict[str, Given]) -> Case:
    accuracy = ProcessAccuracy()
    claims = []
    for key, said in zip(turn.key_steps, turn.claims, strict=True):
        right = bool(said) and accuracy.is_right(said[0], key, turn.image_size)
        claims.append(Claim(step=key, is_stated=bool(said), is_right=right))
    return Case(
        index=begun.index,
        kind=begun.start.task.kind,
        instruction=begun.start.task.instruction,
        is_in_form=turn.is_in_form,
        steps=len(turn.steps),
        exact_steps=sum(s.is_exact for s in turn.steps),
        claims=tuple(claims),
        answers=answers,
    )
