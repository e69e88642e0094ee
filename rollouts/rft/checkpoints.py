"""Checkpoints of a training: a model that any policy can load, and what going on needs."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch

from refergym.agents import folders
from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts.errors import OutputError
from refergym.rollouts.rft.choosing import Progress
from refergym.rollouts.rft.leading import Learns

STATE = "trainer.pt"
BROKEN = (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError)
"""what torch raises about a file that is damaged, or another one"""


class State(Record, frozen=True, kw_only=True):
    """Where a training stands, beside weights and optimiser."""

    progress: Progress
    """of the starts, ahead of the next batch"""
    best: float
    """success of the best evaluation"""
    rows: tuple[dict[str, Any], ...]
    """of the journal"""


def write(folder: Path, learner: Learns, processor: Any, state: State) -> None:
    """Write a checkpoint in one piece."""

    def fill(part: Path) -> None:
        learner.model.save_pretrained(part, state_dict=learner.weights())
        processor.save_pretrained(part)
        told = {"learner": learner.state(), "state": msgspec.json.encode(state)}
        torch.save(told, part / STATE)

    folders.replace(folder, fill)


def read(folder: Path) -> tuple[Mapping[str, Any], State]:
    """Read what `write` wrote beside the model: the learner's state, and the training's.

    Raises:
        OutputError: if it is damaged, or none.
    """
    try:
        told = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        learner: Mapping[str, Any] = told["learner"]
        return learner, records.decode(told["state"], State, error=OutputError)
    except BROKEN as e:
        line = (str(e).splitlines() or [type(e).__name__])[0]
        raise OutputError(f"resume: {folder} cannot be read: {line}") from e
