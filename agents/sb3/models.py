"""Models of Stable-Baselines3 on disk: its own zip, and in it a card that says what it sees.

A model is written beside its place and then moved there: a killed run leaves the old one or the new
one. Loading runs pickles, as Stable-Baselines3 does: load only what you trust.
"""

import contextlib
import importlib.util
import os
import zipfile
from pathlib import Path
from typing import Any

from refergym.agents.sb3.errors import MissingExtraError, ModelError
from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.array_view import ArrayView

ALGORITHMS = {"ppo": "PPO", "sac": "SAC"}
"""names in configs: classes of stable_baselines3"""
MODEL = "model.zip"
MEMORY = "memory.pkl"
"""steps that SAC learns from, beside the model"""
VERSION = 1
CARD = "refergym.json"
"""entry of the zip"""


class Card(Record, frozen=True, kw_only=True):
    """What a saved model is."""

    version: int = VERSION
    algorithm: str
    """a key of `ALGORITHMS`"""
    view: ArrayView
    """what it sees"""
    steps: int
    """that it has learned from"""
    seed: int
    choices: dict[str, str]
    """the config groups that it was trained with: task, scene, reward..."""
    versions: dict[str, str]
    """of packages"""


def require() -> None:
    """Raise MissingExtraError if Stable-Baselines3 is not installed."""
    for module in ("torch", "stable_baselines3"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(
                f"{module} is not installed: make doctor EXTRAS=sb3, or pip install 'refergym[sb3]'"
            )


def algorithm_class(name: str) -> Any:
    """Return a class of stable_baselines3 by its name in configs."""
    import stable_baselines3

    return getattr(stable_baselines3, ALGORITHMS[name])


def save(model: Any, card: Card, folder: Path) -> None:
    """Write a model, its card and, of SAC, its memory of steps into a folder, in whole files."""
    part = folder / f"{MODEL}.part"
    with part.open("wb") as file:
        model.save(file)
    with zipfile.ZipFile(part, "a") as archive:
        archive.writestr(CARD, records.canonical_json(card))
    if getattr(model, "replay_buffer", None) is not None:
        memory = folder / f"{MEMORY}.part"
        with memory.open("wb") as file:
            model.save_replay_buffer(file)
        memory.replace(folder / MEMORY)
    os.replace(part, folder / MODEL)


def read_card(path: Path) -> Card:
    """Read what a saved model is, without loading it.

    Raises:
        ModelError: if there is none, or it is damaged or not of refergym.
    """
    if not path.is_file():
        raise ModelError(f"path: no model at {path}; `refergym train` writes {MODEL} to its out=")
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            if bad is not None:
                raise ModelError(f"path: {path} is damaged ({bad})")
            data = archive.read(CARD)
    except zipfile.BadZipFile as e:
        raise ModelError(f"path: {path} is no model, or is damaged ({e})") from e
    except KeyError as e:
        raise ModelError(f"path: {path} has no {CARD}: damaged, or not by `refergym train`") from e
    except OSError as e:
        raise ModelError(f"path: cannot read {path}: {e.strerror}") from e
    try:
        card = records.decode(data, Card, error=ModelError)
    except ModelError as e:
        raise ModelError(f"path: {path}: {CARD}: {e}") from e
    if card.version != VERSION or card.algorithm not in ALGORITHMS:
        raise ModelError(
            f"path: {path} is of version {card.version} ({card.algorithm}); this refergym reads "
            f"version {VERSION} of {', '.join(ALGORITHMS)}"
        )
    return card


def load(path: Path, card: Card, env: Any = None, **more: Any) -> Any:
    """Load a model that `save` wrote.

    Args:
        path: of model.zip.
        card: that `read_card` read in it.
        env: to learn on in; None only answers.
        **more: further arguments of Stable-Baselines3's load.

    Raises:
        ModelError: naming the file, if it does not fit.
    """
    try:
        model = algorithm_class(card.algorithm).load(path, env=env, **more)
    except Exception as e:
        # whatever a foreign or older pickle raises
        reason = " ".join(str(e).split())
        raise ModelError(f"path: cannot load {path}: {type(e).__name__}: {reason:.200}") from e
    if model.observation_space != card.view.space:
        raise ModelError(f"path: {path} sees other arrays than its card says")
    with contextlib.suppress(AttributeError):
        model.policy.set_training_mode(False)
    return model
