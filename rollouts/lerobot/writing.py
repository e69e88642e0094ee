"""Write recorded episodes as a dataset: a frame for each step, an episode for each episode."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets.records import Record
from refergym.envs.types import Event
from refergym.rollouts import frames, output
from refergym.rollouts.episodes import Ended, Episode, Seen
from refergym.rollouts.errors import OutputError
from refergym.rollouts.lerobot import schema, stats
from refergym.rollouts.lerobot.stats import Stats
from refergym.rollouts.lerobot.tables import FrameTables, write_episodes, write_tasks

FILE_MB = 100
"""MB of a data file, as LeRobot's own have"""


class Report(Record, frozen=True, kw_only=True):
    """What an export came to."""

    episodes: int
    """written"""
    frames: int
    """written"""
    tasks: int
    """different instructions"""
    sources: tuple[str, ...]
    """id of each episode, in the order of the dataset"""
    left_out: dict[str, int]
    """episodes that were not written, by cause"""


@dataclass(frozen=True, kw_only=True)
class _Shots:
    """The pictures of an episode."""

    rgb: NDArray[np.uint8]
    """[S, H, W, 3]"""
    depth: NDArray[np.float32]
    """[S, H, W] m"""
    files: tuple[bytes, ...]
    """[S] the PNG files of rgb"""


class _LeftOut(Exception):
    """An episode that cannot be written; says why."""


def write_lerobot(
    out: Path,
    source: Path,
    episodes: Iterable[Episode],
    *,
    on_episode: Callable[[], None] = lambda: None,
    on_left_out: Callable[[Episode, str], None] = lambda *_: None,
    file_mb: int = FILE_MB,
) -> Report:
    """Write a dataset; meta/info.json comes last, so that what was broken off is not read.

    Args:
        out: an empty folder.
        source: folder of the run, with the pictures.
        episodes: of the run.
        on_episode: told of each that is done, written or not.
        on_left_out: told of each that is not written, and why.
        file_mb: MB after which the next data file begins.

    Raises:
        OSError: if something cannot be written.
    """
    tasks: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    parts: list[dict[str, Stats]] = []
    sources: list[str] = []
    left_out: Counter[str] = Counter()
    tables: FrameTables | None = None
    found: schema.Features = {}
    total = 0
    for episode in episodes:
        try:
            shots = _shots(source, episode)
            if not found:
                found = schema.features(*shots.rgb.shape[1:3])
                tables = FrameTables(out, found, file_mb)
            if list(shots.rgb.shape[1:]) != found[schema.RGB]["shape"]:
                raise _LeftOut("pictures of another size than the first episode's")
        except _LeftOut as e:
            left_out[str(e)] += 1
            on_left_out(episode, str(e))
            on_episode()
            continue
        assert tables is not None, "made with the features"
        task = tasks.setdefault(episode.instruction, len(tasks))
        made = _frames(episode, shots, number=len(rows), first=total, task=task)
        summed = _summed(made, shots, found)
        chunk, file = tables.add(made)
        rows.append(
            {
                "episode_index": len(rows),
                "tasks": [episode.instruction],
                "length": len(made),
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": total,
                "dataset_to_index": total + len(made),
                **{
                    f"stats/{name}/{kind}": values.tolist()
                    for name, one in summed.items()
                    for kind, values in one.items()
                },
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        total += len(made)
        parts.append(summed)
        sources.append(f"{episode.policy}/{episode.id}")
        on_episode()
    report = Report(
        episodes=len(rows),
        frames=total,
        tasks=len(tasks),
        sources=tuple(sources),
        left_out=dict(left_out.most_common()),
    )
    if tables is None:
        return report
    tables.close()
    write_episodes(out, rows)
    write_tasks(out, tasks)
    joined = {key: stats.merged([p[key] for p in parts]) for key in parts[0]}
    plain = {key: {s: v.tolist() for s, v in one.items()} for key, one in joined.items()}
    output.write_json(out / schema.STATS, plain)
    about = schema.info(found, len(rows), total, len(tasks), file_mb)
    output.write_json(out / schema.INFO, about)
    return report


def _shots(source: Path, episode: Episode) -> _Shots:
    """Read an episode's pictures.

    Raises:
        _LeftOut: if it broke, was not recorded, or a picture cannot be read.
    """
    if episode.ended is Ended.ERROR:
        raise _LeftOut("broke, so there is nothing to learn from")
    seen: list[Seen] = [step.seen for step in episode.steps if step.seen is not None]
    if not seen or len(seen) < len(episode.steps):
        raise _LeftOut("no pictures: collect with frames=true")
    try:
        rgb = [frames.load_rgb(source, s.rgb) for s in seen]
        depth = [frames.load_depth(source, s.depth) for s in seen]
    except OutputError as e:
        raise _LeftOut("no readable picture") from e
    if len({p.shape[:2] for p in rgb} | {p.shape for p in depth}) > 1:
        raise _LeftOut("pictures of different sizes")
    files = tuple(frames.path_of(source, s.rgb).read_bytes() for s in seen)
    return _Shots(rgb=np.stack(rgb), depth=np.stack(depth), files=files)


def _frames(
    episode: Episode, shots: _Shots, *, number: int, first: int, task: int
) -> list[dict[str, Any]]:
    """Make an episode's frames.

    Args:
        episode: whose.
        shots: its pictures.
        number: of the episode in the dataset.
        first: number of its first frame in the dataset.
        task: number of its instruction.
    """
    made = []
    last = len(episode.steps) - 1
    for k, step in enumerate(episode.steps):
        assert step.seen is not None, "else there were no pictures"
        made.append(
            {
                schema.RGB: shots.files[k],
                schema.DEPTH: shots.depth[k],
                "observation.state": [
                    float(step.seen.holding), float(Event[step.seen.event.upper()]),
                ],
                "observation.intrinsics": list(step.seen.intrinsics),
                "action": list(step.point_uv or schema.NO_POINT),
                "answer": step.text,
                "next.reward": step.reward,
                "next.success": episode.success and k == last,
                "next.done": k == last,
                "timestamp": k / schema.FPS,
                "frame_index": k,
                "episode_index": number,
                "index": first + k,
                "task_index": task,
            }
        )  # fmt: skip
    return made


def _summed(made: list[dict[str, Any]], shots: _Shots, found: schema.Features) -> dict[str, Stats]:
    """Statistics of an episode's features; words have none."""
    summed = {schema.RGB: stats.of_pictures(shots.rgb), schema.DEPTH: stats.of_maps(shots.depth)}
    for name, feature in found.items():
        if name not in summed and feature["dtype"] != "string":
            values = np.array([row[name] for row in made], np.float64)
            summed[name] = stats.of_vectors(values.reshape(len(made), -1))
    return summed
