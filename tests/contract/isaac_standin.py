"""A stand-in for Isaac Sim: its published signatures, its order of calls, PyBullet's physics.

It says nothing of how Isaac Sim behaves. It fails what Isaac Sim would not take: names, arguments,
calls out of order; and it has the traps that its sources show: a camera without data for some
frames, updates of the app that advance physics, poses that the renderer sees only after fabric was
updated, DOFs in an order of their own, prims that are of no use once another stage is open, a
second SimulationApp.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from isaac_binding import FIRST, Array, Given, OutOfOrder, Simulator

from refergym.assets import poses, records
from refergym.assets.library import Pack, open_pack
from refergym.assets.records import Record
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs.backends import bullet_world
from refergym.envs.backends.bullet_world import BulletWorld
from refergym.envs.backends.isaac_stage import Stage, named
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, Frame, State

SIDECAR = "standin.json"
NAMES = (
    "panda_finger_joint1", "panda_finger_joint2", *(f"panda_joint{k}" for k in range(7, 0, -1)),
)  # fmt: skip
"""an order that is not ours"""
PLACE = (7, 8, 6, 5, 4, 3, 2, 1, 0)
"""which of our joints each of NAMES is"""
JOINTS = (*bullet_world.ARM_JOINTS, *bullet_world.FINGER_JOINTS)
LAUNCH = {
    "headless", "hide_ui", "active_gpu", "physics_gpu", "multi_gpu", "max_gpu_count", "sync_loads",
    "width", "height", "window_width", "window_height", "renderer", "fast_shutdown",
}  # fmt: skip
"""of SimulationApp.DEFAULT_LAUNCHER_CONFIG"""
ANNOTATORS = {"rgb", "rgba", "distance_to_image_plane", "instance_id_segmentation"}
BLANK_FRAMES = 5
"""until a camera has data"""
LOADING = 2
"""updates until an opened stage is loaded"""
FINGERS = ("panda_leftfinger", "panda_rightfinger")
PLAY = "/app/player/playSimulations"


class Sidecar(Record, frozen=True, kw_only=True):
    """What the stand-in reads in place of USD."""

    scene: SceneSpec
    pack: str
    start: tuple[Pose, ...]


def write_stage(
    scene: SceneSpec, pack: Pack, folder: Path, *, poses: str | None = None, **others: Any
) -> Path:
    """Write what the USD export would, where it is there, and what the stand-in reads."""
    name = "refergym.assets.usd.stage"
    try:
        is_there = importlib.util.find_spec(name) and importlib.util.find_spec("pxr")
    except ModuleNotFoundError:
        is_there = None
    if is_there:
        path: Path = importlib.import_module(name).write_stage(
            scene, pack, folder, poses=poses, **others
        )
    else:
        path = folder / "scene.usda"
        path.write_text("#usda 1.0\n")
    start = tuple(o.pose for o in scene.objects) if poses is None else scene.poses(poses)
    sidecar = Sidecar(scene=scene, pack=str(pack.folder), start=start)
    (path.parent / SIDECAR).write_bytes(msgspec.json.encode(sidecar))
    return path


@dataclass
class Prim:
    """What a wrapper of Isaac's holds here."""

    stage: int
    """which opening of a stage it belongs to"""
    paths: list[str]
    filters: list[str] = field(default_factory=list)
    is_tracked: bool = False


@dataclass
class Lens:
    """A camera prim."""

    stage: int
    pose: np.ndarray
    """[7], USD's convention"""
    focal: float = 0.0
    aperture: tuple[float, float] = (0.0, 0.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clip: tuple[float, float] = (0.0, 0.0)


@dataclass
class Sensor:
    """A camera that gives pictures."""

    stage: int
    lens: Lens
    resolution: tuple[int, int]
    annotators: list[str]
    born: int
    """updates of the app when it was made"""


class Standin(Simulator):
    """One Isaac Sim of one process."""

    def __init__(self, *, exits: bool = False) -> None:
        """`exits`: closing ends the process, as Isaac's does."""
        self._exits = exits
        self.is_running, self.is_closed = False, False
        self.settings: dict[str, Any] = {PLAY: True}
        self.updates, self.stage, self._loading = 0, 0, 0
        self.is_playing, self._has_fabric = False, False
        self._dt: float | None = None
        self._prims: set[str] = set()
        self._sidecar: Sidecar | None = None
        self._world: BulletWorld | None = None
        self._shown: State | None = None
        self._renderers: dict[str, EmbreeRenderer] = {}

    def may_import(self, module: str) -> None:
        if module not in FIRST and not self.is_running:
            raise ModuleNotFoundError(f"No module named {module!r}: no SimulationApp runs")

    def check(self, name: str, given: Given) -> None:
        if name.endswith("SimulationApp.__init__"):
            return
        if self.is_closed or not self.is_running:
            raise OutOfOrder(f"{name}: no SimulationApp runs")
        if name.endswith(".__init__"):
            self._opened()
            return
        inner = getattr(given.get("self"), "inner", None)
        if inner is not None and inner.stage != self.stage:
            raise OutOfOrder(f"{name}: of a stage that is no longer open")

    @property
    def world(self) -> BulletWorld:
        """Physics; OutOfOrder unless the simulation plays."""
        if self._world is None or not self.is_playing:
            raise OutOfOrder("there is no physics before the simulation plays")
        return self._world

    @property
    def scene(self) -> SceneSpec:
        """Of the open stage."""
        return self._opened().scene

    # SimulationApp

    def do_SimulationApp_init(self, given: Given) -> None:
        if self.is_running or self.is_closed:
            raise OutOfOrder("a second SimulationApp in one process")
        if unknown := set(given.get("launch_config", {})) - LAUNCH:
            raise TypeError(f"launch_config: unknown {unknown}")
        self.is_running = True

    def do_SimulationApp_update(self, given: Given) -> None:
        self._update()

    def do_SimulationApp_set_setting(self, given: Given) -> None:
        self.settings[given["setting"]] = given["value"]

    def do_SimulationApp_close(self, given: Given) -> None:
        self.is_running, self.is_closed = False, True
        if self._exits:
            sys.stdout.flush()
            os._exit(0)

    # utils

    def do_app_update_app(self, given: Given) -> None:
        for _ in range(given.get("steps", 1)):
            self._update()

    def do_app_play(self, given: Given) -> None:
        sidecar = self._opened()
        self.is_playing = True
        if self.settings[PLAY] and self._world is None:
            if self._dt is None or abs(self._dt - bullet_world.STEP) > 1e-12:
                raise OutOfOrder(f"the stand-in's physics has steps of {bullet_world.STEP} s")
            self._world = BulletWorld(open_pack(sidecar.pack))
            self._world.build(sidecar.scene, sidecar.start, asleep=False)
            for body in self._world._bodies:
                self._body(body, activationState=self._p.ACTIVATION_STATE_DISABLE_SLEEPING)

    def do_app_stop(self, given: Given) -> None:
        self.is_playing = False
        if self._world is not None:
            self._world.close()
        self._world = None

    def do_stage_open_stage(self, given: Given) -> tuple[bool, object]:
        file = given["usd_path"]
        if not isinstance(file, str) or not Path(file).suffix.startswith(".usd"):
            raise ValueError(f"The file ({file}) is not USD open-able")
        if self.is_playing:
            raise OutOfOrder("open_stage: stop the simulation first")
        if not Path(file).is_file():
            return False, None
        sidecar = records.decode(Path(file).with_name(SIDECAR).read_bytes(), Sidecar)
        self._sidecar = sidecar
        self.stage, self._loading, self._dt = self.stage + 1, LOADING, None
        self._prims = {
            "/World/robot",
            "/World/cameras",
            f"/World/cameras/{sidecar.scene.camera.id}",
        }
        self._prims |= {f"/World/robot/{name}" for name in FINGERS}
        self._prims |= set(named(sidecar.scene, Path(file)).objects)
        objects = np.array([poses.as_row(p) for p in sidecar.start]).reshape(-1, 7)
        joints = np.array([*sidecar.scene.robot.parked, 0.04, 0.04])
        self._shown = State(objects=objects, joints=joints)
        return True, object()

    def do_stage_is_stage_loading(self, given: Given) -> bool:
        return self._loading > 0

    # SimulationManager

    def do_SimulationManager_setup_simulation(self, given: Given) -> None:
        self._opened()
        if self.is_playing:
            raise OutOfOrder("setup_simulation: the simulation plays already")
        device = given.get("device", "cpu")
        if device != "cpu" and not str(device).startswith("cuda"):
            raise ValueError(f"device {device!r}")
        self._dt = given.get("dt")

    def do_SimulationManager_enable_fabric(self, given: Given) -> None:
        self._has_fabric = bool(given["enable"])

    def do_SimulationManager_step(self, given: Given) -> None:
        if given.get("update_fabric") and not self._has_fabric:
            raise ValueError("PhysX support for fabric is not enabled")
        self.world.step(given.get("steps", 1))
        if given.get("update_fabric"):
            self._shown = self.world.state()

    # Articulation

    def do_Articulation_init(self, given: Given) -> None:
        given["self"].inner = Prim(stage=self.stage, paths=self._there(given["paths"]))

    def do_Articulation_dof_names(self, given: Given) -> list[str]:
        return list(NAMES)

    def do_Articulation_get_dof_indices(self, given: Given) -> Array:
        return Array(np.array([NAMES.index(n) for n in _listed(given["names"])], np.int32))

    def do_Articulation_get_dof_positions(self, given: Given) -> Array:
        return Array(self._theirs()[None, self._dofs(given)].astype(np.float32))

    def do_Articulation_set_dof_positions(self, given: Given) -> None:
        for dof, value in self._values(given, "positions"):
            self._p.resetJointState(
                self.world._robot, JOINTS[PLACE[dof]], value, physicsClientId=self._client
            )

    def do_Articulation_set_dof_velocities(self, given: Given) -> None:
        for dof, value in self._values(given, "velocities"):
            joint = JOINTS[PLACE[dof]]
            now = self._p.getJointState(self.world._robot, joint, physicsClientId=self._client)[0]
            self._p.resetJointState(
                self.world._robot, joint, now, value, physicsClientId=self._client
            )

    def do_Articulation_set_dof_position_targets(self, given: Given) -> None:
        for dof, value in self._values(given, "positions"):
            self.world._target[PLACE[dof]] = value
        self.world._drive()

    # RigidPrim

    def do_RigidPrim_init(self, given: Given) -> None:
        filters = _listed(given.get("contact_filter_paths") or [])
        given["self"].inner = Prim(
            stage=self.stage, paths=self._there(given["paths"]), filters=self._there(filters)
        )

    def do_RigidPrim_set_enabled_contact_tracking(self, given: Given) -> None:
        if self._world is not None:
            raise OutOfOrder("contact tracking: before physics is there, or it reports nothing")
        given["self"].inner.is_tracked = bool(given["enabled"][0])

    def do_RigidPrim_get_contact_force_matrix(self, given: Given) -> Array:
        prim: Prim = given["self"].inner
        if not prim.filters:
            raise AssertionError("contact_filter_paths must be provided at construction")
        if not prim.is_tracked:
            raise OutOfOrder("contacts of a body whose tracking is not enabled")
        is_paired = len(prim.filters) == len(prim.paths)
        forces = np.zeros((len(prim.paths), 1 if is_paired else len(prim.filters), 3), np.float32)
        for i, path in enumerate(prim.paths):
            link = bullet_world.FINGER_JOINTS[FINGERS.index(path.rpartition("/")[2])]
            seen = [prim.filters[i]] if is_paired else prim.filters
            for contact in self._p.getContactPoints(
                bodyA=self.world._robot, linkIndexA=link, physicsClientId=self._client
            ):
                thing = self.world._index.get(contact[2])
                for k, other in enumerate(seen):
                    if thing is not None and other == self._objects()[thing]:
                        impulse = contact[9] * bullet_world.STEP
                        forces[i, k] += np.array(contact[7]) * impulse / given.get("dt", 1.0)
        return Array(forces)

    def do_RigidPrim_get_world_poses(self, given: Given) -> tuple[Array, Array]:
        rows = self.world.state().objects[self._indices(given)].astype(np.float32)
        return Array(rows[:, :3]), Array(-rows[:, 3:])  # the same turn, of the other sign

    def do_RigidPrim_set_world_poses(self, given: Given) -> None:
        rows = self.world.state().objects
        indices = self._indices(given)
        for name, part in (("positions", slice(0, 3)), ("orientations", slice(3, 7))):
            if given.get(name) is not None:
                width = part.stop - part.start
                rows[indices, part] = np.broadcast_to(
                    np.asarray(given[name], np.float32), (len(indices), width)
                )
        for i in indices:
            self.world.set_pose(i, rows[i])
            self._body(
                self.world._bodies[i], activationState=self._p.ACTIVATION_STATE_DISABLE_SLEEPING
            )

    def do_RigidPrim_get_velocities(self, given: Given) -> tuple[Array, Array]:
        speeds = [
            self._p.getBaseVelocity(self.world._bodies[i], physicsClientId=self._client)
            for i in self._indices(given)
        ]
        both = np.array(speeds, np.float32).reshape(-1, 2, 3)
        return Array(both[:, 0]), Array(both[:, 1])

    def do_RigidPrim_set_velocities(self, given: Given) -> None:
        indices = self._indices(given)
        speeds = [
            np.broadcast_to(np.asarray(given[name], np.float64), (len(indices), 3))
            for name in ("linear_velocities", "angular_velocities")
        ]
        for k, i in enumerate(indices):
            self._p.resetBaseVelocity(
                self.world._bodies[i],
                *(s[k].tolist() for s in speeds),
                physicsClientId=self._client,
            )

    # cameras

    def do_RtxCamera_init(self, given: Given) -> None:
        path = given["path"]
        if path in self._prims:
            raise ValueError(f"Prim at {path} does not have the 'OmniSensorAPI' schema")
        self._prims.add(path)
        position = np.asarray(given["positions"], float).reshape(1, 3)
        turn = np.asarray(given["orientations"], float).reshape(1, 4)
        row = np.concatenate([position[0], turn[0]])
        given["self"].inner = Lens(stage=self.stage, pose=row)

    def do_RtxCamera_camera(self, given: Given) -> Any:
        from isaacsim.core.experimental.objects import Camera

        camera = object.__new__(Camera)
        camera.inner = given["self"].inner
        return camera

    def do_Camera_set_focal_lengths(self, given: Given) -> None:
        given["self"].inner.focal = float(given["focal_lengths"][0])

    def do_Camera_set_apertures(self, given: Given) -> None:
        given["self"].inner.aperture = (
            float(given["horizontal_apertures"][0]), float(given["vertical_apertures"][0]),
        )  # fmt: skip

    def do_Camera_set_aperture_offsets(self, given: Given) -> None:
        given["self"].inner.offset = (
            float(given["horizontal_offsets"][0]), float(given["vertical_offsets"][0]),
        )  # fmt: skip

    def do_Camera_set_clipping_ranges(self, given: Given) -> None:
        given["self"].inner.clip = (given["near_distances"][0], given["far_distances"][0])

    def do_CameraSensor_init(self, given: Given) -> None:
        if isinstance(given["path"], str):
            raise ValueError(f"Prim at {given['path']} does not have the 'OmniSensorAPI' schema")
        if unknown := set(given["annotators"]) - ANNOTATORS:
            raise ValueError(f"unsupported annotators {unknown}")
        height, width = given["resolution"]
        lens: Lens = given["path"].inner
        if abs(lens.aperture[0] / lens.aperture[1] - width / height) > 1e-6:
            raise ValueError("pixels that are not square")
        given["self"].inner = Sensor(
            stage=self.stage, lens=lens, resolution=(height, width),
            annotators=list(given["annotators"]), born=self.updates,
        )  # fmt: skip

    def do_CameraSensor_get_data(self, given: Given) -> tuple[Array | None, dict[str, Any]]:
        sensor: Sensor = given["self"].inner
        annotator = given["annotator"]
        if annotator not in sensor.annotators:
            raise ValueError(f"The annotator '{annotator}' was not configured")
        if not self.is_playing or self.updates - sensor.born < BLANK_FRAMES:
            return None, {}
        frame = self._draw(sensor)
        if annotator == "rgb":
            return Array(frame.rgb), {}
        if annotator == "distance_to_image_plane":
            depth = np.where(frame.depth > 0, frame.depth, np.inf).astype(np.float32)
            return Array(depth[:, :, None]), {}
        numbers = np.unique(frame.ids)
        shown = (np.searchsorted(numbers, frame.ids) + 7).astype(np.uint32)
        labels = {str(k + 7): self._label(int(n)) for k, n in enumerate(numbers)}
        return Array(shown[:, :, None]), {"idToLabels": labels}

    @property
    def _p(self) -> Any:
        return self.world._p

    @property
    def _client(self) -> int:
        return self.world._client

    def _body(self, body: int, **how: Any) -> None:
        self._p.changeDynamics(body, -1, physicsClientId=self._client, **how)

    def _opened(self) -> Sidecar:
        if self._sidecar is None:
            raise OutOfOrder("no stage is open")
        if self._loading:
            raise OutOfOrder("the stage is still loading")
        return self._sidecar

    def _there(self, paths: Any) -> list[str]:
        listed = _listed(paths)
        if missing := [path for path in listed if path not in self._prims]:
            raise ValueError(f"no prim at {missing[0]}")
        return listed

    def _objects(self) -> list[str]:
        return list(self._named().objects)

    def _indices(self, given: Given) -> list[int]:
        """Numbers of the objects that a call is about."""
        paths = given["self"].inner.paths
        known = self._objects()
        if missing := [path for path in paths if path not in known]:
            raise NotImplementedError(f"{missing[0]} is no object")
        chosen = given.get("indices")
        return [known.index(p) for p in (paths if chosen is None else [paths[i] for i in chosen])]

    def _theirs(self) -> np.ndarray:
        """Joints [9] in the order of NAMES."""
        return self.world.state().joints[list(PLACE)]

    def _dofs(self, given: Given) -> list[int]:
        chosen = given.get("dof_indices")
        return list(range(len(NAMES))) if chosen is None else [int(i) for i in chosen]

    def _values(self, given: Given, name: str) -> list[tuple[int, float]]:
        """Each DOF that a call is about, and its value."""
        dofs = self._dofs(given)
        values = np.broadcast_to(np.asarray(given[name], np.float32), (1, len(dofs)))[0]
        _ = self.world
        return list(zip(dofs, values.tolist(), strict=True))

    def _draw(self, sensor: Sensor) -> Frame:
        """What the renderer was last shown, as our renderer has it."""
        sidecar, lens = self._opened(), sensor.lens
        height, width = sensor.resolution
        assert self._shown is not None
        per_px = lens.aperture[0] / width
        turn = poses.multiply(lens.pose[3:], np.array([0.0, -1.0, 0.0, 0.0]))
        camera = CameraSpec(
            width=width,
            height=height,
            fx=lens.focal / per_px,
            fy=lens.focal / per_px,
            cx=width * (0.5 - lens.offset[0] / lens.aperture[0]),
            cy=height * (0.5 + lens.offset[1] / lens.aperture[1]),
            pose=poses.as_pose(np.concatenate([lens.pose[:3], poses.canonical(turn)])),
            far=lens.clip[1],
        )
        if sidecar.pack not in self._renderers:
            self._renderers[sidecar.pack] = EmbreeRenderer(open_pack(sidecar.pack))
        return self._renderers[sidecar.pack].render(sidecar.scene, self._shown, camera)

    def _named(self) -> Stage:
        return named(self.scene, Path())

    def _label(self, number: int) -> str:
        if number == ID_NOTHING:
            return "BACKGROUND"
        if number == ID_ROBOT:
            return "/World/robot/panda_hand/visual"
        if number >= 0:
            return f"{self._objects()[number]}/visual/mesh"
        if number > ID_FIXTURE:
            return f"{self._named().supports[ID_SUPPORT - number]}/slab"
        return f"{self._named().fixtures[ID_FIXTURE - number]}/box"

    def _update(self) -> None:
        self.updates += 1
        self._loading = max(0, self._loading - 1)
        if self.is_playing and self.settings[PLAY]:
            self.world.step(4)  # 1/60 s
            self._shown = self.world.state()


def _listed(paths: Any) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths)
