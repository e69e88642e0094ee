"""Where lessons come from, and how they are mixed; the same for a seed, from any step on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from refergym.assets.seeding import generator
from refergym.rollouts.errors import ConfigError, DataError
from refergym.rollouts.lessons.lesson import Lesson

BARREN = 20
"""groups without a lesson, one after the other, after which a source is given up"""


class Groups(Protocol):
    """Lessons by the number of their group."""

    def get(self, number: int) -> list[Lesson]:
        """Return a group; may wait until it is made."""
        ...

    def begin(self, number: int) -> None:
        """Begin to make a group, in the background."""
        ...


class Source:
    """Hands out the lessons of groups, each group in an order of its own."""

    def __init__(self, name: str, groups: Groups, *, seed: int, count: int | None = None) -> None:
        """Begin at the first.

        Args:
            name: in errors, and of its random numbers.
            groups: the lessons.
            seed: of the order.
            count: groups after which it begins anew; None never does.
        """
        self.name = name
        self._groups, self._seed, self._count = groups, seed, count
        self._group, self._place = 0, 0
        self._open: tuple[int, list[Lesson]] | None = None

    def next(self) -> Lesson:
        """Return the next lesson.

        Raises:
            DataError: if there is none in a long row of groups.
        """
        for _ in range(BARREN):
            lessons = self._lessons()
            if self._place < len(lessons):
                self._place += 1
                return lessons[self._place - 1]
            self._group, self._place = self._group + 1, 0
        raise DataError(f"{self.name}: no lesson in {BARREN} groups; change its scene or its task")

    def texts(self) -> list[str]:
        """Return what is asked and answered in the first group."""
        return [t for x in self._groups.get(0) for q in x.questions for t in (q.words, q.answer)]

    def state(self) -> list[int]:
        """Where it stands."""
        return [self._group, self._place]

    def restore(self, state: Sequence[int]) -> None:
        """Go on from what `state` said."""
        self._group, self._place = state
        self._open = None

    def _lessons(self) -> list[Lesson]:
        if self._open is None or self._open[0] != self._group:
            found = self._groups.get(self._number(self._group))
            order = generator(self._seed, f"order of {self.name}", self._group).permutation(
                len(found)
            )
            self._open = self._group, [found[k] for k in order]
            self._groups.begin(self._number(self._group + 1))
        return self._open[1]

    def _number(self, group: int) -> int:
        return group if self._count is None else group % self._count


class Mixture:
    """Draws lessons from sources by their weights.

    Attributes:
        drawn: how often.
    """

    def __init__(self, sources: Mapping[str, tuple[float, Source]], seed: int) -> None:
        """Take the sources.

        Args:
            sources: weight and source, by name.
            seed: of what is drawn.

        Raises:
            ConfigError: if no weight is above 0.
        """
        self._sources = {name: source for name, (w, source) in sources.items() if w > 0}
        weights = [w for w, _ in sources.values() if w > 0]
        if not weights:
            raise ConfigError("data: expected a source with a weight above 0")
        self._shares = [w / sum(weights) for w in weights]
        self._seed, self.drawn = seed, 0

    def draw(self, count: int, questions: int) -> list[Lesson]:
        """Draw lessons.

        Args:
            count: how many.
            questions: of each, at most; drawn too.
        """
        rng = generator(self._seed, "mixture", self.drawn)
        self.drawn += 1
        names = list(self._sources)
        found = []
        for k in rng.choice(len(names), count, p=self._shares):
            lesson = self._sources[names[k]].next()
            asked = lesson.questions
            if len(asked) > questions:
                kept = sorted(rng.choice(len(asked), questions, replace=False))
                asked = tuple(asked[i] for i in kept)
            found.append(replace(lesson, questions=asked))
        return found

    def texts(self) -> list[str]:
        """Return what is asked and answered in the first group of each source."""
        return [text for source in self._sources.values() for text in source.texts()]

    def state(self) -> dict[str, Any]:
        """Where it stands, as JSON."""
        return {"drawn": self.drawn, **{n: s.state() for n, s in self._sources.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` said.

        Raises:
            ConfigError: if it is of other sources.
        """
        if set(state) != {"drawn", *self._sources}:
            raise ConfigError(f"data: expected the sources {sorted({*state} - {'drawn'})}")
        self.drawn = int(state["drawn"])
        for name, source in self._sources.items():
            source.restore(state[name])
