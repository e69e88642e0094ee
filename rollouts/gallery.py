"""`refergym gallery`: a page of tasks: picture, words, the right points, and where they may lie."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from refergym.assets import records
from refergym.assets.library import Pack, open_pack
from refergym.assets.records import Record
from refergym.envs import areas, goals
from refergym.envs.key_steps import key_steps
from refergym.envs.starts import rest_state
from refergym.envs.task_spec import HoldGoal, PointAreaGoal, PointObjectGoal, PutGoal
from refergym.envs.truth import point_of
from refergym.envs.view import View
from refergym.rollouts import arguments, config, pictures, taskfile
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.taskfile import Entry

_log = logging.getLogger(__name__)

COLUMNS = 3
SCALE = 1.5
QUALITY = 85
PLACE, THING = (40, 220, 90), (250, 200, 30)
"""sRGB of the rims of places and of things that are meant"""
Name = Annotated[str, msgspec.Meta(min_length=1)]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/gallery.yaml; their defaults and their meaning stand there."""

    tasks: tuple[Name, ...]
    count: Annotated[int, msgspec.Meta(ge=1)]
    title: str
    out: Name
    pack: str | None


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    args = arguments.parse("gallery", "gallery", argv)
    composed = config.compose("gallery", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    pack, page = open_pack(settings.pack), Path(settings.out)
    folder = page.parent / "images" / page.stem
    chosen = _chosen([Path(t) for t in settings.tasks], settings.count)
    folder.mkdir(parents=True, exist_ok=True)
    cells: list[str] = []
    for number, (source, entry) in enumerate(chosen, 1):
        path = folder / f"{number:02d}.jpg"
        view = _view(source, entry, pack)
        Image.fromarray(drawn(entry, view)).save(path, quality=QUALITY)
        cells.append(_cell(entry, view, path.relative_to(page.parent).as_posix()))
    page.write_text(_page(settings.title, cells))
    _log.info("wrote %s and %d pictures in %s", page, len(cells), folder)
    return 0


def drawn(entry: Entry, view: View) -> NDArray[np.uint8]:
    """Draw a task into its picture: rims of what is meant, and the right points, numbered.

    Args:
        entry: the task.
        view: its start.
    """
    task = entry.start.task
    things: list[int] = []
    places: list[NDArray[np.bool_]] = []
    if isinstance(task.goal, PointObjectGoal | HoldGoal):
        things.append(view.scene.index(task.goal.object))
    if isinstance(task.goal, PointAreaGoal):
        places.append(_shown(task.goal, view))
    for part in goals.parts_of(task.goal, view):
        things.append(view.scene.index(part.object))
        places.append(_shown(part, view))
    rgb = pictures.resized(view.frame.rgb, SCALE).copy()
    for colour, masks in ((PLACE, places), (THING, [view.frame.ids == i for i in things])):
        for mask in masks:
            size = (rgb.shape[1], rgb.shape[0])
            large = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
            rgb[large & ~binary_erosion(large, iterations=2)] = colour
    proof = task.certificate.proof
    first = point_of(task, view)
    points = list(proof.points) if proof is not None else [first] if first is not None else []
    for point in points:
        rgb = pictures.mark_point(rgb, point)
    if len(points) > 1:
        px = np.array(points) * (rgb.shape[1], rgb.shape[0]) + (13, -13)
        rgb = pictures.labels(rgb, px, [str(k) for k in range(1, len(points) + 1)])
    return rgb


def _shown(goal: PointAreaGoal | PutGoal, view: View) -> NDArray[np.bool_]:
    """Pixels [H, W] that show a place."""
    mask = np.zeros(view.frame.ids.shape, bool)
    xy = areas.pixels_of(view, *areas.place_of(goal, view))
    mask[xy[:, 1], xy[:, 0]] = True
    return mask


def _chosen(folders: Sequence[Path], count: int) -> list[tuple[Path, Entry]]:
    """Tasks of all folders, evenly spread over each."""
    found: list[tuple[Path, Entry]] = []
    for k, folder in enumerate(folders):
        entries, _ = taskfile.read_tasks(folder / taskfile.FILE)
        usable = [e for e in entries if e.picture is not None]
        share = (count * (k + 1)) // len(folders) - (count * k) // len(folders)
        if len(usable) < share:
            raise OutputError(f"tasks: {folder} has {len(usable)} tasks with pictures, of {share}")
        at = np.linspace(0, len(usable) - 1, share).round().astype(int)
        found += [(folder, usable[n]) for n in at]
    return found


def _view(folder: Path, entry: Entry, pack: Pack) -> View:
    assert entry.picture is not None, "chosen for it"
    scene = entry.start.scene
    state = rest_state(scene, entry.start.task.certificate.backend)
    return View(scene, state, taskfile.read_pictures(folder, entry.picture), pack)


def _cell(entry: Entry, view: View, path: str) -> str:
    task = entry.start.task
    steps = f"{entry.steps} step" + ("s" if entry.steps > 1 else "")
    reasons = "<br>".join(f"<sub>{step.text}</sub>" for step in key_steps(task, view))
    words = f"**{task.instruction}**<br>{steps}, `{task.kind}`"
    return f"![{task.kind}]({path})<br>{words}<br>{reasons}"


def _page(title: str, cells: Sequence[str]) -> str:
    rows = [cells[k : k + COLUMNS] for k in range(0, len(cells), COLUMNS)]
    head = "| " * COLUMNS + "|\n" + "|---" * COLUMNS + "|"
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return (
        f"# {title}\n\nGreen: where the point may lie. Yellow: the things that are meant or moved. "
        "Magenta: the right points, in\ntheir order. Below: the words, and the key steps of the "
        f"reasoning.\n\n{head}\n{body}\n"
    )
