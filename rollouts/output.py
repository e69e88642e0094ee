"""The folder of a run: what it was configured with, and whether a run may go on in it."""

import contextlib
import fcntl
import importlib.metadata
import json
import logging
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.errors import EnvError
from refergym.rollouts.errors import ConfigError, DataError, OutputError

_log = logging.getLogger(__name__)

RUN, EPISODES, RESULTS = "run.json", "episodes.jsonl", "results.json"
OVERVIEW, PAGE = "overview.png", "index.html"
VERSION = 1
FREE = (
    "out", "resume", "workers", "batch", "timeout_s", "pictures", "video", "video_size",
)  # fmt: skip
"""keys that change no outcome; a resumed run may set them anew"""
GROWING = ("episodes", "samples")
"""keys of which a resumed run may ask for more"""
PACKAGES = (
    "refergym", "numpy", "gymnasium", "pybullet", "embreex", "moderngl", "trimesh", "shapely",
)  # fmt: skip
"""packages that outcomes or pictures depend on"""


class RunInfo(Record, frozen=True, kw_only=True):
    """What fixes the outcomes of a run."""

    version: int = VERSION
    config: dict[str, Any]
    """resolved, without the keys that change no outcome"""
    choices: dict[str, str]
    """chosen option of each config group"""
    backend: str
    """kind that runs, after "auto" was decided"""
    renderer: str
    pack: str
    """digest of the asset pack's manifest"""
    versions: dict[str, str]
    weights: dict[str, str] = msgspec.field(default_factory=dict)
    """digest of each policy's weights, of those that come from files"""


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that outcomes depend on, where installed."""
    return {"python": platform.python_version(), **versions_of(PACKAGES)}


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions of packages, where installed."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def fixed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the keys that change no outcome."""
    return {key: value for key, value in config.items() if key not in FREE}


def open_folder(folder: Path, info: RunInfo, *, resume: bool) -> None:
    """Make the folder of a run ready, or check that the run may go on in it.

    Args:
        folder: of the run.
        info: of the run that is about to start.
        resume: whether to go on where an earlier run stopped.

    Raises:
        OutputError: if there is a run already and `resume` is false, or if it was another run;
            names the fix, or the key that differs.
    """
    path = folder / RUN
    used = [name for name in (RUN, EPISODES, RESULTS) if (folder / name).exists()]
    if used and not resume:
        raise OutputError(
            f"out: {folder} already holds a run ({', '.join(used)}); go on in it with resume=true,"
            " choose another out=, or delete it"
        )
    if used:
        check_same(path, info)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, info)
    except OSError as e:
        raise OutputError(f"out: cannot write to {folder}: {e.strerror}") from e


@contextlib.contextmanager
def kept_if_begun(folder: Path, *made: str) -> Iterator[None]:
    """Leave no run behind where settings turn out to be wrong before anything was made.

    Args:
        folder: of the run.
        made: names of files or folders of which one shows that it began.
    """
    try:
        yield
    except (ConfigError, DataError, EnvError):
        if not any((folder / name).exists() for name in made):
            (folder / RUN).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let no other process work in a folder meanwhile, if it asks here as well.

    Raises:
        OutputError: if one does.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(held)
        raise OutputError(
            f"out: another process writes to {folder}; wait for it, or choose another out="
        ) from e
    except OSError as e:  # a file system without locks
        _log.info("%s: cannot be locked (%s); nothing else should write there", folder, e.strerror)
    try:
        yield
    finally:
        os.close(held)


def write_json(path: Path, record: object) -> None:
    """Write a record as indented JSON, in one piece."""
    text = json.dumps(json.loads(records.canonical_json(record)), indent=2, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in one piece: a killed run leaves the whole file or none."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def check_same(path: Path, info: RunInfo) -> None:
    """Check that a run may go on in a folder.

    Args:
        path: of the folder's run.json.
        info: of the run that would go on.

    Raises:
        OutputError: naming the key that differs.
    """
    try:
        before = records.decode(path.read_bytes(), RunInfo, error=OutputError)
    except OSError as e:
        raise OutputError(
            f"resume: {path} is missing, so what ran here is unknown; choose another out="
        ) from e
    except OutputError as e:
        raise OutputError(f"{path}: {e}") from e
    old, new = (json.loads(records.canonical_json(record)) for record in (before, info))
    for key in GROWING:
        was, now = before.config.get(key), info.config.get(key)
        if isinstance(was, int) and isinstance(now, int) and was <= now:
            old["config"][key] = now
    for key, was, now in differences(old, new):
        key = key.removeprefix("config.")
        raise OutputError(
            f"resume: {key} was {was} in {path.parent}, now it is {now}; set it back, or choose"
            " another out="
        )


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield each key that differs between plain data, with both values as JSON."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            absent = "(not set)"
            below = f"{path}.{key}" if path else str(key)
            yield from differences(old.get(key, absent), new.get(key, absent), below)
    elif old != new:
        yield path, json.dumps(old), json.dumps(new)
