"""Collectors for the benchmarks of rollouts, and what they take of wall clock and CPU."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from refergym.assets import records
from refergym.rollouts import config, train
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import made_policy, with_dialect
from refergym.rollouts.rft.collecting import Collector, LocalCollector
from refergym.rollouts.rft.groups import Group, Lost, Request
from refergym.rollouts.rft.ray_collector import RayCollector
from refergym.rollouts.rft.settings import Settings

TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def collector(words: Sequence[str]) -> Iterator[Collector]:
    """Make the collector of a training with these settings."""
    composed = config.compose("train", words)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    node = {**with_dialect(settings.policy), "batch": settings.rollout.batch}
    policy = made_policy(node)
    policies = {"train": policy, "evaluate": policy.at(0.0)}
    plans = train._plans(settings, composed, node, {})
    made: Collector
    if settings.rollout.engine == "local":
        made = LocalCollector(plans, policies)
    else:
        temperatures = {kind: policy.temperature for kind, policy in policies.items()}
        made = RayCollector(plans, temperatures, settings.rollout)
    try:
        yield made
    finally:
        made.close()


def play(made: Collector, first: int, groups: int, members: int) -> list[Group | Lost]:
    """Play groups, all asked for at once."""
    for index in range(first, first + groups):
        made.submit(Request(kind="train", index=index, members=members))
    return [made.take("train") for _ in range(groups)]


def timed(made: Collector, first: int, groups: int, members: int) -> dict[str, float]:
    """Play groups; returns s of each episode: wall clock, CPU of all processes, CPU of this."""
    cpu, own, wall = cpu_seconds(), time.process_time(), time.perf_counter()
    found = play(made, first, groups, members)
    wall = time.perf_counter() - wall
    own = time.process_time() - own
    episodes = [e for g in found if isinstance(g, Group) for e in g.episodes]
    return {
        "wall": wall / len(episodes),
        "cpu": (cpu_seconds() - cpu) / len(episodes),
        "own": own / len(episodes),
        "steps": sum(len(e.steps) for e in episodes) / len(episodes),
    }


def cpu_seconds() -> float:
    """CPU of this process and of all beneath it that live, or were waited for."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
                ticks[int(folder.name)] = sum(int(x) for x in fields[11:15])
        except OSError:
            continue
    return sum(t for pid, t in ticks.items() if _beneath(pid, parents)) / TICK


def _beneath(pid: int, parents: dict[int, int]) -> bool:
    while pid != os.getpid() and pid in parents:
        pid = parents[pid]
    return pid == os.getpid()
