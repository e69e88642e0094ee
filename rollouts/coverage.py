"""What a file of tasks covers: steps, relations, categories, and what came twice."""

import hashlib
from collections import Counter

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs import programs
from refergym.rollouts.taskfile import Entry


class Report(Record, frozen=True, kw_only=True):
    """What a run came to."""

    tasks: int
    scenes: int
    """that tasks were made in"""
    barren: int
    """scenes without any; of this run alone"""
    kinds: dict[str, int]
    steps: dict[str, int]
    relations: dict[str, int]
    """how often each relation, order and kind of place is named"""
    categories: dict[str, int]
    coverage: dict[str, dict[str, int]]
    """relation -> steps -> tasks"""
    pairs: int
    """different pairs of a relation and a category that stand in one task"""
    duplicates: int
    """tasks whose program stands in the file before, of another scene"""
    rejections: dict[str, int]
    """tries that came to nothing, by cause; of this run alone"""
    rejected: float
    """share of the tries that came to nothing; of this run alone"""


class Tally:
    """Counts tasks as they are made; its size does not grow with their number, but for hashes."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.tasks = self.scenes = self.barren = self.duplicates = self.tries = self.made = 0
        self.steps: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._relations: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._coverage: Counter[tuple[str, int]] = Counter()
        self._pairs: set[tuple[str, str]] = set()
        self._seen: set[bytes] = set()
        self._scene = -1

    def add(self, entry: Entry) -> None:
        """Count a task."""
        self.tasks += 1
        task = entry.start.task
        self.scenes += entry.start.index != self._scene
        self._scene = entry.start.index
        self.steps[entry.steps] += 1
        self._kinds[task.kind] += 1
        text = records.canonical_json(task.program)
        key = hashlib.blake2b(text, digest_size=12).digest()
        self.duplicates += key in self._seen
        self._seen.add(key)
        names, categories = _named(task.program)
        self._relations.update(names)
        self._categories.update(categories)
        self._coverage.update((name, entry.steps) for name in set(names))
        self._pairs.update((n, c) for n in names for c in categories)

    def report(self) -> Report:
        """Return all counts."""
        coverage: dict[str, dict[str, int]] = {}
        for (name, steps), n in sorted(self._coverage.items()):
            coverage.setdefault(name, {})[str(steps)] = n
        return Report(
            tasks=self.tasks,
            scenes=self.scenes,
            barren=self.barren,
            kinds=dict(self._kinds.most_common()),
            steps={str(k): n for k, n in sorted(self.steps.items())},
            relations=dict(self._relations.most_common()),
            categories=dict(self._categories.most_common()),
            coverage=coverage,
            pairs=len(self._pairs),
            duplicates=self.duplicates,
            rejections=dict(self.reasons.most_common()),
            rejected=round(1 - self.made / self.tries, 4) if self.tries else 0.0,
        )


def _named(program: programs.Program) -> tuple[list[str], list[str]]:
    """The relations, orders and kinds of places of a program, and its categories."""
    names: list[str] = []
    categories: list[str] = []
    for _, node in programs.walk(program):
        if isinstance(node, programs.Where):
            names.append(node.relation)
        elif isinstance(node, programs.Rank):
            names.append(f"rank by {node.axis}")
        elif isinstance(node, programs.Select):
            categories.append(node.category or "any")
        else:
            names.append(type(node).__name__.lower())
    return names, categories
