"""Random generators derived from (seed, purpose, index), equal on every machine and process."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return a generator that depends on its arguments alone.

    Args:
        seed: the run's seed, >= 0.
        purpose: what the numbers are for ("compose", "task", "policy"...); separates streams.
        *index: further counters, such as the episode's number and the try's.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.default_rng(np.random.SeedSequence([seed, word, *index]))
