"""Starts that several backends play: one scene and one task, at rest in each of them."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.envs import grammar
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start, make_start, with_backend
from refergym.rollouts import config, output, suites
from refergym.rollouts.bars import Bar
from refergym.rollouts.plan import Plan, build_env
from refergym.rollouts.taskfile import Entry


def shared_start(envs: Sequence[ReferEnv], seed: int, index: int) -> Start:
    """Make a start in the first environment, and settle it for the backends of the others.

    Raises:
        TaskError: if no scene carries the task.
    """
    first, *others = envs
    start = make_start(first.scenes, first.task, first.backend, first.renderer, seed, index)
    for env in others:
        start = with_backend(start, env.backend)
    return start


@contextlib.contextmanager
def environments(
    plan: Plan, backends: Sequence[str], config_dir: str | Path | None = None
) -> Iterator[list[ReferEnv]]:
    """Give the environment of a plan in each of several backends; they are closed at the end.

    Args:
        plan: what is played; its own backend does not matter.
        backends: choices of the group `backend`.
        config_dir: a folder with further yaml files.

    Raises:
        ConfigError: if there is no such backend.
    """
    with contextlib.ExitStack() as stack:
        envs = []
        for name in backends:
            node = config.choice("backend", name, config_dir)
            env = build_env(msgspec.structs.replace(plan, env={**plan.env, "backend": node}))
            stack.callback(env.close)
            envs.append(env)
        yield envs


def complete(
    path: Path, envs: Sequence[ReferEnv], seed: int, episodes: int, errors: Console
) -> None:
    """Write the starts that a file lacks, such that `suite=` takes it.

    Args:
        path: of the file, there or not.
        envs: that play the starts.
        seed: of the starts.
        episodes: starts that there are to be.
        errors: console for the bar.

    Raises:
        TaskError: if no scene carries the task.
        ConfigError: if the file is damaged.
    """
    starts = list(suites.load(path)) if path.exists() else []
    with Bar("starts", errors) as bar:
        for index in range(len(starts), episodes):
            starts.append(shared_start(envs, seed, index))
            bar.show(len(starts), episodes)
    output.write_text(path, "".join(f"{_line(i, start)}\n" for i, start in enumerate(starts)))
    suites.load.cache_clear()


def _line(index: int, start: Start) -> str:
    steps = grammar.steps(start.task.program)
    entry = Entry(id=str(index), picture=None, steps=steps, start=start)
    return records.canonical_json(entry).decode()
