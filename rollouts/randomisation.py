"""`refergym randomisation`: a picture strip of each axis: a scene as composed, and four draws.

What a picture of the scene does not show is made visible: axes of the robot are seen from the side,
friction and mass are written on the things, depth is lit like a plaster cast, and lines lead from
each thing's middle to where the robot believes it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from refergym.assets import camera as pinhole
from refergym.assets import records
from refergym.assets.composers.base import Composer
from refergym.assets.library import open_pack
from refergym.assets.randomisation import AXES, Chain
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.assets.spec import CameraSpec, SceneSpec, Unit
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.sensor import believed_camera, observe
from refergym.envs.starts import rest_state, settle
from refergym.envs.types import Array, Frame, Renderer
from refergym.rollouts import arguments, config, pictures
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.pictures import Picture

DRAWS = 4
SIDE = ((1.75, -1.35, 1.0), (0.25, 0.05, 0.1))
"""[2, 3] m, world: eye and target of the camera that shows robot and table"""
SIDE_VIEW = 48.0
"""degrees, its horizontal field of view"""
LAMP = np.array([-0.5, -0.6, -0.62])
"""[3] camera frame: towards the light of the plaster cast"""
Draw = Callable[[SceneSpec, Renderer], Picture]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/randomisation_strips.yaml; their meaning stands there."""

    scene: dict[str, Any]
    renderer: dict[str, Any]
    axes: tuple[str, ...] | None
    seed: Annotated[int, msgspec.Meta(ge=0)]
    index: Annotated[int, msgspec.Meta(ge=0)]
    strength: Unit
    size: Annotated[int, msgspec.Meta(ge=64, le=1024)]
    quality: Annotated[int, msgspec.Meta(ge=1, le=95)]
    out: Annotated[str, msgspec.Meta(min_length=1)]


def main(argv: Sequence[str]) -> int:
    """Draw the strips and say where they are.

    Raises:
        ConfigError: naming the key that is wrong.
    """
    words = arguments.parse("randomisation", "randomisation_strips", argv)
    composed = config.compose("randomisation_strips", words.overrides, words.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    names = tuple(AXES) if settings.axes is None else settings.axes
    for name in names:
        if name not in AXES:
            raise ConfigError(f"axes: no axis {name!r}; available: {', '.join(AXES)}")
    folder = Path(settings.out)
    size = {"width": settings.size, "height": settings.size}
    composer: Composer = config.instantiate({**settings.scene, **size}, "scene")
    renderer: Renderer = config.instantiate(settings.renderer, "renderer")
    scene = composer.compose(settings.seed, settings.index)
    for name in track(names, "strips", console=Console(stderr=True), transient=True):
        picture = strip(scene, name, settings.strength, renderer, settings.seed)
        save(picture, folder / f"randomisation_{name}.jpg", settings.quality)
    renderer.close()
    Console().print(f"Wrote {len(names)} strips to {folder}", markup=False, soft_wrap=True)
    return 0


def strip(scene: SceneSpec, axis: str, strength: float, renderer: Renderer, seed: int) -> Picture:
    """Draw a scene as it is and `DRAWS` times changed along one axis, side by side, [h, w, 3]."""
    draw = _DRAW.get(axis, _seen)
    change = Chain({axis: strength})
    scenes = [scene, *(change(scene, seed, k) for k in range(DRAWS))]
    return pictures.row([draw(s, renderer) for s in scenes])


def save(picture: Picture, path: Path, quality: int) -> None:
    """Write a JPEG in one piece: a killed run leaves the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(picture).save(part, format="JPEG", quality=quality, optimize=True)
    part.replace(path)


def _frame(scene: SceneSpec, renderer: Renderer, camera: CameraSpec | None = None) -> Frame:
    at_rest = settle(scene, KinematicBackend())
    return renderer.render(at_rest, rest_state(at_rest, KinematicBackend.kind), camera)


def _sensed(scene: SceneSpec, renderer: Renderer) -> tuple[Picture, Array]:
    frame = _frame(scene, renderer)
    rgb, depth = observe(frame, scene.sensor, scene.camera, generator(0, "sensor"))
    return rgb, depth.astype(np.float64)


def _seen(scene: SceneSpec, renderer: Renderer) -> Picture:
    return _sensed(scene, renderer)[0]


def _from_the_side(scene: SceneSpec, renderer: Renderer) -> Picture:
    eye, target = SIDE
    c = scene.camera
    side = pinhole.camera_from_fov(c.width, c.height, SIDE_VIEW, pinhole.look_at(eye, target))
    return _frame(scene, renderer, side).rgb


def _with_friction(scene: SceneSpec, renderer: Renderer) -> Picture:
    pack = open_pack()
    values = [pack[o.asset].friction if o.friction is None else o.friction for o in scene.objects]
    return _labelled(scene, renderer, [f"{v:.2f}" for v in values])


def _with_mass(scene: SceneSpec, renderer: Renderer) -> Picture:
    pack = open_pack()
    values = [pack[o.asset].mass * o.scale**3 * o.mass_scale for o in scene.objects]
    return _labelled(scene, renderer, [f"{1000 * v:.0f} g" for v in values])


def _labelled(scene: SceneSpec, renderer: Renderer, labels: Sequence[str]) -> Picture:
    px, _ = pinhole.project(scene.camera, _middles(scene))
    return pictures.labels(_seen(scene, renderer), px, labels)


def _as_plaster(scene: SceneSpec, renderer: Renderer) -> Picture:
    """Light the surface that the depth describes."""
    _, depth = _sensed(scene, renderer)
    points = pinhole.rays_c(scene.camera).reshape(*depth.shape, 3) * depth[..., None]
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-12)
    light = np.abs(normals @ (LAMP / np.linalg.norm(LAMP)))
    grey = np.where(depth > 0, 40 + 210 * light, 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _with_beliefs(scene: SceneSpec, renderer: Renderer) -> Picture:
    middles = _middles(scene)
    px, depth = pinhole.project(scene.camera, middles)
    believed = pinhole.unproject(believed_camera(scene.camera, scene.sensor), px, depth)
    there, _ = pinhole.project(scene.camera, believed)
    return pictures.arrows(_seen(scene, renderer), px, there)


def _middles(scene: SceneSpec) -> Array:
    pack = open_pack()
    half = [(0, 0, pack[o.asset].size[2] * o.scale / 2) for o in scene.objects]
    middles: Array = np.array([o.pose.position for o in scene.objects]) + np.array(half)
    return middles


_DRAW: dict[str, Draw] = {
    "table_height": _from_the_side,
    "robot_start": _from_the_side,
    "friction": _with_friction,
    "mass": _with_mass,
    "depth_noise": _as_plaster,
    "calibration": _with_beliefs,
}
