"""Run policies on episodes in this process, several environments side by side.

What an episode gives depends on (plan, policy, index, member) alone: not on its neighbours in the
batch, on the order, or on the process.
"""

import functools
import logging
import math
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from refergym.agents.errors import AgentError
from refergym.agents.policy import Answer, Policy
from refergym.assets.camera import pixel_of_point
from refergym.assets.errors import AssetError
from refergym.envs.answers import AnswerReader, ReadAnswer
from refergym.envs.errors import EnvError, TaskError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Event, Observation, Renderer, Verdict
from refergym.rollouts import suites
from refergym.rollouts.episodes import Ended, Episode, EpisodeId, Seen, StepRecord
from refergym.rollouts.errors import ConfigError, OutputError, PolicyError, StartError
from refergym.rollouts.plan import (
    Job,
    Plan,
    Turn,
    answer_seed,
    build_env,
    build_policy,
    build_renderer,
    build_rewards,
    reader_of,
)
from refergym.rollouts.tape import Tape
from refergym.rollouts.video import Film

log = logging.getLogger(__name__)
ENVIRONMENT, POLICY = "environment", "policy"
KEPT = 64
"""starts that are remembered: making one takes longer than playing it, and a group plays one"""
TRIES = 2
"""in one process: after an exception an episode gets one more try, in a fresh environment"""


@dataclass
class _Slot:
    """One environment and the episode that runs in it."""

    job: Job
    env: TextEnv
    tries: int = 1
    started: float = 0.0
    observation: Observation | None = None
    info: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    start_digest: str = ""
    steps: list[StepRecord] = field(default_factory=list)
    film: Film | None = None


class Runner:
    """Advances up to `plan.batch` episodes in lockstep.

    Either `run` a list of jobs, or `start` jobs while `has_room` and `advance` until done.
    """

    def __init__(
        self,
        plan: Plan,
        make_env: Callable[[Plan], ReferEnv] | None = None,
        tape: Tape | None = None,
        policies: Mapping[str, Policy] | None = None,
        on_turn: Callable[[str], None] = lambda whose: None,
    ) -> None:
        """Remember the plan; environments and policies are made when first needed.

        Args:
            plan: what to run.
            make_env: makes an environment; None makes those of the plan, with one renderer for all.
            tape: is told what the policies see and answer.
            policies: in place of those that the plan's configs would make.
            on_turn: told whose turn begins, ENVIRONMENT's or POLICY's; each reset and step is one.
        """
        self._plan = plan
        self._make_env = make_env or functools.partial(build_env, lent=self._lend)
        self._renderer: Renderer | None = None
        self._tape = tape
        self._policies = dict(policies or {})
        self._on_turn = on_turn
        self._rewards = build_rewards(plan)
        self._idle: list[TextEnv] = []
        self._starts: dict[int, Start] = {}
        self._slots: list[_Slot] = []
        self._finished: list[Episode] = []

    @property
    def has_room(self) -> bool:
        """True while another job can be started."""
        return len(self._slots) < self._plan.batch

    @property
    def is_busy(self) -> bool:
        """True while `advance` has something to do or to hand out."""
        return bool(self._slots or self._finished)

    def run(self, jobs: Iterable[Job]) -> Iterator[Episode]:
        """Run jobs; yields each episode when it ends."""
        waiting = iter(jobs)
        exhausted = False
        while self.is_busy or not exhausted:
            while self.has_room and not exhausted:
                job = next(waiting, None)
                if job is None:
                    exhausted = True
                else:
                    self.start(job)
            yield from self.advance()

    def start(self, job: Job) -> None:
        """Begin an episode; its start is made now.

        Raises:
            ConfigError: if environment or policy cannot be made.
        """
        self._policy(job.policy)
        env = self._idle.pop() if self._idle else self._fresh()
        slot = _Slot(job=job, env=env)
        self._slots.append(slot)
        self._guard(slot, self._reset)

    def advance(self) -> list[Episode]:
        """Do one step of every running episode; returns those that ended."""
        for name in sorted({slot.job.policy for slot in self._slots}):
            slots = [slot for slot in self._slots if slot.job.policy == name]
            for slot, answer in self._answers(name, slots):
                self._guard(slot, self._step, answer)
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        """Close every environment; idempotent."""
        for env in [*self._idle, *(slot.env for slot in self._slots)]:
            env.close()
        self._idle, self._slots = [], []
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None

    def _lend(self) -> Renderer:
        if self._renderer is None:
            self._renderer = build_renderer(self._plan)
        return self._renderer

    def _fresh(self) -> TextEnv:
        return TextEnv(self._make_env(self._plan), rewards=self._rewards)

    def _policy(self, name: str) -> Policy:
        if name not in self._policies:
            self._policies[name] = build_policy(self._plan, name)
        return self._policies[name]

    def _guard(self, slot: _Slot, action: Callable[..., None], *args: object) -> None:
        """Do something with an episode's environment; an exception breaks the episode only."""
        error = None
        try:
            action(slot, *args)
        except (ConfigError, OutputError):
            raise
        except Exception as e:  # noqa: BLE001 - whatever breaks in a simulator is infrastructure
            error = e
        if error is not None:
            self._broken(slot, error)

    def _broken(self, slot: _Slot, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        # our own errors explain themselves; for others the place matters
        ours = EnvError | AssetError | PolicyError | AgentError | StartError
        trace = None if isinstance(error, ours) else error
        log.warning("episode %d of %s: %s", slot.job.index, slot.job.policy, text, exc_info=trace)
        try:
            slot.env.close()
        except Exception as e:  # noqa: BLE001 - it is broken already; a fresh one replaces it
            log.warning("closing the broken environment failed too: %s: %s", type(e).__name__, e)
        self._slots.remove(slot)
        if self._tape is not None:
            self._tape.lost(slot.job)
        # a start that cannot be made, or repeated, is so again: no fresh environment helps
        if slot.tries < TRIES and not isinstance(error, TaskError | AssetError | StartError):
            job = msgspec.structs.replace(slot.job, attempt=slot.job.attempt + 1)
            again = _Slot(job=job, env=self._fresh(), tries=slot.tries + 1)
            self._slots.append(again)
            self._guard(again, self._reset)
        else:
            self._hand_out(error_episode(self._plan, slot.job, text))

    def _reset(self, slot: _Slot) -> None:
        self._on_turn(ENVIRONMENT)
        slot.started = time.monotonic()
        options: dict[str, object] = {"index": slot.job.index}
        if slot.job.index in self._starts:
            options["episode"] = self._starts[slot.job.index]
        elif self._plan.starts is not None:
            path = Path(self._plan.starts)
            options["episode"] = suites.start_for(path, slot.job.index, slot.env.refer.backend)
        seen, info = slot.env.reset(seed=self._plan.seed, options=options)
        observation = cast(Observation, seen)
        slot.observation, slot.info, slot.first = observation, info, info
        slot.start_digest = info["truth"]["state"].digest()
        self._starts[slot.job.index] = info["start"]
        if len(self._starts) > KEPT:
            del self._starts[next(iter(self._starts))]
        if self._plan.media is not None:
            slot.film = Film(self._plan.media, slot.env.refer, observation, info)
        for turn, played in enumerate(slot.job.replay):
            self._replay(slot, turn, played)

    def _replay(self, slot: _Slot, turn: int, played: Turn) -> None:
        """Play a turn again.

        Raises:
            StartError: if it leads elsewhere than it did.
        """
        is_over, _ = self._act(slot, played.answer)
        found = slot.steps[-1].state
        if is_over or found != played.state:
            raise StartError(
                f"episode {_episode_id(self._plan, slot.job)} of {slot.job.policy}: turn {turn}"
                f" played again led to {'the end in ' * is_over}state {found[:12]}, not to"
                f" {played.state[:12]} and on: branches need a backend that repeats itself"
            )

    def _answers(self, name: str, slots: list[_Slot]) -> list[tuple[_Slot, Answer]]:
        policy = self._policy(name)
        observations = [slot.observation for slot in slots if slot.observation is not None]
        truths = [slot.info["truth"] for slot in slots] if policy.privileged else None
        seeds = [answer_seed(self._plan, slot.job, len(slot.steps)) for slot in slots]
        self._on_turn(POLICY)
        try:
            answers = policy.act(observations, seeds=seeds, truths=truths)
            _check_answers(name, answers, len(slots))
            return list(zip(slots, answers, strict=True))
        except Exception as e:  # noqa: BLE001 - a policy's server may fail in any way
            error = e
        for slot in slots:
            self._broken(slot, error)
        return []

    def _step(self, slot: _Slot, answer: Answer) -> None:
        is_over, info = self._act(slot, answer)
        if is_over:
            self._finish(slot, info["verdict"], truncated=info["truncated"])

    def _act(self, slot: _Slot, answer: Answer) -> tuple[bool, dict[str, Any]]:
        """Do a step; returns whether it was the last, and what is known about it."""
        self._on_turn(ENVIRONMENT)
        answer = _recordable(slot.job.policy, answer)
        reader = reader_of(self._policy(slot.job.policy))
        read = _read(reader, answer, slot.env.image_size)
        seen = None
        if self._tape is not None and slot.observation is not None:
            seen = self._tape.saw(slot.job, slot.observation, answer)
        if slot.film is not None:
            slot.film.before_step(read.point_uv)
        found, reward, terminated, truncated, info = slot.env.take(
            read, answer.text if reader is not None else ""
        )
        observation = cast(Observation, found)
        slot.observation, slot.info = observation, info
        slot.steps.append(_step_record(answer, read.point_uv, info, reward, seen))
        if slot.film is not None:
            slot.film.after_step(observation, info, slot.steps[-1])
        return terminated or truncated, {**info, "truncated": truncated}

    def _finish(self, slot: _Slot, verdict: Verdict, *, truncated: bool) -> None:
        plan, start = self._plan, slot.first["start"]
        failed = Ended.TRUNCATED if truncated else Ended.FAILURE
        episode = Episode(
            id=_episode_id(plan, slot.job),
            policy=slot.job.policy,
            policy_version=str(getattr(self._policy(slot.job.policy), "version", "")),
            task=plan.task,
            kind=start.task.kind,
            instruction=start.task.instruction,
            seed=plan.seed,
            scene_digest=start.scene.digest,
            task_digest=start.task.digest,
            start_digest=slot.start_digest,
            steps=tuple(slot.steps),
            success=bool(verdict.success),
            ended=Ended.SUCCESS if verdict.success else failed,
            stage=verdict.stage,
            progress=float(verdict.progress),
            reward=round(sum(step.reward for step in slot.steps), 9),
            cause=next((s.cause for s in reversed(slot.steps) if s.cause), ""),
            measures={k: float(v) for k, v in verdict.measures.items()},
            backend=slot.env.refer.backend.kind,
            renderer=slot.env.refer.renderer.name,
            versions=plan.versions,
            seconds=round(time.monotonic() - slot.started, 3),
        )
        if slot.film is not None:
            slot.film.finish(episode)
        self._slots.remove(slot)
        self._idle.append(slot.env)
        self._hand_out(episode)

    def _hand_out(self, episode: Episode) -> None:
        if self._tape is not None:
            self._tape.ended(episode)
        self._finished.append(episode)


def error_episode(plan: Plan, job: Job, error: str) -> Episode:
    """Record of an episode that the infrastructure lost."""
    return Episode(
        id=_episode_id(plan, job),
        policy=job.policy,
        task=plan.task,
        seed=plan.seed,
        ended=Ended.ERROR,
        stage="infrastructure",
        error=error,
        versions=plan.versions,
    )


def _read(reader: AnswerReader | None, answer: Answer, image_size: tuple[int, int]) -> ReadAnswer:
    """Read a policy's words in its dialect, or take the point of one that has no words."""
    if reader is not None:
        return reader.read(answer.text, answer.image_size or image_size)
    point, reason = usable_point(answer)
    return ReadAnswer(point_uv=point, problem="" if point else "no_point", detail=reason)


def usable_point(answer: Answer) -> tuple[tuple[float, float] | None, str]:
    """Check an answer's point.

    Returns:
        (point, "") with the point in [0, 1], or (None, reason).
    """
    raw = answer.point_uv
    if raw is None:
        return None, "the answer has no point"
    try:
        # "01" and {0: ..., 1: ...} would unpack into two numbers too
        if isinstance(raw, str | bytes | Mapping | Set):
            raise TypeError
        u, v = (float(x) for x in raw)
    except (TypeError, ValueError, OverflowError):
        return None, f"expected a point of two numbers (u, v), got {raw!r:.80}"
    if not (math.isfinite(u) and math.isfinite(v)):
        return None, f"expected finite numbers, got ({u}, {v})"
    if not (0 <= u <= 1 and 0 <= v <= 1):
        return None, f"expected a point in [0, 1] x [0, 1], got ({u:.6g}, {v:.6g})"
    return (u, v), ""


def _check_answers(name: str, answers: object, wanted: int) -> None:
    if not isinstance(answers, Sequence):
        kind = type(answers).__name__
        raise PolicyError(f"policy {name}: expected a list of Answers, got a {kind}")
    if len(answers) != wanted:
        raise PolicyError(f"policy {name}: {len(answers)} answers to {wanted} observations")
    for answer in answers:
        if not isinstance(answer, Answer):
            raise PolicyError(f"policy {name}: expected Answers, got a {type(answer).__name__}")


def _recordable(name: str, answer: Answer) -> Answer:
    """Return the answer in a form that can be stored and read back.

    Raises:
        PolicyError: if its text, tokens or logprobs are none.
    """
    if not isinstance(answer.text, str):
        raise PolicyError(f"policy {name}: text: expected str, got {answer.text!r:.80}")
    try:
        tokens = tuple(operator.index(t) for t in answer.tokens)
    except TypeError as e:
        raise PolicyError(f"policy {name}: tokens: expected ints, got {answer.tokens!r:.80}") from e
    try:
        logprobs = tuple(float(x) for x in answer.logprobs)
    except (TypeError, ValueError) as e:
        got = f"{answer.logprobs!r:.80}"
        raise PolicyError(f"policy {name}: logprobs: expected floats, got {got}") from e
    for i, x in enumerate(logprobs):
        if not math.isfinite(x):
            raise PolicyError(f"policy {name}: logprobs[{i}]: expected a finite number, got {x}")
    # half of a surrogate pair, as JSON from a server may hold, has no UTF-8
    text = answer.text.encode("utf-8", "replace").decode("utf-8")
    return replace(answer, text=text, tokens=tokens, logprobs=logprobs)


def _episode_id(plan: Plan, job: Job) -> EpisodeId:
    return EpisodeId(suite=plan.suite, index=job.index, member=job.member, attempt=job.attempt)


def _step_record(
    answer: Answer,
    point: tuple[float, float] | None,
    info: Mapping[str, Any],
    reward: float,
    seen: Seen | None,
) -> StepRecord:
    point_w = None if info["point_w"] is None else info["point_w"].tolist()
    camera = info["truth"]["scene"].camera
    return StepRecord(
        text=answer.text,
        tokens=answer.tokens,
        logprobs=answer.logprobs,
        point_uv=point,
        pixel=None if point is None else pixel_of_point(camera, *point),
        point_w=None if point_w is None else (point_w[0], point_w[1], point_w[2]),
        event=Event(info["event"]).name.lower(),
        detail=info["detail"],
        problem=info["problem"],
        cause=info["cause"] or "",
        terms={name: value["raw"] for name, value in info["reward_terms"].items()},
        paid={name: value["paid"] for name, value in info["reward_terms"].items()},
        reward=float(reward),
        state=info["truth"]["state"].digest(),
        seen=seen,
    )
