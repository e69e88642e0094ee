"""Pictures of generated tasks with the questions that are asked in them."""

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec
from refergym.envs.errors import TaskError
from refergym.envs.starts import rest_state
from refergym.envs.types import Frame
from refergym.envs.view import View
from refergym.rollouts import taskfile
from refergym.rollouts.errors import DataError, OutputError
from refergym.rollouts.refspatial.questions import Question, questions
from refergym.rollouts.taskfile import Entry

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture and what is asked in it."""

    name: str
    rgb: Path
    """its JPEG file"""
    view: View
    """by the stored pictures: depth to the millimetre"""
    questions: tuple[Question, ...]
    tasks: int
    """that the picture was made for"""


def scenes(
    folder: Path, entries: Sequence[Entry], pack: Pack, left_out: Counter[str]
) -> Iterator[Scene]:
    """Yield the pictures of a folder of tasks in the order of the file.

    The stored pictures stand for the scene: what is exported belongs to the very pixels that go
    with it, whatever rendered them.

    Args:
        folder: that `refergym generate` wrote.
        entries: its tasks; those of one picture stand together.
        pack: the assets that the tasks were made with.
        left_out: counts the tasks that give no question, by reason; each is logged as well.
    """
    for name, group in itertools.groupby(entries, key=lambda e: e.picture):
        found = list(group)
        if name is None:
            _leave_out(found, "no picture: generate with pictures=true", left_out)
            continue
        try:
            frame = taskfile.read_pictures(folder, name)
            _check_size(frame, found[0].start.scene.camera, folder, name)
        except OutputError as e:
            _leave_out(found, str(e), left_out, count_as="no readable picture")
            continue
        start = found[0].start
        state = rest_state(start.scene, start.task.certificate.backend)
        view = View(start.scene, state, frame, pack)
        asked: list[Question] = []
        for entry in found:
            try:
                asked += questions(entry.start.task, view)
            except (DataError, TaskError) as e:
                _leave_out([entry], str(e), left_out, count_as=str(e).split(" (")[0])
        if asked:
            rgb = folder / "rgb" / f"{name}.jpg"
            yield Scene(name=name, rgb=rgb, view=view, questions=tuple(asked), tasks=len(found))


def _check_size(frame: Frame, camera: CameraSpec, folder: Path, name: str) -> None:
    height, width = frame.ids.shape
    if (width, height) != (camera.width, camera.height):
        raise OutputError(
            f"{folder}, {name}: pictures of {width} x {height} pixels, "
            f"the camera has {camera.width} x {camera.height}"
        )


def _leave_out(
    entries: Sequence[Entry], reason: str, left_out: Counter[str], count_as: str | None = None
) -> None:
    for entry in entries:
        log.warning("task %s: %s", entry.id, reason)
        left_out[count_as or reason] += 1
