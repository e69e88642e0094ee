"""Prove the tasks of a file again: read, look, and play each, and list what fails."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import OmegaConf

from refergym.assets.errors import AssetError
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs import building, grammar
from refergym.envs.errors import EnvError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.task_spec import part_for
from refergym.envs.verifying import problems
from refergym.rollouts import config, output, taskfile
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.plan import ENV_GROUPS
from refergym.rollouts.taskfile import Entry

_log = logging.getLogger(__name__)

REPORT = "verified.json"


class Verified(Record, frozen=True, kw_only=True):
    """What became of a file."""

    tasks: int
    good: int
    failures: dict[str, tuple[str, ...]]
    """by the task's id, or its line: what is wrong"""


def run(
    where: str,
    composed: config.Composed,
    pack: str | None,
    config_dir: str | Path | None,
    on_progress: Callable[[int, int, Mapping[str, int]], None],
) -> int:
    """Verify a file, list what fails, write it beside the file; returns the exit status.

    Args:
        where: a file of tasks, or the folder that holds one.
        composed: configuration of the environment that plays them.
        pack: folder of the assets; None takes the package's own.
        config_dir: a folder with further yaml files.
        on_progress: told the tasks so far, how many there are, and what failed how often.

    Raises:
        OutputError: if there is no such file.
    """
    path = Path(where) / taskfile.FILE if Path(where).is_dir() else Path(where)
    found = verify(path, composed, pack, config_dir, on_progress)
    for name, reasons in found.failures.items():
        _log.error("%s: %s", name, "; ".join(reasons))
    try:
        output.write_json(path.with_name(REPORT), found)
    except OSError as e:
        raise OutputError(f"{path.with_name(REPORT)}: cannot write: {e.strerror}") from e
    _log.info("%d of %d tasks hold; wrote %s", found.good, found.tasks, path.with_name(REPORT))
    return int(found.good < found.tasks)


def verify(
    path: Path,
    composed: config.Composed,
    pack: str | None = None,
    config_dir: str | Path | None = None,
    on_progress: Callable[[int, int, Mapping[str, int]], None] = lambda *_: None,
) -> Verified:
    """Verify a file; see `run`."""
    total = sum(1 for _ in taskfile.lines(path))
    if not total:
        raise OutputError(f"{path}: holds no tasks")
    player = _Player(composed, pack, config_dir)
    failures: dict[str, tuple[str, ...]] = {}
    causes: Counter[str] = Counter()
    ids: dict[str, int] = {}
    try:
        for done, line in enumerate(taskfile.lines(path), 1):
            name, reasons = f"line {line.number}", []
            if not isinstance(line.content, Entry):
                reasons = [line.content.reason]
            elif line.content.id in ids:
                reasons = [f"id: {line.content.id} is that of line {ids[line.content.id]} too"]
            else:
                name = line.content.id
                ids[name] = line.number
                reasons = player.problems(line.content)
            if reasons:
                failures[name] = tuple(reasons)
                causes.update(reasons)
            on_progress(done, total, causes)
    finally:
        player.close()
    return Verified(tasks=total, good=total - len(failures), failures=failures)


class _Player:
    """Keeps an environment for each kind of task and size of picture."""

    def __init__(
        self, composed: config.Composed, pack: str | None, config_dir: str | Path | None
    ) -> None:
        self._composed, self._folder, self._config_dir = composed, pack, config_dir
        self._pack = open_pack(pack)
        self._envs: dict[tuple[str, int, int], ReferEnv] = {}

    def problems(self, entry: Entry) -> list[str]:
        start, counted = entry.start, grammar.steps(entry.start.task.program)
        if entry.steps != counted:
            return [f"steps: says {entry.steps}, the program has {counted}"]
        if start.scene.pack != self._pack.digest:
            return [f"scene.pack: of another asset pack, {start.scene.pack[:12]}"]
        camera = start.scene.camera
        key = (start.task.kind, camera.width, camera.height)
        try:
            if key not in self._envs:
                self._envs[key] = self._make(*key)
            return problems(self._envs[key], start, self._pack)
        except (EnvError, AssetError, ConfigError) as e:
            return [str(e)]

    def close(self) -> None:
        for env in self._envs.values():
            env.close()

    def _make(self, kind: str, width: int, height: int) -> ReferEnv:
        groups = {g: self._composed.config[g] for g in ENV_GROUPS}
        groups["scene"] = {**groups["scene"], "width": width, "height": height}
        env = _built(groups, self._folder)
        if part_for(env.task, kind) is None:
            env.close()
            groups["task"] = config.choice("task", kind, self._config_dir)
            env = _built(groups, self._folder)
        return env


def _built(groups: Mapping[str, object], pack: str | None) -> ReferEnv:
    whole = {**groups, "pack": pack, "max_steps": None, "pictures": True}
    return building.build_env(OmegaConf.create(whole))
