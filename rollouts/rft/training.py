"""The loop of reinforcement fine-tuning: play groups, compare, learn, and now and then evaluate.

Groups are asked for ahead of time, `staleness` batches of them, and taken in the order in which
they were asked for: none is learned from with weights more than that many steps newer than those it
was asked for with. With staleness 0 each batch is played by the very weights that learn from it.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from refergym.agents.rft.advantages import Credit
from refergym.assets.seeding import generator
from refergym.rollouts.errors import RolloutError
from refergym.rollouts.rft.checkpoints import State, write
from refergym.rollouts.rft.choosing import Chooser
from refergym.rollouts.rft.collecting import Collector
from refergym.rollouts.rft.groups import Group, Lost, Request, branch, error_kinds, is_flat, lesson
from refergym.rollouts.rft.journal import Journal
from refergym.rollouts.rft.leading import Learns
from refergym.rollouts.rft.settings import BEST, LAST, Settings
from refergym.rollouts.rft.stopping import Stop
from refergym.rollouts.runner import ENVIRONMENT, POLICY

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]
"""told each row of the journal"""


@dataclass
class Batch:
    """Groups of one step."""

    groups: list[Group] = field(default_factory=list)
    """those that teach something"""
    flat: list[Group] = field(default_factory=list)
    branches: list[Group] = field(default_factory=list)
    """that went on from inside episodes of the others"""
    lost: list[Lost] = field(default_factory=list)
    stale: int = 0
    """steps, at most, since a group was asked for"""

    @property
    def played(self) -> list[Group]:
        """Teaching or not; without branches, whose episodes are not like others."""
        return [*self.groups, *self.flat]


class Training:
    """One training, from where a state says."""

    def __init__(
        self,
        settings: Settings,
        collector: Collector,
        learner: Learns,
        processor: Any,
        journal: Journal,
        tell: Tell,
        state: State | None,
    ) -> None:
        """Take the parts; `run` does the work."""
        self.settings, self.collector, self.learner = settings, collector, learner
        self._processor, self._journal, self._tell = processor, journal, tell
        self._folder = Path(settings.out)
        self._chooser = Chooser(settings.seed, settings.pool, settings.keep)
        self._asked = 0
        self._lost: Counter[str] = Counter()
        self._spent: Counter[str] = Counter()
        self.best = -1.0
        self._begin = self._chooser.progress
        if state is not None:
            self._chooser.restore(state.progress)
            self.best = state.best

    def run(self, stop: Stop) -> None:
        """Learn until the steps or the minutes are over, or it is told to stop.

        Raises:
            RolloutError: if more than `rollout.max_lost` of the groups of a step are lost.
            KeyboardInterrupt: if it was told to stop; everything is saved.
        """
        learner, rows = self.learner, self._journal.rows
        self._started = time.monotonic() - (rows[-1]["seconds"] if rows else 0.0)
        self.collector.update(learner.weights(), learner.step)
        self._begin = self._chooser.progress
        try:
            if not rows:
                self._note({"step": 0, "seconds": 0.0})
            while True:
                if self._is_due:
                    self._evaluate(stop)
                if self._is_over:
                    break
                with stop.now():
                    begin = time.monotonic()
                    batch = self._batch()
                    waited = time.monotonic() - begin
                with stop.later():
                    row = {**self._learned(batch), **self._times(batch, waited)}
                    self._begin = self._chooser.progress
                    self._note({**row, "seconds": time.monotonic() - self._started})
                    if learner.step % self.settings.save_every == 0:
                        self.save(LAST)
        except KeyboardInterrupt:
            self.save(LAST)
            raise
        self.save(LAST)

    def _times(self, batch: Batch, waited: float) -> dict[str, float]:
        """Say where the time of a step went; environments and policy are those of all workers."""
        spent, self.collector.spent = dict(self.collector.spent), {}
        steps = [s for g in batch.played for e in g.episodes for s in e.steps]
        return {
            "waiting_s": waited,
            "environment_s": spent.get(ENVIRONMENT, 0.0),
            "policy_s": spent.get(POLICY, 0.0),
            "steps_per_s": len(steps) / max(waited, 1e-9),
            "tokens_per_s": sum(len(s.tokens) for s in steps) / max(waited, 1e-9),
        }

    @property
    def _is_over(self) -> bool:
        minutes = self.settings.minutes
        late = minutes is not None and time.monotonic() - self._started > 60 * minutes
        return late or self.learner.step >= self.settings.steps

    @property
    def _is_due(self) -> bool:
        """Whether the last step is to be evaluated, and was not yet."""
        evaluate, row = self.settings.evaluate, self._journal.rows[-1]
        if not evaluate.episodes or "evaluated_lost" in row:
            return False
        on_time = evaluate.every and row["step"] % evaluate.every == 0
        return bool(on_time or row["step"] == 0 or self._is_over)

    def save(self, name: str) -> None:
        """Write a checkpoint, from which the run can go on."""
        state = State(progress=self._begin, best=self.best, rows=tuple(self._journal.rows))
        write(self._folder / name, self.learner, self._processor, state)

    def _batch(self) -> Batch:
        """Take groups until enough of them teach something, or no more may be asked for."""
        grpo = self.settings.learner
        batch = Batch()
        most = round(grpo.groups * (1 + grpo.refills))
        taken = 0
        while len(batch.groups) < grpo.groups and taken < most:
            missing = grpo.groups - len(batch.groups)
            wanted = min(missing, most - taken) + grpo.groups * self.settings.rollout.staleness
            while self._asked < wanted:
                self._ask()
            taken += 1
            self._asked -= 1
            found = self.collector.take("train")
            if isinstance(found, Lost):
                batch.lost.append(found)
                self._check_lost(batch, most)
                continue
            rate = fmean(e.success for e in found.episodes)
            self._chooser.played(found.request.index, rate)
            (batch.flat if is_flat(found, grpo.credit) else batch.groups).append(found)
            batch.stale = max(batch.stale, self.learner.step - found.version)
        self._branch(batch, most)
        return batch

    def _branch(self, batch: Batch, most: int) -> None:
        """Let some of the batch's episodes go on anew from a turn inside."""
        grpo = self.settings.learner
        asked = 0
        for group in batch.played if grpo.branches else ():
            for recording in group.recordings:
                name = (self.learner.step, group.request.index, recording.episode.id.member)
                rng = generator(self.settings.seed, "branch", *name)
                turns = len(recording.answers)
                if turns > 1 and rng.random() < grpo.branched:
                    first = grpo.members + asked * grpo.branches
                    turn = int(rng.integers(1, turns))
                    self.collector.submit(branch(recording, turn, grpo.branches, first))
                    asked += 1
        for _ in range(asked):
            found = self.collector.take("branch")
            if isinstance(found, Lost):
                batch.lost.append(found)
                self._check_lost(batch, most + asked)
            else:
                batch.branches.append(found)

    def _ask(self) -> None:
        members = self.settings.learner.members
        self.collector.submit(Request(kind="train", index=self._chooser.next(), members=members))
        self._asked += 1

    def _check_lost(self, batch: Batch, most: int) -> None:
        limit = self.settings.rollout.max_lost
        if len(batch.lost) > limit * most:
            causes = ", ".join(f"{n} x {kind}" for kind, n in error_kinds(batch.lost).items())
            raise RolloutError(
                f"{len(batch.lost)} groups of a step were lost, more than rollout.max_lost={limit}"
                f" of {most}: {causes}. The last: {batch.lost[-1].errors[-1]}"
            )

    def _learned(self, batch: Batch) -> dict[str, Any]:
        begin = time.monotonic()
        played = batch.played
        credit, learned = self.settings.learner.credit, [*batch.groups, *batch.branches]
        found = lesson(learned, credit) if learned else None
        told: Mapping[str, float] = {}
        if found is not None and found.samples:
            told = self.learner.learn(found.samples)
        else:
            log.warning(
                "step %d: no group teaches anything; nothing was learned", self.learner.step
            )
            self.learner.step += 1
        self.collector.update(self.learner.weights(), self.learner.step)
        return {
            "step": self.learner.step,
            **summary([e for g in played for e in g.episodes]),
            **told,
            "zero_variance": len(batch.flat) / max(1, len(played)),
            **{f"zero_variance/{k}": n for k, n in _kinds(batch.flat).items()},
            **{f"pool/{k}": n for k, n in self._chooser.settled.items() if self.settings.pool},
            "groups": len(batch.groups),
            **_of_branches(batch, credit),
            "lost": len(batch.lost),
            **{f"lost/{k}": n for k, n in error_kinds(batch.lost).items()},
            "retries": sum(g.retries for g in (*played, *batch.branches))
            + sum(g.retries for g in batch.lost),
            "staleness": batch.stale,
            "learning_s": time.monotonic() - begin,
        }

    def _evaluate(self, stop: Stop) -> None:
        """Play the episodes of the evaluation and add to the last row how they went."""
        evaluate = self.settings.evaluate
        begin = time.monotonic()
        for index in range(evaluate.episodes):
            self.collector.submit(Request(kind="evaluate", index=index, members=1))
        with stop.now():
            found = [self.collector.take("evaluate") for _ in range(evaluate.episodes)]
        self.collector.spent = {}
        episodes = [e for g in found if isinstance(g, Group) for e in g.episodes]
        row: dict[str, Any] = {"evaluated_lost": len(found) - len(episodes)}
        if episodes:  # what was lost says nothing about the policy
            row["evaluated"] = fmean(e.success for e in episodes)
            row["evaluated_reward"] = fmean(e.reward for e in episodes)
        with stop.later():
            self._journal.amend({**row, "evaluating_s": time.monotonic() - begin})
            self._tell(self._journal.rows[-1])
            if row.get("evaluated", -1.0) > self.best:
                self.best = row["evaluated"]
                self.save(BEST)
            self.save(LAST)

    def _note(self, row: dict[str, Any]) -> None:
        self._journal.note(row)
        self._tell(row)


def summary(episodes: list[Any]) -> dict[str, float]:
    """Say in numbers how episodes went."""
    steps = [s for e in episodes for s in e.steps]
    if not steps:
        return {}
    return {
        "reward": fmean(e.reward for e in episodes),
        "success": fmean(e.success for e in episodes),
        "parsed": fmean(s.problem == "" for s in steps),
        "length": fmean(len(s.tokens) for s in steps),
        "turns": len(steps) / len(episodes),
        "episodes": len(episodes),
    }


def _of_branches(batch: Batch, credit: Credit) -> dict[str, float]:
    if not batch.branches:
        return {}
    flat = sum(is_flat(group, credit) for group in batch.branches)
    return {"branches": len(batch.branches), "branches_flat": flat / len(batch.branches)}


def _kinds(groups: list[Group]) -> dict[str, int]:
    return dict(Counter(g.episodes[0].kind for g in groups))
