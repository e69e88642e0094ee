"""Lessons from a folder in RefSpatial's format: ours, or the release."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.agents.narrator import in_blocks
from refergym.rollouts.errors import DataError
from refergym.rollouts.lessons.lesson import Lesson, Question
from refergym.rollouts.refspatial import Sample, read_refspatial
from refergym.rollouts.refspatial.schema import SUFFIX, Turn


class Written:
    """Reads samples in groups, round and round.

    A sample with a thought is answered in blocks, one without as it stands. Samples with several
    pictures are left out: a lesson has one.
    """

    def __init__(self, folder: Path | str, *, size: int, pixels: int) -> None:
        """Look whether there is something.

        Args:
            folder: as `read_refspatial` takes it.
            size: samples of a group.
            pixels: width and height that pictures are brought to.

        Raises:
            DataError: if there is no RefSpatial, or no sample of it can be used.
        """
        self._folder, self._size, self._pixels = folder, size, pixels
        self._at = 0
        self._running = self._usable()
        if next(self._usable(), None) is None:
            raise DataError(f"{folder}: no sample with one picture")

    def get(self, number: int) -> list[Lesson]:
        """Return a group; those behind the last begin anew."""
        if number < self._at:
            self._at, self._running = 0, self._usable()
        found: list[Sample] = []
        while self._at <= number:
            found = []
            while len(found) < self._size:
                sample = next(self._running, None)
                if sample is None:
                    self._running = self._usable()
                    continue
                found.append(sample)
            self._at += 1
        return [self._lesson(sample) for sample in found]

    def begin(self, number: int) -> None:
        """Nothing is to be made ahead."""

    def _usable(self) -> Iterator[Sample]:
        return (s for s in read_refspatial(self._folder) if len(s.images) == 1)

    def _lesson(self, sample: Sample) -> Lesson:
        side = self._pixels
        rgb = self._picture(sample.images[0], "RGB")
        # a picture without its depth picture has the same depth everywhere
        grey = np.zeros((side, side), np.uint8)
        if sample.depths:
            grey = self._picture(sample.depths[0], "L")
        return Lesson(
            rgb=rgb,
            disparity=grey,
            ids=np.full((side, side), -1, np.int32),
            names=None,
            questions=tuple(_question(turn) for turn in sample.turns),
        )

    def _picture(self, path: str, mode: str) -> NDArray[np.uint8]:
        side = self._pixels
        try:
            with Image.open(path) as image:
                small = image.convert(mode).resize((side, side), Image.Resampling.BICUBIC)
                return np.asarray(small)
        except OSError as e:
            raise DataError(f"{path}: no picture that can be read: {e}") from e


def _question(turn: Turn) -> Question:
    words = turn.question.replace(SUFFIX, "").strip()
    answer = turn.answer
    if turn.thought is not None and turn.thought.thinking:
        answer = in_blocks(turn.thought.thinking, answer)
    return Question(words=words, answer=answer, kind="refspatial")
