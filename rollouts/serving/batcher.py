"""The queue ahead of a policy: requests wait a little for company, and are answered together.

The policy runs in one thread of its own, never twice at once. A batch that fails is asked again one
by one, so that a request fails only by itself.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from refergym.agents.policy import Answer, Policy
from refergym.rollouts.serving.requests import Asked

log = logging.getLogger(__name__)
Outcome = list[Answer] | Exception


class PolicyFailedError(Exception):
    """The policy raised, or broke its protocol, on this request; the log says how."""


class StoppingError(Exception):
    """The server is going down; the request was not answered."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    asked: Asked
    answer: asyncio.Future[Answer]


class Batcher:
    """Answers requests with a policy, up to `max_batch` together.

    Attributes:
        answered: requests that have their answer.
        batches: calls of the policy.
    """

    def __init__(self, policy: Policy, max_batch: int, max_wait_s: float) -> None:
        """Remember the policy; `start` begins.

        Args:
            policy: not privileged.
            max_batch: requests together at most.
            max_wait_s: s that the first of a batch waits for others.
        """
        self._policy, self._max_batch, self._max_wait_s = policy, max_batch, max_wait_s
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._work: queue.SimpleQueue[tuple[Sequence[Asked], asyncio.Future[Outcome]] | None] = (
            queue.SimpleQueue()
        )
        self._current: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self.answered = 0
        self.batches = 0

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting.qsize()

    def start(self) -> None:
        """Begin to answer, in the running loop."""
        # a daemon: a policy that hangs must not keep the process from ending
        threading.Thread(target=self._serve, name="policy", daemon=True).start()
        self._task = asyncio.create_task(self._batches())

    async def stop(self) -> None:
        """End; whoever still waits gets StoppingError."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._work.put(None)
        while not self._waiting.empty():
            self._current.append(self._waiting.get_nowait())
        for one in self._current:
            if not one.answer.done():
                one.answer.set_exception(StoppingError())

    async def ask(self, asked: Asked) -> Answer:
        """Wait for the answer to a request; whoever stops waiting is passed over.

        Raises:
            PolicyFailedError: if the policy failed on it.
            StoppingError: if the server goes down.
        """
        one = _Waiting(asked, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(one)
        return await one.answer

    async def _batches(self) -> None:
        while True:
            self._current = [await self._waiting.get()]
            until = asyncio.get_running_loop().time() + self._max_wait_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    while len(self._current) < self._max_batch:
                        self._current.append(await self._waiting.get())
            # without waiting, what is there already
            while len(self._current) < self._max_batch and not self._waiting.empty():
                self._current.append(self._waiting.get_nowait())
            batch = [one for one in self._current if not one.answer.done()]
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: list[_Waiting]) -> None:
        outcome = await self._called([one.asked for one in batch])
        if isinstance(outcome, Exception):
            if len(batch) > 1:
                log.warning("a batch of %d failed; it is asked again one by one", len(batch))
                for one in batch:
                    await self._answer([one])
                return
            log.error("the policy failed on a request", exc_info=outcome)
            if not batch[0].answer.done():
                batch[0].answer.set_exception(PolicyFailedError(type(outcome).__name__))
            return
        for one, answer in zip(batch, outcome, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)
                self.answered += 1

    async def _called(self, asked: Sequence[Asked]) -> Outcome:
        self.batches += 1
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._work.put((asked, done))
        return await done

    def _serve(self) -> None:
        """Body of the policy's thread."""
        while (work := self._work.get()) is not None:
            asked, done = work
            outcome = self._outcome(asked)
            with contextlib.suppress(RuntimeError):  # the loop may be gone by now
                done.get_loop().call_soon_threadsafe(_settle, done, outcome)

    def _outcome(self, asked: Sequence[Asked]) -> Outcome:
        try:
            answers = self._policy.act(
                [one.observation for one in asked], seeds=[one.seed for one in asked]
            )
            if len(answers) != len(asked):
                raise TypeError(f"{len(answers)} answers to {len(asked)} observations")
            for answer in answers:
                if not isinstance(answer, Answer) or not isinstance(answer.text, str):
                    raise TypeError(f"expected Answers with text, got {answer!r:.80}")
        except Exception as e:  # noqa: BLE001 - whatever a policy raises, its server lives on
            return e
        return answers


def _settle(done: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not done.done():
        done.set_result(outcome)
