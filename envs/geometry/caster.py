"""Cast rays into a scene without building it: each asset is prepared once, in its own frame.

Rays are carried into the objects' frames, so nothing is rebuilt when things move. Embree (embreex)
does the intersections. Rays meet what a renderer draws: furniture, not its slab, and fixtures too.
"""

from functools import lru_cache

import numpy as np
from embreex import rtcore, rtcore_scene
from embreex.mesh_construction import TriangleMesh
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.footprints import furniture_pose, support_corners
from refergym.assets.library import Pack, open_pack
from refergym.assets.robots import kinematics
from refergym.assets.robots.panda_model import panda_visuals
from refergym.assets.spec import CameraSpec, SceneSpec, SupportSpec
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, State

Array = NDArray[np.float64]
_FAR = 1e3


class Caster:
    """First hits of rays on whatever is seen in any scene of one pack."""

    def __init__(self, pack: Pack | None = None) -> None:
        """Prepare nothing yet; assets are prepared when first met."""
        self.pack = pack or open_pack()
        self._scenes: dict[str, rtcore_scene.EmbreeScene] = {}
        self._device = rtcore.EmbreeDevice()

    def cast_object(
        self, asset: str, scale: float, pose: Array, origins: Array, directions: Array
    ) -> Array:
        """Distance along each ray to one object.

        Args:
            asset: its name in the pack.
            scale: its uniform scale.
            pose: [7] world position m and quaternion wxyz.
            origins: [R, 3] m, world.
            directions: [R, 3] world; distances are in multiples of their length.

        Returns:
            [R], inf where the ray misses.
        """
        turn = poses.rotation(pose[3:]) / scale
        local_o = ((origins - pose[:3]) @ turn).astype(np.float32)
        local_d = (directions @ turn).astype(np.float32)
        t: Array = self._scene(asset).run(local_o, local_d, query="DISTANCE").astype(np.float64)
        t[t > _FAR] = np.inf
        return t

    def cast(
        self,
        spec: SceneSpec,
        state: State,
        origins: Array,
        directions: Array,
        *,
        skip: int = -1,
        robot: bool = True,
    ) -> tuple[Array, NDArray[np.int32]]:
        """First hit of each ray in the whole scene.

        Args:
            spec: the scene.
            state: where its things are now.
            origins: [R, 3] m, world.
            directions: [R, 3] world.
            skip: index of an object that the rays ignore.
            robot: whether the arm stops rays.

        Returns:
            (distance [R] in multiples of the direction's length, inf for none; id [R] as in
            `envs.types`).
        """
        origins, directions = np.atleast_2d(origins), np.atleast_2d(directions)
        best = np.full(len(origins), np.inf)
        ids = np.full(len(origins), ID_NOTHING, np.int32)
        for i, thing in enumerate(spec.objects):
            if i != skip:
                t = self.cast_object(
                    thing.asset, thing.scale, state.objects[i], origins, directions
                )
                _keep_nearer(best, ids, t, i)
        for k, support in enumerate(spec.supports):
            t = self._cast_support(support, origins, directions)
            _keep_nearer(best, ids, t, ID_SUPPORT - k)
        for k, fixture in enumerate(spec.fixtures):
            t = _cast_box(poses.as_row(fixture.pose), np.array(fixture.size), origins, directions)
            _keep_nearer(best, ids, t, ID_FIXTURE - k)
        if robot:
            scene = _robot_scene(state.joints.tobytes())
            base = poses.as_row(spec.robot.base)
            turn = poses.rotation(base[3:])
            t = scene.run(
                ((origins - base[:3]) @ turn).astype(np.float32),
                (directions @ turn).astype(np.float32),
                query="DISTANCE",
            ).astype(np.float64)
            t[t > _FAR] = np.inf
            _keep_nearer(best, ids, t, ID_ROBOT)
        return best, ids

    def depth_at(
        self, spec: SceneSpec, state: State, x: int, y: int, camera: CameraSpec | None = None
    ) -> float:
        """Exact depth (m along the optical axis) at the centre of one pixel; 0 where nothing is."""
        cam = camera or spec.camera
        row = poses.as_row(cam.pose)
        ray_c = np.array([(x + 0.5 - cam.cx) / cam.fx, (y + 0.5 - cam.cy) / cam.fy, 1.0])
        ray_w = poses.rotation(row[3:]) @ ray_c
        t, _ = self.cast(spec, state, row[:3], ray_w)
        return float(t[0]) if t[0] <= cam.far else 0.0

    def _cast_support(self, support: SupportSpec, origins: Array, directions: Array) -> Array:
        if support.asset is not None:
            pose = poses.as_row(furniture_pose(self.pack, support))
            return self.cast_object(support.asset, 1.0, pose, origins, directions)
        if support.outline is not None:
            return _cast_prism(support, origins, directions)
        return _cast_box(poses.as_row(support.pose), np.array(support.size), origins, directions)

    def _scene(self, asset: str) -> rtcore_scene.EmbreeScene:
        if asset not in self._scenes:
            mesh = self.pack.mesh(asset)
            scene = rtcore_scene.EmbreeScene(self._device)
            TriangleMesh(scene, np.array(mesh.vertices), np.array(mesh.faces))
            self._scenes[asset] = scene
        return self._scenes[asset]


@lru_cache(maxsize=4)
def _robot_scene(joints: bytes) -> rtcore_scene.EmbreeScene:
    """All links at one posture, robot-base frame; the arm is nearly always parked."""
    links = dict(zip(kinematics.LINKS, kinematics.link_poses(np.frombuffer(joints)), strict=True))
    scene = rtcore_scene.EmbreeScene(rtcore.EmbreeDevice())
    for visual in panda_visuals():
        pose = links[visual.link]
        points = visual.vertices @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(
            np.float32
        )
        TriangleMesh(scene, np.ascontiguousarray(points, np.float32), np.array(visual.faces))
    return scene


def _keep_nearer(best: Array, ids: NDArray[np.int32], t: Array, number: int) -> None:
    nearer = t < best
    best[nearer] = t[nearer]
    ids[nearer] = number


def _cast_box(pose: Array, size: Array, origins: Array, directions: Array) -> Array:
    """Distances to the outside of a box (slab method); inf where missed or from inside."""
    turn = poses.rotation(pose[3:])
    o, d = (origins - pose[:3]) @ turn, directions @ turn
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (-size / 2 - o) / d, (size / 2 - o) / d
    near = np.nanmax(np.minimum(a, b), axis=1)
    far = np.nanmin(np.maximum(a, b), axis=1)
    return np.where((near <= far) & (near > 0), near, np.inf)


def _cast_prism(support: SupportSpec, origins: Array, directions: Array) -> Array:
    """As `_cast_box`, for a slab with an outline: the rays' parts inside all of its planes."""
    corners = support_corners(support)
    edges = np.roll(corners, -1, axis=0) - corners
    sides = np.column_stack([edges[:, 1], -edges[:, 0], np.zeros(len(edges))])
    normals = np.vstack([sides, (0, 0, 1), (0, 0, -1)])
    reach = np.concatenate([(sides[:, :2] * corners).sum(axis=1), [support.size[2] / 2] * 2])
    pose = poses.as_row(support.pose)
    turn = poses.rotation(pose[3:])
    room = reach - (origins - pose[:3]) @ turn @ normals.T
    speed = directions @ turn @ normals.T
    with np.errstate(divide="ignore", invalid="ignore"):
        t = room / speed
    near = np.where(speed < 0, t, -np.inf).max(axis=1)
    far = np.where(speed > 0, t, np.inf).min(axis=1)
    misses = ((speed == 0) & (room < 0)).any(axis=1)
    return np.where((near <= far) & (near > 0) & ~misses, near, np.inf)
