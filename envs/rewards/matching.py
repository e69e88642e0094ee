"""Which key step a step of a policy's reasoning is about: by what its target means."""

import contextlib
import functools
from collections.abc import Sequence

from refergym.envs.errors import TaskError
from refergym.envs.key_steps import KeyStep
from refergym.envs.language import floor, noun_phrase, spot
from refergym.envs.language.naming import Nameable, names, names_side, normalised
from refergym.envs.programs import Arrange, Floor, Gather, Program, Region, Select, walk
from refergym.envs.replies import ReasoningStep

REMEMBERED = 1 << 14
"""phrases whose matches are remembered"""


def match_steps(
    program: Program, key_steps: Sequence[KeyStep], steps: Sequence[ReasoningStep]
) -> tuple[tuple[ReasoningStep, ...], ...]:
    """Return for each key step the steps of that perception whose target means the same.

    Args:
        program: what the key steps were worked out from.
        key_steps: the truth.
        steps: the policy's, in its order; each is about one key step at most.
    """
    found: list[list[ReasoningStep]] = [[] for _ in key_steps]
    for step in steps:
        for k, key in enumerate(key_steps):
            if step.perception == key.perception and means(program, key.target, step.target):
                found[k].append(step)
                break
    return tuple(map(tuple, found))


@functools.lru_cache(maxsize=REMEMBERED)
def means(program: Program, target: str, phrase: str) -> bool:
    """Tell whether a phrase means a key step's target.

    Args:
        program: the task's.
        target: the key step's, in canonical words.
        phrase: as a policy writes it.
    """
    if phrase == target or normalised(phrase) == normalised(target):
        return True
    nodes = _named(program)
    if target in nodes:
        node, is_set = nodes[target]
        return names(phrase, node, is_set=is_set)
    # "the handle of the cup": of the names that it ends with, the longest
    owners = sorted((n for n in nodes if target.endswith(f" of {n}")), key=len)
    if not owners or not target.startswith("the "):
        return False
    owner, _ = nodes[owners[-1]]
    side = target.removeprefix("the ").removesuffix(f" of {owners[-1]}")
    return isinstance(owner, Select) and names_side(phrase, owner, side)


@functools.lru_cache(maxsize=512)
def _named(program: Program) -> dict[str, tuple[Nameable, bool]]:
    """Canonical words -> the node of a program that they name, and whether as a set."""
    found: dict[str, tuple[Nameable, bool]] = {}
    for path, node in walk(program):
        is_set = path == "what" and isinstance(program, Gather | Arrange)
        with contextlib.suppress(TaskError):  # what can't be said has no key step
            if isinstance(node, Select):
                found[noun_phrase(node, is_set=is_set)] = node, is_set
            elif isinstance(node, Floor):
                found[floor(node)] = node, False
            elif isinstance(node, Region):
                found[spot(node)] = node, False
    return found
