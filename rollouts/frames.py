"""What policies saw, as files that are named by their content, so that equal ones are kept once.

    frames/rgb/AB/CDEF...png     the picture, 8 bits a channel, lossless
    frames/depth/AB/CDEF...png   16 bits, mm along the optical axis, 0 without return

ABCDEF... is the sha256 of shape, type and numbers, whatever the file's compression. A file appears
whole or not at all, and is on the disk before the episode that names it is handed out.
"""

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.agents.policy import Answer
from refergym.envs.feedback import FEEDBACK
from refergym.envs.types import Event, Observation
from refergym.rollouts.episodes import Episode, Seen
from refergym.rollouts.errors import OutputError
from refergym.rollouts.plan import Job, Plan

FOLDER = "frames"
RGB, DEPTH = "rgb", "depth"
COMPRESSION = 4
"""of the PNG files: zlib's level"""
_NAME = re.compile(rf"{FOLDER}/({RGB}|{DEPTH})/[0-9a-f]{{2}}/[0-9a-f]{{62}}\.png", re.ASCII)


def tape_of(plan: Plan) -> "DiskTape | None":
    """Make the tape that a plan asks for."""
    return None if plan.record is None else DiskTape(Path(plan.record))


class DiskTape:
    """A `tape.Tape` that writes what policies see; any number of processes may, in one folder."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder of the run."""
        self._folder = folder
        self._touched: set[Path] = set()

    def saw(self, job: Job, observation: Observation, answer: Answer) -> Seen:
        """Write the pictures of one step; see `tape.Tape`."""
        k = observation["intrinsics"]
        first = observation.get("first_rgb")
        return Seen(
            rgb=self._keep(RGB, observation["rgb"]),
            depth=self._keep(DEPTH, millimetres(observation["depth"])),
            first_rgb="" if first is None else self._keep(RGB, np.asarray(first)),
            intrinsics=(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
            holding=bool(observation["holding"]),
            event=Event(observation["event"]).name.lower(),
            prompt_tokens=tuple(int(t) for t in answer.prompt_tokens),
        )

    def ended(self, episode: Episode) -> None:
        """Make the names of the files last, too: after a power cut the episode finds them."""
        for folder in sorted(self._touched):
            _sync_folder(folder)
        self._touched.clear()

    def lost(self, job: Job) -> None:
        """Do nothing: the attempt that follows sees the same, and nothing is written twice."""

    def _keep(self, kind: str, array: NDArray[Any]) -> str:
        digest = hashlib.sha256(f"{array.dtype.name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
        key = digest.hexdigest()
        name = f"{FOLDER}/{kind}/{key[:2]}/{key[2:]}.png"
        path = self._folder / name
        try:
            # also of a file that another process has only just written
            self._touched.update(path.parents[:4])
            if not path.exists():
                _write(path, array)
        except OSError as e:
            raise OutputError(f"{path}: cannot write: {e.strerror or e}") from e
        return name


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left unfinished; no other may be at work."""
    for part in (folder / FOLDER).glob("*/*/.*.part"):
        part.unlink(missing_ok=True)


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth [H, W] m as it is stored: mm, at most 65.535 m, 0 = no return."""
    return np.clip(np.rint(depth * 1000), 0, 65535).astype(np.uint16)


def path_of(folder: Path, name: str) -> Path:
    """Find a recorded picture.

    Args:
        folder: of the run.
        name: as a `Seen` has it.

    Raises:
        OutputError: if no recorded picture is named so.
    """
    if not _NAME.fullmatch(name):
        raise OutputError(f"{folder / name}: no name of a recorded picture")
    return folder / name


def load_rgb(folder: Path, name: str) -> NDArray[np.uint8]:
    """Read a picture [H, W, 3]; arguments as in `path_of`.

    Raises:
        OutputError: if it is missing or damaged.
    """
    return _load(folder, name, 3, "RGB").astype(np.uint8)


def load_depth(folder: Path, name: str) -> NDArray[np.float32]:
    """Read depth [H, W] m, to the millimetre; arguments and errors as in `load_rgb`."""
    return (_load(folder, name, 2, "I;16") / np.float32(1000)).astype(np.float32)


def load_observation(folder: Path, seen: Seen, instruction: str) -> Observation:
    """Put together what the policy was given at a step; depth to the millimetre.

    Args:
        folder: of the run.
        seen: of the step.
        instruction: of the episode.

    Raises:
        OutputError: if a picture is missing or damaged.
    """
    fx, fy, cx, cy = seen.intrinsics
    event = Event[seen.event.upper()]
    made = {
        "rgb": load_rgb(folder, seen.rgb),
        "depth": load_depth(folder, seen.depth),
        "intrinsics": np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64),
        "instruction": instruction,
        "holding": int(seen.holding),
        "event": int(event),
        "feedback": FEEDBACK[event],
    }
    if seen.first_rgb:
        made["first_rgb"] = load_rgb(folder, seen.first_rgb)
    return made  # type: ignore[return-value] # `first_rgb` comes with some tasks only


def _write(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            Image.fromarray(array).save(file, format="PNG", compress_level=COMPRESSION)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _load(folder: Path, name: str, dimensions: int, mode: str) -> NDArray[Any]:
    path = path_of(folder, name)
    try:
        with Image.open(path) as picture:
            if picture.mode != mode:
                raise OutputError(f"{path}: expected a PNG of mode {mode}, got {picture.mode}")
            array = np.asarray(picture)
    except (OSError, SyntaxError) as e:
        raise OutputError(f"{path}: no readable picture ({e})") from e
    assert array.ndim == dimensions, "what the mode says"
    return array


def _sync_folder(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    except OSError as e:  # what some network file systems say
        raise OutputError(f"{folder}: cannot sync: {e.strerror}") from e
    finally:
        os.close(held)
