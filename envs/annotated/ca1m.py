"""Reads CA-1M ("Cubify Anything", arXiv 2412.04458): RGB-D frames with a box for everything.

One tar holds one capture, ca1m-SPLIT-VIDEO.tar. Of each frame these members are read; K is in
pixels of its own picture, boxes are in the camera's frame (OpenCV), lengths in metres:

    VIDEO/TIME.wide/image.png         8-bit RGB
    VIDEO/TIME.wide/image/K.json      [3, 3]
    VIDEO/TIME.wide/instances.json    list of {id, category, position [3], scale [3], R [3, 3]},
                                      and caption; the axes of a box are the columns of R
    VIDEO/TIME.wide/T_gravity.json    [3, 3], from an upright camera's frame to the camera's
    VIDEO/TIME.gt/depth.png           16 bits, mm, 0 = not known, of the laser scanner
    VIDEO/TIME.gt/depth/K.json        [3, 3]
    VIDEO/TIME._wide/image/size       "[width, height]"; likewise _gt/depth/size

With depth="wide" the depth of the capturing device is read instead (wide/depth.png, its K and
size). The registered pose (gt/RT.json) is not needed: a frame is read by itself, upright by
T_gravity, with the world's origin at the camera. VIDEO/world.gt/instances.json is passed over.

A frame with anything wrong in it is refused whole: without one of its boxes, "the cup" might be
another one.
"""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.assets.spec import CameraSpec
from refergym.envs.annotated import checks
from refergym.envs.annotated.checks import Refused
from refergym.envs.annotated.frame import AnnotatedFrame, AnnotatedObject, Box
from refergym.envs.errors import SourceError
from refergym.envs.types import Array

FAR = 20.0
"""m: nothing in a room is farther"""
_MEMBER = re.compile(r"(?P<frame>[^/]+/\d+)\.(?P<rest>(?:_?wide|_?gt)/.+)")
_UPRIGHT = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""from an upright camera's frame (x right, y down, z ahead) to a world with x ahead and z up"""

Depth = Literal["gt", "wide"]


def read_ca1m(
    path: Path, *, every: int = 1, depth: Depth = "gt"
) -> Iterator[AnnotatedFrame | Refused]:
    """Yield the frames of one capture, in the order of time; what is wrong with the others.

    Args:
        path: the tar, as it was downloaded.
        every: of how many frames one is read; captures have the device's full frame rate.
        depth: which depth: of the laser scanner, or of the device.

    Raises:
        SourceError: if the file cannot be read as a tar, or holds no frame.
    """
    try:
        with tarfile.open(path) as archive:
            frames: dict[str, dict[str, tarfile.TarInfo]] = {}
            for member in archive.getmembers():
                found = _MEMBER.fullmatch(member.name)
                if found and member.isfile():
                    frames.setdefault(found["frame"], {})[found["rest"]] = member
            if not frames:
                raise SourceError(f"{path}: no frames (VIDEO/TIME.wide/...) in this tar")
            for name in sorted(frames, key=lambda n: int(n.rpartition("/")[2]))[::every]:
                try:
                    yield _frame(name, _Members(archive, frames[name]), depth)
                except SourceError as e:
                    yield Refused(item=name, reason=str(e))
    except (OSError, tarfile.TarError) as e:
        raise SourceError(f"{path}: not readable as a tar: {e}") from e


class _Members:
    """The members of one frame."""

    def __init__(self, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> None:
        self._archive, self._members = archive, members

    def bytes(self, name: str) -> bytes:
        if name not in self._members:
            raise SourceError(f"{name}: missing")
        file = self._archive.extractfile(self._members[name])
        assert file is not None, "only files are kept"
        return file.read()

    def json(self, name: str) -> Any:
        return checks.parsed(self.bytes(name), name)

    def size(self, name: str) -> tuple[int, int]:
        """Height and width."""
        text = self.bytes(name).decode("utf-8", "replace")
        found = re.fullmatch(r"\[?\s*(\d+)\s*,\s*(\d+)\s*\]?\s*", text)
        if not found:
            raise SourceError(f"{name}: expected [width, height], got {text[:40]!r}")
        return int(found[2]), int(found[1])


def _frame(name: str, members: _Members, kind: Depth) -> AnnotatedFrame:
    image = checks.picture(members.bytes("wide/image.png"), "wide/image.png")
    rgb = checks.colours(image, "wide/image.png")
    checks.size(rgb, members.size("_wide/image/size"), "wide/image.png")
    turn = checks.rotation(members.json("wide/T_gravity.json"), "wide/T_gravity.json")
    m = np.eye(4)
    m[:3, :3] = _UPRIGHT @ turn.T
    height, width = rgb.shape[:2]
    fx, fy, cx, cy = _intrinsics(members, "wide/image/K.json")
    camera = CameraSpec(
        id=name, width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, far=FAR,
        pose=pinhole.matrix_pose(m),
    )  # fmt: skip
    objects = _objects(members, m[:3, :3])
    depth = _resampled(camera, *_depth(members, kind))
    return AnnotatedFrame(name=name, rgb=rgb, depth=depth, camera=camera, objects=objects)


def _intrinsics(members: _Members, name: str) -> tuple[float, float, float, float]:
    k = checks.numbers(members.json(name), (3, 3), name)
    if not (k[0, 0] > 0 and k[1, 1] > 0) or abs(k[0, 1]) > 1e-3 * k[0, 0]:
        raise SourceError(f"{name}: expected positive focal lengths and no skew, got {k.tolist()}")
    return float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])


def _depth(
    members: _Members, kind: Depth
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Depth [h, w] m at its own size, and its own intrinsics."""
    name = f"{kind}/depth.png"
    raw = checks.picture(members.bytes(name), name)
    if raw.ndim != 2 or raw.dtype.kind not in "ui" or raw.dtype == np.uint8:
        raise SourceError(f"{name}: expected 16 bits of mm, got {raw.dtype} {list(raw.shape)}")
    checks.size(raw, members.size(f"_{kind}/depth/size"), name)
    return (raw / 1000).astype(np.float32), _intrinsics(members, f"{kind}/depth/K.json")


def _resampled(
    camera: CameraSpec, depth: NDArray[np.float32], k: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Depth at the picture's size, of the nearest pixel on the same ray; 0 beyond its edges."""
    fx, fy, cx, cy = k
    height, width = depth.shape
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx * fx + cx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy * fy + cy
    xs, ys = np.floor(x).astype(int), np.floor(y).astype(int)
    out = depth[np.clip(ys, 0, height - 1)[:, None], np.clip(xs, 0, width - 1)]
    is_there = ((ys >= 0) & (ys < height))[:, None] & (xs >= 0) & (xs < width)
    return np.where(is_there, out, np.float32(0))


def _objects(members: _Members, turn: Array) -> tuple[AnnotatedObject, ...]:
    name = "wide/instances.json"
    rows = members.json(name)
    if not isinstance(rows, list):
        raise SourceError(f"{name}: expected a list, got {type(rows).__name__}")
    return tuple(_object(row, f"{name}[{k}]", turn) for k, row in enumerate(rows))


def _object(row: Any, at: str, turn: Array) -> AnnotatedObject:
    if not isinstance(row, dict):
        raise SourceError(f"{at}: expected an object, got {type(row).__name__}")
    for key in ("id", "category", "position", "scale", "R"):
        if key not in row:
            raise SourceError(f"{at}.{key}: missing")
    category = row["category"]
    if not isinstance(category, str) or not category.strip():
        raise SourceError(f"{at}.category: expected a noun, got {category!r}")
    caption = row.get("caption")
    sides = checks.numbers(row["scale"], (3,), f"{at}.scale")
    if not (sides > 0).all():
        raise SourceError(f"{at}.scale: expected > 0, got {sides.tolist()}")
    return AnnotatedObject(
        id=str(row["id"]),
        category=" ".join(category.replace("_", " ").lower().split()),
        box=Box(
            centre=turn @ checks.numbers(row["position"], (3,), f"{at}.position"),
            sides=sides,
            rotation=turn @ checks.rotation(row["R"], f"{at}.R"),
        ),
        caption=caption if isinstance(caption, str) and caption else None,
    )
