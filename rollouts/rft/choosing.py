"""Which start a group plays next: ever new ones, or out of a pool by how much they still teach."""

from collections import Counter

from refergym.assets.records import Record
from refergym.assets.seeding import generator


class Progress(Record, frozen=True, kw_only=True):
    """Where a chooser stands; plain data, to go on from."""

    drawn: int = 0
    """numbers that were looked at"""
    rates: tuple[tuple[int, float], ...] = ()
    """index and success rate of the last group that played it; of a pool alone"""
    passed: int = 0
    """times that a start was passed over"""


class Chooser:
    """Hands out indices of starts.

    Without a pool each start is new. With one, its starts come in an order that is drawn anew for
    each round; one that its last group always or never solved is passed over, except for a share
    of the times: it may have become easier, or be forgotten.
    """

    def __init__(self, seed: int, pool: int | None, keep: float) -> None:
        """Begin.

        Args:
            seed: of the order.
            pool: how many starts there are; None has no end.
            keep: share of the times that such a start is played all the same, in (0, 1].
        """
        self._seed, self._pool, self._keep = seed, pool, keep
        self._drawn = self._passed = 0
        self._rates: dict[int, float] = {}

    def next(self) -> int:
        """Return the index of a start."""
        while True:
            k = self._drawn
            self._drawn += 1
            if self._pool is None:
                return k
            turn, place = divmod(k, self._pool)
            index = int(generator(self._seed, "pool", turn).permutation(self._pool)[place])
            settled = self._rates.get(index, 0.5) in (0.0, 1.0)
            if not settled or generator(self._seed, "keep", k).random() < self._keep:
                return index
            self._passed += 1

    def played(self, index: int, rate: float) -> None:
        """Take note of how often a group solved a start."""
        if self._pool is not None:
            self._rates[index] = rate

    @property
    def settled(self) -> dict[str, int]:
        """How many starts of the pool were never, sometimes and always solved when last played."""
        names = Counter(
            {0.0: "never", 1.0: "always"}.get(rate, "sometimes") for rate in self._rates.values()
        )
        return {name: names[name] for name in ("never", "sometimes", "always")}

    @property
    def progress(self) -> Progress:
        """Where it stands."""
        return Progress(drawn=self._drawn, rates=tuple(self._rates.items()), passed=self._passed)

    def restore(self, progress: Progress) -> None:
        """Go on from there."""
        self._drawn, self._passed = progress.drawn, progress.passed
        self._rates = dict(progress.rates)
