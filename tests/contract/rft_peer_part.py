"""One process of a learner: python rft_peer_part.py FOLDER CASES; the main one keeps what it found.

CASES is JSON: name -> {"loss": ..., "steps": ..., and whatever `rft_parts.learner` takes}. Steps
are plain gradient descent: AdamW makes much of gradients that are zero but for rounding.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import vlm_parts
from rft_parts import learner, samples

from refergym.agents.rft.learner import RftLearner
from refergym.rollouts import peers

SAMPLES = 5
"""an odd number of parts, where each sample is one"""


def plain(made: RftLearner) -> None:
    """Let a learner step by plain gradient descent."""
    made._optimiser = torch.optim.SGD(made._learned, lr=0.0)  # type: ignore[assignment]


def found(case: dict[str, Any]) -> dict[str, Any]:
    """Learn as a case says; returns rows, weights, and what going on needs."""
    case = dict(case)
    steps, adam = case.pop("steps", 1), case.pop("adam", False)
    begun, pointer = case.pop("begun", None), case.pop("pointer", True)
    part = vlm_parts.refervlm(pointer=pointer)
    told = samples(part, SAMPLES)
    kept = torch.load(begun, weights_only=True) if begun else None
    if kept is not None:
        part.model.load_state_dict(kept["weights"])
    made = learner(part, case.pop("loss", None), reference=vlm_parts.refervlm().model, **case)
    if not adam:
        plain(made)
    if kept is not None:
        made.restore(kept["state"])
    rows = [made.learn(told) for _ in range(steps)]
    weights = made.weights()
    state = made.state() if adam else {}
    return {"rows": rows, "weights": weights, "state": state}


def main(folder: Path, cases: dict[str, Any]) -> None:
    """Go through the cases."""
    with peers.together():
        for name, case in cases.items():
            made = found(case)
            if peers.is_main():
                torch.save(made, folder / f"{name}.pt")
            else:
                torch.save({"rows": made["rows"]}, folder / f"{name}.other.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
