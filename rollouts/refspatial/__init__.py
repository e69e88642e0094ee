"""RefSpatial and RefSpatial-Bench: our tasks in their formats, and their data for training."""

from refergym.rollouts.refspatial.bench import Item, read_bench, read_mask
from refergym.rollouts.refspatial.reading import Bad, parts, read_refspatial
from refergym.rollouts.refspatial.schema import Sample, Thought, Turn
from refergym.rollouts.refspatial.scoring import Score, score

__all__ = [
    "Bad",
    "Item",
    "Sample",
    "Score",
    "Thought",
    "Turn",
    "parts",
    "read_bench",
    "read_mask",
    "read_refspatial",
    "score",
]
