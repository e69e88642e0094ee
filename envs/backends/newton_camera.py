"""Newton's own camera: its ray tracer draws the meshes of the scene's stage, posed by a state.

It draws from a model of its own, so that physics is the same with and without it. One ray goes
through the middle of each pixel. Light, backdrop and tone curve are those of our renderers; it
knows no highlights, its shadows let 30 % of the sun through, and windows do not glow.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.lighting import GROUND, SKY, SUN
from refergym.assets.robots.kinematics import LINKS, link_poses
from refergym.assets.spec import CameraSpec, Pose, SceneSpec, SensorSpec
from refergym.assets.usd import names
from refergym.envs.backends.muted import muted
from refergym.envs.backends.newton_model import CAMERA, aside, engine
from refergym.envs.backends.prims import id_of, ids_of_prims
from refergym.envs.render import look
from refergym.envs.types import ID_NOTHING, Frame, State

Array = NDArray[np.float64]
F32 = NDArray[np.float32]

_FLIP = np.array([1.0, -1.0, -1.0])
"""of OpenCV's axes to Newton's camera, which looks along -z with y up"""
_HALF_TURN = np.array([0.0, 1.0, 0.0, 0.0])
"""wxyz, about x: the same as a turn"""
_THIN = 2e-5
"""m between the two sides of a surface, so that each is the nearer one from its own side"""


class NewtonCamera:
    """Takes pictures of scenes; what the last one is drawn from is kept."""

    def __init__(self, pack: Pack, device: str) -> None:
        """Draw nothing yet.

        Args:
            pack: where meshes and textures come from.
            device: of Warp.
        """
        self._pack, self._device = pack, device
        self._key = ""
        self._drawing: Drawing | None = None

    def look(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Take a picture with a camera; None is the scene's.

        Raises:
            BackendError: if Newton is missing.
            RenderError: if the scene's light has no direction.
        """
        key = drawn(spec)
        if self._drawing is None or key != self._key:
            self._drawing, self._key = Drawing(spec, self._pack, self._device), key
        return self._drawing.look(state, spec.camera if camera is None else camera)


def drawn(spec: SceneSpec) -> str:
    """Return a digest of what a scene's pictures are drawn from: neither poses nor the camera."""
    fixed = msgspec.structs.replace(
        spec,
        seed=0,
        composer="",
        objects=aside(spec.objects),
        camera=CAMERA,
        sensor=SensorSpec(),
        settled={},
    )
    return fixed.digest


class Drawing:
    """What the pictures of one scene are drawn from: its visible meshes, and its light."""

    def __init__(self, spec: SceneSpec, pack: Pack, device: str) -> None:
        """Write the scene's stage, and load it.

        Args:
            spec: any scene; poses of objects are of no matter.
            pack: where its assets are.
            device: of Warp.
        """
        newton = engine()
        from refergym.assets.usd.stage import write_stage

        builder = newton.ModelBuilder()
        with tempfile.TemporaryDirectory(prefix="refergym-newton-") as folder:
            file = write_stage(spec, pack, Path(folder))
            with muted(1):
                builder.add_usd(str(file), load_visual_shapes=True, hide_collision_shapes=True)
            _colour(builder, spec)
            _two_sided(builder)
            self._model = builder.finalize(device=device)
            self._sensor = newton.sensors.SensorCamera(self._model)  # reads the textures
        self._state = self._model.state()
        self._rows: F32 = self._state.body_q.numpy().copy()
        bodies = {label: k for k, label in enumerate(self._model.body_label)}
        self._objects = [bodies[path] for path in names.object_paths(spec)]
        paths = [names.link_path(link) for link in LINKS]
        self._links = [k for k, path in enumerate(paths) if path in bodies]
        """the base is none of the bodies, as it does not move"""
        self._link_bodies = [bodies[paths[k]] for k in self._links]
        self._base = pinhole.pose_matrix(spec.robot.base)
        self._ids = _ids_of_shapes(self._model.shape_label, spec)
        self._view: View | None = None
        _light(self._sensor, spec)

    def look(self, state: State, camera: CameraSpec) -> Frame:
        """Take a picture of the scene in a state."""
        self._move(state)
        if self._view is None or self._view.camera != camera:
            self._view = View(self._sensor, camera)
        colour, depth, shapes = self._view.draw(self._sensor, self._state)
        ids = self._ids[np.minimum(shapes, len(self._ids) - 1)]
        ids[depth > camera.far] = ID_NOTHING
        is_empty = ids == ID_NOTHING
        return Frame(
            rgb=look.encode(np.where(is_empty[..., None], self._view.backdrop, colour)),
            depth=np.where(is_empty, np.float32(0), depth),
            ids=ids,
        )

    def _move(self, state: State) -> None:
        """Put objects and links where they are in a state."""
        links = self._base @ link_poses(state.joints)[self._links]
        placed = [poses.as_row(pinhole.matrix_pose(m)) for m in links]
        rows = np.concatenate([np.array(placed).reshape(-1, 7), state.objects.reshape(-1, 7)])
        self._rows[[*self._link_bodies, *self._objects]] = rows[:, (0, 1, 2, 4, 5, 6, 3)]
        self._state.body_q.assign(self._rows)
        self._model.bvh_refit_shapes(self._state)


class View:
    """One camera's rays and buffers."""

    def __init__(self, sensor: Any, camera: CameraSpec) -> None:
        """Work out the rays.

        Args:
            sensor: Newton's.
            camera: principal point and focal lengths may be any.
        """
        import warp as wp

        self.camera = camera
        rays_c = pinhole.rays_c(camera)
        rays_c /= np.linalg.norm(rays_c, axis=1, keepdims=True)
        bundle = np.zeros((camera.height, camera.width, 1, 2, 3), np.float32)
        bundle[:, :, 0, 1] = (rays_c * _FLIP).reshape(camera.height, camera.width, 3)
        self._rays: Any = wp.array(bundle, dtype=wp.vec3f, device=sensor.device)
        position, (w, x, y, z) = np.split(_turned(camera.pose), [3])
        self._where: Any = wp.array(
            [[*position, x, y, z, w]], dtype=wp.transformf, device=sensor.device
        )
        size = (1, camera.width, camera.height)
        self._colour = sensor.allocate_image_color_hdr(*size)
        self._depth = sensor.allocate_image_depth_forward(*size)
        self._shapes = sensor.allocate_image_shape_index(*size)
        up = rays_c @ pinhole.pose_matrix(camera.pose)[2, :3]
        self.backdrop = look.backdrop(up.astype(np.float32)).reshape(camera.height, camera.width, 3)
        """[H, W, 3] linear"""

    def draw(self, sensor: Any, state: Any) -> tuple[F32, F32, NDArray[np.uint32]]:
        """Trace the rays through a state of Newton's.

        Returns:
            [H, W, 3] linear colour, [H, W] depth in m (0 where nothing is), and [H, W] index of
            the shape (the largest number where nothing is).
        """
        sensor.update(
            state,
            self._where,
            self._rays,
            hdr_color_image=self._colour,
            forward_depth_image=self._depth,
            shape_index_image=self._shapes,
        )
        return self._colour.numpy()[0], self._depth.numpy()[0], self._shapes.numpy()[0]


def _light(sensor: Any, spec: SceneSpec) -> None:
    """Give a sensor the scene's light. Walls are to cast no shadow, which Newton cannot tell."""
    import warp as wp

    light = look.Light.of(spec.light)
    sensor.create_default_light(
        enable_shadows=not spec.fixtures,
        direction=wp.vec3f(*(-light.direction).tolist()),
        color=[c * spec.light.intensity for c in SUN],
    )
    sensor.set_ambient_light(
        [c * spec.light.ambient for c in SKY], [c * spec.light.ambient for c in GROUND]
    )
    config = sensor.default_render_config
    config.enable_textures = config.enable_shadows = True
    config.enable_backface_culling = False  # it would also hide what is behind a back


def _colour(builder: Any, spec: SceneSpec) -> None:
    """Set what multiplies textures; Newton's importer leaves that out."""
    colours: dict[str, Sequence[float]] = {}
    for path, thing in zip(names.object_paths(spec), spec.objects, strict=True):
        colours[path] = _srgb(thing.tint)
    for path, support in zip(names.support_paths(spec), spec.supports, strict=True):
        if support.asset is None:
            colours[path] = support.colour
    for path, fixture in zip(names.fixture_paths(spec), spec.fixtures, strict=True):
        colours[path] = fixture.colour
    for k, label in enumerate(builder.shape_label):
        above = next((path for path in colours if label.startswith(f"{path}/")), None)
        if above is not None:
            builder.shape_color[k] = tuple(colours[above])


def _two_sided(builder: Any) -> None:
    """Give drawn meshes a back; from there Newton would light them as if it saw the front."""
    newton = engine()
    made: dict[int, Any] = {}
    for k, mesh in enumerate(builder.shape_source):
        if not builder.shape_flags[k] & newton.ShapeFlags.VISIBLE:
            continue  # a collider
        if id(mesh) not in made:
            faces = np.asarray(mesh.indices).reshape(-1, 3)
            normals = np.asarray(mesh.normals)
            made[id(mesh)] = newton.Mesh(
                np.concatenate([mesh.vertices, mesh.vertices - _THIN * normals]),
                np.concatenate([faces, faces[:, ::-1] + len(normals)]).reshape(-1),
                normals=np.concatenate([normals, -normals]),
                uvs=None if mesh.uvs is None else np.tile(mesh.uvs, (2, 1)),
                compute_inertia=False,
                texture=mesh.texture,
                texture_transform=mesh.texture_transform,
            )
        builder.shape_source[k] = made[id(mesh)]


def _srgb(light: Sequence[float]) -> list[float]:
    """Return a linear colour [3] in sRGB; above 1 the curve goes on."""
    c = np.asarray(light, np.float64)
    out: list[float] = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055).tolist()
    return out


def _ids_of_shapes(labels: Sequence[str], spec: SceneSpec) -> NDArray[np.int32]:
    """Return our id of each shape, and ID_NOTHING after the last one."""
    ids = ids_of_prims(
        names.object_paths(spec), names.support_paths(spec), names.fixture_paths(spec)
    )
    return np.array([*(id_of(label, ids) for label in labels), ID_NOTHING], np.int32)


def _turned(pose: Pose) -> Array:
    """Return the pose [7] of Newton's camera that looks as ours does."""
    turn = poses.multiply(np.array(pose.orientation), _HALF_TURN)
    return np.concatenate([pose.position, turn])
