"""One process of a training: python peer_part.py MODEL OUT BATCHES; prints what it was told."""

import hashlib
import json
import sys
from pathlib import Path

from taught_parts import pictures, taught

from refergym.rollouts import peers


def main(begun: Path, out: Path, accumulate: int) -> None:
    """Learn three steps; saves after the first."""
    learning = {"with_depth": 0.5, "accumulate": accumulate, "lr": 1e-4, "clip": 1e9}
    told = []
    with peers.together():
        made = taught(begun, learning=learning)
        for step in range(3):
            shown = [pictures(10 * step + k) for k in range(made.learner.batches)]
            told.append(made.learner.learn(shown))
            if not step:
                made.learner.save(out, made.processor)
        weights = hashlib.sha256()
        for weight in made.objective.parameters():
            weights.update(weight.detach().numpy().tobytes())
    print(json.dumps({"told": told, "weights": weights.hexdigest()}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
