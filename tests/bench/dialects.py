"""Milliseconds to read an answer, for each dialect; and those of its longest and worst texts.

Times are CPU seconds of this process, on one core, medians of several rounds.
"""

import os
import statistics
import sys
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf
from speed import ROUNDS, say, versus

from refergym import configs
from refergym.envs.dialects.base import AnswerError, Dialect, PointSeen

ANSWERS, GOAL = 1000, 1.0
SIZE = (644, 476)
WORST = ("(", "(1,2)", '{"a":', '<points x1="1" y1="1" ', "<point>", "1 2 3 ")


def main() -> int:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    met = True
    for path in sorted((Path(configs.__file__).parent / "dialect").glob("*.yaml")):
        dialect: Dialect = instantiate(OmegaConf.load(path))
        answers, long = texts(dialect, 1), texts(dialect, 20)
        mean = statistics.median(per_text(dialect, answers) for _ in range(ROUNDS))
        met &= say(f"{path.stem}: reading an answer", mean, "ms", GOAL, at_least=False)
        many = per_text(dialect, long[:100])
        versus("20 points in prose", many, "ms", many / mean)
        worst = max(per_text(dialect, [(unit * 100_000)[:100_000]]) for unit in WORST)
        versus("the worst of some repeated units, 100 kB", worst, "ms", worst / mean)
    return int(not met)


def texts(dialect: Dialect, count: int) -> list[str]:
    """Write answers with some points each, in a sentence."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(ANSWERS):
        points = [PointSeen(u=u, v=v, label="the red cup") for u, v in rng.random((count, 2))]
        made.append(f"The cup that is asked for is here: {dialect.format(points, SIZE)} (I think).")
    return made


def per_text(dialect: Dialect, answers: list[str]) -> float:
    """Milliseconds that one text takes, on average."""
    begin = time.process_time()
    for text in answers:
        try:
            dialect.parse(text, SIZE)
        except AnswerError:
            continue
    return 1000 * (time.process_time() - begin) / len(answers)


if __name__ == "__main__":
    sys.exit(main())
