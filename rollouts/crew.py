"""Things that have numbers, made by any number of workers and handed out in their order."""

import contextlib
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

from refergym.assets.errors import AssetError
from refergym.envs.errors import EnvError
from refergym.rollouts import processes
from refergym.rollouts.errors import PoolError, RolloutError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
AHEAD = 4
"""things in hand or waiting for their turn, for each worker"""


class Maker(Protocol[T_co]):
    """Makes things in one process; the same thing for the same number."""

    def make(self, number: int) -> T_co:
        """Make one."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def in_order(begin: Callable[[], Maker[T]], first: int, workers: int) -> Generator[T]:
    """Yield things in the order of their numbers, without end.

    Args:
        begin: makes a maker, in each process; plain data crosses, so a partial of a class.
        first: number of the first thing.
        workers: processes; 0 works in this one.

    Raises:
        PoolError: if a worker dies, or cannot go on.
        RolloutError, EnvError, AssetError: that a maker raised.
    """
    if workers == 0:
        with contextlib.closing(begin()) as maker:
            yield from map(maker.make, itertools.count(first))
        return
    crew: list[_Worker] = []
    done: dict[int, T] = {}
    given = first
    try:
        for _ in range(workers):
            crew.append(_Worker(*processes.start(_work, begin)))
        for number in itertools.count(first):
            while number not in done:
                for worker in crew:
                    if worker.number is None and given < number + AHEAD * workers:
                        worker.give(given)
                        given += 1
                ready = wait([worker.pipe for worker in crew])
                done |= dict(worker.take() for worker in crew if worker.pipe in ready)
            yield done.pop(number)
    finally:
        for worker in crew:
            processes.end(worker.process, worker.pipe)


@dataclass
class _Worker:
    """A process, which makes one thing at a time."""

    process: BaseProcess
    pipe: Connection
    number: int | None = None
    """of the thing in hand"""

    def give(self, number: int) -> None:
        self.number = number
        with contextlib.suppress(OSError):  # it died; `take` finds out
            self.pipe.send(number)

    def take(self) -> tuple[int, Any]:
        try:
            made = self.pipe.recv()
        except (EOFError, OSError) as e:
            raise PoolError(f"{processes.epitaph(self.process)}; resume=true goes on") from e
        if isinstance(made, Exception):
            raise made
        number, self.number = self.number, None
        assert number is not None, "it makes what it was given"
        return number, made


def _work(pipe: Connection, begin: Callable[[], Maker[Any]]) -> None:
    """Body of a worker process; ends when the pipe does."""
    try:
        maker = begin()
        while True:
            pipe.send(maker.make(pipe.recv()))
    except (EOFError, ConnectionError):
        pass  # the run is over
    except (RolloutError, EnvError, AssetError) as e:
        pipe.send(e)  # it explains itself
    except Exception as e:
        said = " ".join(str(e).split())
        pipe.send(PoolError(f"a worker cannot go on: {type(e).__name__}: {said}"))
        raise
