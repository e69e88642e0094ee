"""The shuffled floor: a policy that is told something else. It solves what pictures give away.

The other instruction is one that people wrote for the held-out sentences, of the same kind (point,
pick, move) as far as its verb tells. It follows from the seed and the instruction alone: the same
in every turn of an episode, and whatever else is in the batch.
"""

import hashlib
import re
from functools import cache
from typing import cast

from refergym.agents.altered import AlteredPolicy
from refergym.agents.policy import Policy
from refergym.assets.seeding import generator
from refergym.envs.language.held_out import held_out_sentences
from refergym.envs.types import Observation

_POINT = re.compile(
    r"\b(point|show|indicate|direct|identify|mark|find|looking for|where|which|what)\b",
    re.IGNORECASE,
)
_MOVE = re.compile(
    r"\b(put|place|move|set|bring|arrange|lay|drop|shift|gather|spread|end up|goes?|into|onto)\b",
    re.IGNORECASE,
)
_PICK = re.compile(
    r"\b(pick|grab|lift|lifting|take|fetch|get|grasp|hand|raise|pass|hold|want|like|have)\b",
    re.IGNORECASE,
)


def shuffled_policy(policy: Policy | None, seed: int = 0, name: str = "shuffled") -> AlteredPolicy:
    """Wrap a policy such that it reads another instruction.

    Args:
        policy: answers.
        seed: of the choice of sentences.
        name: of the floor.

    Raises:
        ValueError: if there is no policy, or if it sees the truth.
    """

    def change(observation: Observation) -> Observation:
        other = another(observation["instruction"], seed)
        return cast(Observation, {**observation, "instruction": other})

    return AlteredPolicy(name, policy, change)


def another(instruction: str, seed: int) -> str:
    """Return a sentence of the same kind that says something else."""
    pool = [s for s in _sentences()[kind_of(instruction)] if s != instruction]
    digest = hashlib.sha256(instruction.encode("utf-8", "replace")).digest()
    rng = generator(seed, "policy.shuffled", int.from_bytes(digest[:8], "little"))
    return pool[int(rng.integers(len(pool)))]


def kind_of(instruction: str) -> str:
    """Tell by its verb what an instruction asks for: "point", "pick" or "move"."""
    found = [verb.search(instruction) for verb in (_POINT, _MOVE, _PICK)]
    point, move, pick = (m.start() if m else len(instruction) for m in found)
    if point <= min(move, pick):  # "point to the one that I put there"
        return "point"
    return "pick" if move == len(instruction) else "move"


@cache
def _sentences() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"point": [], "pick": [], "move": []}
    for sentence in held_out_sentences():
        found[sentence.kind].append(sentence.text)
    return found
