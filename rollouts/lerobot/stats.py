"""Statistics of features, as LeRobot normalises by them: of an episode, and of all together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Stats = dict[str, NDArray[np.float64]]
"""min, max, mean, std, q01 ... q99, each of a feature's shape for statistics; count [1], frames"""
QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
SHAPES = {"image": (3, 1, 1), "map": (1, 1)}


def of_vectors(values: NDArray[np.float64]) -> Stats:
    """Sum up the vectors [N, D] of N frames; each number by itself."""
    return _of(values, len(values), (values.shape[1],))


def of_pictures(pictures: NDArray[np.uint8]) -> Stats:
    """Sum up pictures [N, H, W, 3], each channel over all pixels, in [0, 1]."""
    return _of(pictures.reshape(-1, 3) / 255, len(pictures), SHAPES["image"])


def of_maps(maps: NDArray[np.float32]) -> Stats:
    """Sum up maps [N, H, W] over all pixels."""
    return _of(maps.reshape(-1, 1).astype(np.float64), len(maps), SHAPES["map"])


def merged(parts: Sequence[Stats]) -> Stats:
    """Join statistics of a feature over episodes.

    Exact, but for the quantiles: they are the episodes' means by frames, as LeRobot's own are.

    Args:
        parts: of each episode, at least one.
    """
    counts = np.array([p["count"][0] for p in parts])
    shares = counts / counts.sum()

    def mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.tensordot(shares, np.stack(values), 1)

    centre = mean([p["mean"] for p in parts])
    spread = mean([p["std"] ** 2 + (p["mean"] - centre) ** 2 for p in parts])
    return {
        "min": np.min([p["min"] for p in parts], axis=0),
        "max": np.max([p["max"] for p in parts], axis=0),
        "mean": centre,
        "std": np.sqrt(spread),
        "count": np.array([counts.sum()]),
        **{_name(q): mean([p[_name(q)] for p in parts]) for q in QUANTILES},
    }


def _of(rows: NDArray[np.float64], count: int, shape: tuple[int, ...]) -> Stats:
    quantiles = np.quantile(rows, QUANTILES, axis=0)
    found = {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        **{_name(q): values for q, values in zip(QUANTILES, quantiles, strict=True)},
    }
    return {k: v.reshape(shape) for k, v in found.items()} | {"count": np.array([count])}


def _name(quantile: float) -> str:
    return f"q{round(quantile * 100):02d}"
