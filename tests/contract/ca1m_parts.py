"""Writes rendered scenes in CA-1M's layout, by its description alone: no code of the reader's."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from refergym.assets import camera as pinhole
from refergym.assets.composers.base import Wants
from refergym.assets.library import open_pack
from refergym.assets.spec import CameraSpec, SceneSpec
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.registration import compose_env
from refergym.envs.starts import rest_state, settle
from refergym.envs.types import Array, Frame, Renderer
from refergym.envs.view import View

Members = dict[str, bytes]


def png(array: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "png")
    return out.getvalue()


def upright(camera_w: Array) -> Array:
    """T_gravity [3, 3]: the axes of an upright camera, seen from one turned as `camera_w` is."""
    down = np.array([0.0, 0.0, -1.0])
    ahead = camera_w[:, 2] - camera_w[:, 2] @ down * down
    ahead /= np.linalg.norm(ahead)
    axes = np.column_stack([np.cross(down, ahead), down, ahead])
    return camera_w.T @ axes


def instance(name: str, category: str, centre: Array, sides: Array, turn: Array, m: Array) -> Any:
    """One instance from a box in the world, seen by a camera at `m` [4, 4]."""
    return {
        "id": name,
        "category": category,
        "position": ((centre - m[:3, 3]) @ m[:3, :3]).tolist(),
        "scale": sides.tolist(),
        "R": (m[:3, :3].T @ turn).tolist(),
        "caption": "",
    }


def halved(camera: CameraSpec) -> CameraSpec:
    """The same camera with half as many pixels along each side."""
    lengths = {k: getattr(camera, k) / 2 for k in ("fx", "fy", "cx", "cy")}
    return msgspec.structs.replace(
        camera, width=camera.width // 2, height=camera.height // 2, **lengths
    )


def members_of(
    view: View, frame: Frame, depth_m: Array, video: str, time: int, *, table: bool = True
) -> Members:
    """One frame of a simulated scene: true boxes, depth [H / 2, W / 2] m of the `halved` camera."""
    camera = view.scene.camera
    m = pinhole.pose_matrix(camera.pose)
    rows = [instance(b.name, b.category, b.middle, 2 * b.half, b.rotation, m) for b in view.bodies]
    if table:
        support = view.scene.supports[0]
        p = pinhole.pose_matrix(support.pose)
        rows.append(instance("support", "table", p[:3, 3], np.array(support.size), p[:3, :3], m))
    k = pinhole.intrinsics(camera)
    half = k * np.array([[0.5], [0.5], [1.0]])
    depth = np.clip(np.rint(depth_m * 1000), 0, 65535).astype(np.uint16)
    at = f"{video}/{time}"
    return {
        f"{at}._wide/image/size": f"[{camera.width}, {camera.height}]".encode(),
        f"{at}._gt/depth/size": f"[{depth.shape[1]}, {depth.shape[0]}]".encode(),
        f"{at}.wide/image.png": png(frame.rgb),
        f"{at}.wide/image/K.json": json.dumps(k.tolist()).encode(),
        f"{at}.wide/T_gravity.json": json.dumps(upright(m[:3, :3]).tolist()).encode(),
        f"{at}.wide/instances.json": json.dumps(rows).encode(),
        f"{at}.gt/RT.json": json.dumps(m.tolist()).encode(),
        f"{at}.gt/depth.png": png(depth),
        f"{at}.gt/depth/K.json": json.dumps(half.tolist()).encode(),
    }


def write_tar(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def doubled(camera: CameraSpec) -> CameraSpec:
    """The same camera with twice as many pixels along each side."""
    lengths = {k: getattr(camera, k) * 2 for k in ("fx", "fy", "cx", "cy")}
    return msgspec.structs.replace(
        camera, width=camera.width * 2, height=camera.height * 2, **lengths
    )


def rendered(scene: SceneSpec, renderer: Renderer) -> tuple[View, Frame, Array]:
    """A scene with four times the pixels: view, picture, and depth [H / 2, W / 2] m."""
    scene = msgspec.structs.replace(scene, camera=doubled(scene.camera))
    state = rest_state(scene, "kinematic")
    frame = renderer.render(scene, state)
    depth = renderer.render(scene, state, halved(scene.camera)).depth
    return View(scene, state, frame, open_pack()), frame, np.asarray(depth, np.float64)


def composed(count: int, seed: int = 11) -> Iterator[SceneSpec]:
    """Settled scenes with duplicates."""
    composer = instantiate(OmegaConf.to_container(compose_env([]).scene), _convert_="all")
    backend = KinematicBackend()
    for index in range(count):
        yield settle(composer.compose(seed, index, Wants(duplicates=True)), backend)
