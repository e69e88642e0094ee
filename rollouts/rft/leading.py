"""A learner in several processes: the main one plays and says what is to be done, all do it.

A process that is gone, or silent for longer than processes wait for each other, ends all of them
with an error of one line; what was saved last is kept.
"""

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import torch.distributed as dist

from refergym.agents.rft.learner import RftLearner
from refergym.agents.rft.sample import Sample
from refergym.rollouts.errors import PoolError, RolloutError
from refergym.rollouts.rft.stopping import Stop

END = "end"
STOPPED = "stopped"
"""said at the end where the main process was told to stop"""
MARKS = ("gloo", "nccl", "connection", "socket", "timed out", "timeout")
"""what stands in errors of torch that have no class of their own"""


class Leader:
    """The main process's learner: whatever all must do together, it tells the others to do.

    Attributes:
        learner: this process's.
    """

    def __init__(self, learner: RftLearner) -> None:
        """Take this process's learner; the others `follow` theirs."""
        self.learner = learner

    @property
    def model(self) -> Any:
        """This process's; a share of the weights where they are spread."""
        return self.learner.model

    @property
    def step(self) -> int:
        """Batches that were learned from."""
        return self.learner.step

    @step.setter
    def step(self, number: int) -> None:
        self._tell("pass", number)
        self.learner.step = number

    def learn(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Learn from a batch; see RftLearner.

        Raises:
            PoolError: if a process is gone.
        """
        with named():
            self._tell("learn", list(samples))
            return self.learner.learn(samples)

    def weights(self) -> dict[str, Any]:
        """Return the weights that a policy takes; see RftLearner."""
        with named():
            self._tell_if_spread("weights")
            return self.learner.weights()

    def state(self) -> dict[str, Any]:
        """Return all that going on needs beside the model; see RftLearner."""
        with named():
            self._tell_if_spread("state")
            return self.learner.state()

    def __enter__(self) -> Self:
        """Lead."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the others end as this one does."""
        why = None
        if isinstance(error, KeyboardInterrupt):
            why = STOPPED
        elif error is not None:
            why = f"the main process ended: {error}"
        if isinstance(error, PoolError):
            return  # whoever is left finds out
        with contextlib.suppress(RuntimeError):
            self._tell(END, why)

    def _tell_if_spread(self, order: str) -> None:
        if self.learner.is_spread:
            self._tell(order)

    def _tell(self, order: str, given: Any = None) -> None:
        _broadcast((order, given))


def follow(learner: RftLearner) -> None:
    """Do what the main process says, until it ends; signals wait until then.

    Raises:
        PoolError: if a process is gone.
        RolloutError: if the main process ended by an error.
        KeyboardInterrupt: if it was told to stop.
    """
    with Stop(), named():
        while True:
            order, given = _broadcast(None)
            match order:
                case "learn":
                    learner.learn(given)
                case "pass":
                    learner.step = given
                case "weights":
                    learner.weights()
                case "state":
                    learner.state()
                case _:
                    break
    if given == STOPPED:
        raise KeyboardInterrupt
    if given is not None:
        raise RolloutError(given)


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Give what torch raises about other processes a name.

    Raises:
        PoolError: in its place.
    """
    try:
        yield
    except RuntimeError as e:
        text = " ".join(str(e).split())
        if not (isinstance(e, dist.DistError) or any(m in text.lower() for m in MARKS)):
            raise
        raise PoolError(
            "a process of the training is gone or silent; the same command with resume=true goes"
            f" on from the last checkpoint ({text:.160})"
        ) from e


def _broadcast(said: tuple[str, Any] | None) -> tuple[str, Any]:
    told: list[Any] = [said]
    dist.broadcast_object_list(told, src=0)
    order: tuple[str, Any] = told[0]
    return order


def lead(learner: RftLearner) -> Any:
    """Return a context with what the main process learns with: a Leader where there are others."""
    several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    return Leader(learner) if several else contextlib.nullcontext(learner)


Learns = RftLearner | Leader
"""what a loop learns with"""
