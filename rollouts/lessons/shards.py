"""Lessons on disk: shards of a number of scenes each, made when they are needed and then kept.

Shard k holds the lessons of the scenes [k * size, (k + 1) * size): a function of the plan and k, so
that a training that goes on sees what it would have seen. Of the processes of one training the main
one makes them, and the others read them from the same folder.
"""

import contextlib
import itertools
import json
import threading
import time
from pathlib import Path

import msgspec

from refergym.assets import records
from refergym.rollouts import output, peers
from refergym.rollouts.errors import OutputError
from refergym.rollouts.lessons.lesson import Lesson, read_lessons, write_lessons
from refergym.rollouts.lessons.making import Plan, lessons

PLAN = "lessons.json"
WAIT_S = 0.1
"""between two looks for what another process makes"""


class Shards:
    """Shards of lessons in a folder.

    Attributes:
        size: scenes of a shard.
    """

    def __init__(self, folder: Path, plan: Plan, size: int, workers: int = 1) -> None:
        """Open the folder, or begin it.

        Args:
            folder: where shards are kept.
            plan: what they are made by.
            size: scenes of a shard.
            workers: processes that make them; 0 makes them in this one.

        Raises:
            OutputError: if the folder holds shards of another plan.
        """
        self.size = size
        self._folder, self._plan, self._workers = folder, plan, workers
        self._making: tuple[int, threading.Thread] | None = None
        self._wrong: Exception | None = None
        self._is_over = threading.Event()
        if peers.is_main():
            self._open()

    def get(self, number: int) -> list[Lesson]:
        """Return a shard; waits until it is made.

        Raises:
            OutputError: if its file is damaged.
            PoolError: if a worker dies; other errors as generation raises them.
        """
        path = self.path(number)
        while not (path.exists() or peers.is_main()):
            time.sleep(WAIT_S)
        if not path.exists():
            if self._making is None or self._making[0] != number:
                self.begin(number)
            assert self._making is not None, "begun"
            self._making[1].join()
            if self._wrong is not None:
                raise self._wrong
        return read_lessons(path)

    def begin(self, number: int) -> None:
        """Begin to make a shard in the background, unless it is there or is being made."""
        if self.path(number).exists() or not peers.is_main():
            return
        if self._making is not None:
            if self._making[0] == number and self._making[1].is_alive():
                return
            self._making[1].join()
        self._wrong = None
        thread = threading.Thread(target=self._make, args=(number,), daemon=True)
        self._making = number, thread
        thread.start()

    def close(self) -> None:
        """Make no more; what is not whole is dropped."""
        self._is_over.set()
        if self._making is not None:
            self._making[1].join()

    def path(self, number: int) -> Path:
        """File of a shard."""
        return self._folder / f"{number:05d}.npz"

    def _open(self) -> None:
        told = {"plan": msgspec.to_builtins(self._plan), "size": self.size}
        text = records.canonical_json(told).decode()
        file = self._folder / PLAN
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                output.write_text(file, text)
            before = json.loads(file.read_text())
        except OSError as e:
            raise OutputError(f"{file}: cannot be written: {e.strerror}") from e
        except ValueError:
            before = None
        if before != json.loads(text):
            raise OutputError(
                f"{file}: these lessons were made by another plan; choose another folder"
            )

    def _make(self, number: int) -> None:
        made: list[Lesson] = []
        try:
            with contextlib.closing(
                lessons(self._plan, number * self.size, self._workers)
            ) as stream:
                for found in itertools.islice(stream, self.size):
                    made += found
                    if self._is_over.is_set():
                        return
            write_lessons(self.path(number), made)
        except OSError as e:
            self._wrong = OutputError(f"{self.path(number)}: cannot be written: {e.strerror}")
        except Exception as e:  # noqa: BLE001 - `get` raises it where it is waited for
            self._wrong = e
