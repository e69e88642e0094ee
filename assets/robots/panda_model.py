"""The Panda's shapes: what a renderer draws, and the URDF that a simulator loads.

Source: franka_description (Apache-2.0), made smaller by `decimate`.
"""

import functools
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refergym.assets.errors import PackError
from refergym.assets.robots.kinematics import LINKS

FOLDER = Path(__file__).resolve().parent / "panda"

PAD_FRICTION = (2.0, 1.0, 0.001)
"""lateral, spinning, rolling: rubber pads, measured to hold 99 % of what the search proposes"""
GRIP_FORCE = 40.0
"""N a finger; the Franka Hand can hold 70 N continuously"""
PEDESTAL_CENTRE = (-0.03, 0.0)
"""[2] m, in the robot's base frame"""
PEDESTAL_SIZE = (0.26, 0.26)
"""[2] m"""
PEDESTAL_COLOUR = (0.32, 0.33, 0.36)
"""[3] sRGB"""


@dataclass(frozen=True, kw_only=True)
class LinkVisual:
    """What one link looks like, in the link's own frame. Arrays are read-only and shared."""

    link: str
    """one of kinematics.LINKS"""
    vertices: NDArray[np.float32]
    """[V, 3] m"""
    normals: NDArray[np.float32]
    """[V, 3] unit"""
    faces: NDArray[np.int32]
    """[F, 3] counter-clockwise from outside"""
    colours: NDArray[np.uint8]
    """[F, 3] sRGB"""


def panda_urdf() -> Path:
    """Return the URDF; its mesh paths are relative to its folder.

    Raises:
        PackError: if the file is missing.
    """
    path = FOLDER / "panda.urdf"
    if not path.is_file():
        raise PackError(f"{path}: the robot's URDF is missing; reinstall refergym")
    return path


@functools.cache
def panda_visuals() -> tuple[LinkVisual, ...]:
    """Return the visual mesh of each link, in the order of kinematics.LINKS.

    Raises:
        PackError: naming the file, if it is missing or damaged.
    """
    return load_visuals(FOLDER / "visuals.npz")


def load_visuals(path: Path) -> tuple[LinkVisual, ...]:
    """Read and check a file of link visuals; see `panda_visuals`."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        visuals = tuple(_link(arrays, link) for link in LINKS)
    except OSError as e:
        raise PackError(f"{path}: cannot read the robot's meshes ({e.strerror or e})") from e
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as e:
        raise PackError(f"{path}: damaged ({e}); reinstall refergym") from e
    return visuals


def _link(arrays: dict[str, NDArray[np.generic]], link: str) -> LinkVisual:
    name = "finger" if link.endswith("finger") else link
    # The URDF mounts one mesh twice, the right finger turned by 180 degrees about z.
    turn = np.array([-1, -1, 1] if link == "rightfinger" else [1, 1, 1], np.float32)
    vertices = np.asarray(arrays[f"{name}/vertices"], np.float32) * turn
    normals = np.asarray(arrays[f"{name}/normals"], np.float32) * turn
    faces = np.asarray(arrays[f"{name}/faces"], np.int32)
    colours = np.asarray(arrays[f"{name}/colours"], np.uint8)
    if (
        vertices.shape != normals.shape
        or faces.shape != colours.shape
        or faces.max() >= len(vertices)
    ):
        raise ValueError(f"{name}: arrays do not fit together")
    for array in (vertices, normals, faces, colours):
        array.setflags(write=False)
    return LinkVisual(link=link, vertices=vertices, normals=normals, faces=faces, colours=colours)
