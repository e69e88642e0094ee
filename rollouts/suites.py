"""Suites: fixed starts that everybody plays, as files of tasks.

Those that ship stand in `configs/suites`, packed; `digests.json` beside them has the sha256 of what
is in each.
"""

import functools
import gzip
import hashlib
from pathlib import Path

import msgspec

import refergym.configs
from refergym.assets.library import Pack
from refergym.envs.starts import Start, with_backend
from refergym.envs.types import Backend
from refergym.rollouts import taskfile
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.taskfile import Entry

FOLDER = Path(refergym.configs.__file__).parent / "suites"
ENDING = ".jsonl.gz"
DIGESTS = "digests.json"


def names() -> list[str]:
    """List the suites that ship."""
    return sorted(p.name.removesuffix(ENDING) for p in FOLDER.glob(f"*{ENDING}"))


def find(name: str) -> Path:
    """Return the file of a suite: one that ships, or a file of tasks, or the folder of one.

    Raises:
        ConfigError: listing those that ship.
    """
    path = Path(name)
    if path.is_dir():
        path /= taskfile.FILE
    if path.is_file():
        return path
    if name in names():
        return FOLDER / f"{name}{ENDING}"
    known = ", ".join(names()) or "none"
    raise ConfigError(f"suite: expected a file of tasks or one of {known}; got {name!r}")


@functools.lru_cache(maxsize=2)
def load(path: Path) -> tuple[Start, ...]:
    """Read all starts of a suite.

    Raises:
        ConfigError: naming the first bad line, or if there are none.
        OutputError: if the file cannot be read.
    """
    starts: list[Start] = []
    for line in taskfile.lines(path):
        if not isinstance(line.content, Entry):
            raise ConfigError(f"suite: {path}:{line.number}: {line.content.reason}")
        starts.append(line.content.start)
    if not starts:
        raise ConfigError(f"suite: {path} holds no tasks")
    return tuple(starts)


def check_pack(path: Path, pack: Pack) -> None:
    """Raise ConfigError if a suite was made with other assets."""
    for start in load(path):
        if start.scene.pack != pack.digest:
            raise ConfigError(
                f"suite: {path.name} was made with pack {start.scene.pack[:12]}, "
                f"this one is {pack.digest[:12]}"
            )


def start_for(path: Path, index: int, backend: Backend) -> Start:
    """Return one start, settled for a backend."""
    start = load(path)[index]
    return start if backend.kind in start.scene.settled else with_backend(start, backend)


def digest(path: Path) -> str:
    """Return the sha256 (hex) of what is in a file, packed or not."""
    data = path.read_bytes()
    return hashlib.sha256(gzip.decompress(data) if path.suffix == ".gz" else data).hexdigest()


def digests() -> dict[str, str]:
    """Return the recorded digests of the suites that ship, by name."""
    return msgspec.json.decode((FOLDER / DIGESTS).read_bytes(), type=dict[str, str])
