"""A scene's USD stage as a world of Newton, and what the stage leaves to its solver.

MuJoCo, which solves it, takes the larger friction of the two sides where PyBullet and PhysX
multiply. So what is written into the model is the product for the pairs that matter: an object's
with the support that it stands on, and the pads' with the objects' mean.
"""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from shapely import Point

from refergym.assets import records
from refergym.assets.footprints import support_polygon
from refergym.assets.inertia import dynamics
from refergym.assets.library import Pack
from refergym.assets.robots.panda_model import PAD_FRICTION
from refergym.assets.spec import CameraSpec, LightSpec, ObjectSpec, Pose, SceneSpec, SensorSpec
from refergym.assets.tints import PLAIN
from refergym.assets.usd import names
from refergym.envs.backends.muted import muted
from refergym.envs.errors import BackendError

FINGERS = ("leftfinger", "rightfinger")
_DOFS = 9
_SPINS = 4
"""those that resist sliding and spinning; MuJoCo lets what is about to roll slide as well"""
_SLIPPERY = 1e-4
"""less makes friction cones too narrow for the solver"""
_ROLLS = 6
"""MuJoCo's condim: contacts that resist sliding, spinning and rolling"""
_NOT_ITSELF = -1
"""group whose shapes hit all but each other"""
_RAW = 1
"""of mujoco:solref_mode: solref is taken as it stands"""
_DAMPING = 1.5
"""of critical; with 1 what falls 300 mm rebounds by 9 mm"""
_IMPEDANCE = (0.95, 0.99, 0.001, 0.5, 2.0)
"""MuJoCo's solimp"""
_ARMATURE = 0.1
"""kg m2, or kg: of the motors, as MuJoCo Menagerie's Panda has it"""
STEP = 1 / 480
"""s; with 240 Hz a fifth of what PyBullet holds slips out of the fingers"""
_AWAY = -100.0
"""m, height at which stand-ins for objects float that a world lacks"""
_ASIDE = -50.0
"""m, height at which objects are in a model until they are put somewhere"""
_LOOKS = {"texture": None, "texture_scale": 1.0, "colour": (0.5, 0.5, 0.5)}
"""of supports, in place of their own"""
CAMERA = CameraSpec(fx=1.0, fy=1.0, cx=0.0, cy=0.0, pose=Pose(position=(0.0, 0.0, 0.0)))
"""where none matters"""
_log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def engine() -> ModuleType:
    """Import Newton; raises BackendError, saying what to install, when a part of it is missing."""
    try:
        import warp

        warp.config.log_level = warp.LOG_ERROR
        with muted(2):  # it warns where there is no GPU
            warp.init()
        import mujoco
        import mujoco_warp  # noqa: F401
        import newton
        import newton_usd_schemas  # noqa: F401
        from pxr import Usd  # noqa: F401
    except ImportError as e:
        raise BackendError(
            f"backend=newton needs the extra newton ({e}): pip install 'refergym[newton]' "
            "(EXTRAS=newton)"
        ) from e
    if mujoco.get_mju_user_warning() is None:  # it would write MUJOCO_LOG.TXT where one works
        mujoco.set_mju_user_warning(lambda text: _log.debug("MuJoCo: %s", text))
    return newton


def device_named(name: str | None) -> str:
    """Return Warp's name of a device; None takes a GPU where there is one, else the CPU.

    Raises:
        BackendError: if there is no such device, or Newton is missing.
    """
    engine()
    import warp

    if name is None:
        return str(warp.get_preferred_device())
    there = [device.alias for device in warp.get_devices()]
    known = [*there, "cuda"] if warp.is_cuda_available() else there
    if name not in known:
        raise BackendError(f"device: expected null or one of {', '.join(known)}; got {name!r}")
    return str(warp.get_device(name))


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldModel:
    """One scene, ready to be put beside others of as many bodies."""

    builder: Any
    """newton.ModelBuilder of one world"""
    objects: tuple[int, ...]
    """body of each object, in the scene's order"""
    fingers: tuple[int, int]
    """bodies, left and right"""
    coordinates: tuple[int, ...]
    """where in joint_q each object's free joint begins"""
    dofs: tuple[int, ...]
    """the same in joint_qd"""


def structure(spec: SceneSpec) -> str:
    """Return a digest of what a model is made from: neither where objects stand nor how they look.

    A model has the same bits, whichever scene with this digest it was made for.
    """
    return records.digest([bare(spec), frictions_beneath(spec)])


def bare(spec: SceneSpec) -> SceneSpec:
    """Return a scene without what a model does not need; its objects wait in a row far below."""
    return msgspec.structs.replace(
        spec,
        seed=0,
        composer="",
        supports=tuple(msgspec.structs.replace(s, **_LOOKS) for s in spec.supports),
        objects=tuple(msgspec.structs.replace(o, tint=PLAIN) for o in aside(spec.objects)),
        fixtures=(),
        light=LightSpec(),
        camera=CAMERA,
        sensor=SensorSpec(),
        settled={},
    )


def aside(things: Sequence[ObjectSpec]) -> tuple[ObjectSpec, ...]:
    """Return objects in a row far below, in place of where they stand."""
    return tuple(
        msgspec.structs.replace(thing, pose=Pose(position=(float(k), 0.0, _ASIDE)))
        for k, thing in enumerate(things)
    )


def world_model(spec: SceneSpec, pack: Pack) -> WorldModel:
    """Write the stage of what is `bare` in a scene, and load it.

    Args:
        spec: any scene; of its objects' poses it only matters which support is below them.
        pack: where its assets are.

    Raises:
        BackendError: if Newton is missing, or the stage is not what was written.
    """
    newton = engine()
    from refergym.assets.usd.stage import write_stage

    builder = newton.ModelBuilder()
    newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
    with tempfile.TemporaryDirectory(prefix="refergym-newton-") as folder:
        file = write_stage(bare(spec), pack, Path(folder))
        with muted(1):
            builder.add_usd(
                str(file),
                enable_self_collisions=False,
                collapse_fixed_joints=True,
                load_visual_shapes=False,
                schema_resolvers=[
                    newton.usd.SchemaResolverNewton(),
                    newton.usd.SchemaResolverPhysx(),
                    newton.usd.SchemaResolverMjc(),
                ],
            )
    _check_joints(builder)
    builder.shape_gap = [0.0] * builder.shape_count  # else things 0.1 m apart are in contact
    builder.joint_target_mode[:_DOFS] = [newton.JointTargetMode.POSITION_VELOCITY] * _DOFS
    _group(builder)
    _set_frictions(builder, spec, pack)
    _stiffen(builder)
    bodies = {label: k for k, label in enumerate(builder.body_label)}
    children = {child: k for k, child in enumerate(builder.joint_child)}
    objects = tuple(bodies[path] for path in names.object_paths(spec))
    joints = [children[body] for body in objects]
    left, right = (bodies[names.link_path(finger)] for finger in FINGERS)
    return WorldModel(
        builder=builder,
        objects=objects,
        fingers=(left, right),
        coordinates=tuple(builder.joint_q_start[k] for k in joints),
        dofs=tuple(builder.joint_qd_start[k] for k in joints),
    )


def boxes(model: WorldModel) -> int:
    """Count the boxes that do not move: supports without an outline."""
    builder, kind = model.builder, engine().GeoType.BOX
    shapes = zip(builder.shape_type, builder.shape_body, strict=True)
    return sum(shape == kind and body < 0 for shape, body in shapes)


def padded(model: WorldModel, bodies: int, slabs: int) -> WorldModel:
    """Give a world stand-ins far below, as worlds side by side need as many bodies and boxes.

    Args:
        model: it; left as it is.
        bodies: how many it should have.
        slabs: how many `boxes` it should have.
    """
    newton = engine()
    builder = newton.ModelBuilder()
    newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
    builder.add_builder(model.builder)
    corners = 0.01 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)
    faces = np.array([0, 1, 2, 0, 3, 1, 0, 2, 3, 1, 3, 2], np.int32)
    for k in range(bodies - builder.body_count):
        body = builder.add_body(
            xform=((float(k), 0.0, _AWAY), (0.0, 0.0, 0.0, 1.0)),
            mass=1.0,
            inertia=np.eye(3) * 1e-3,
            lock_inertia=True,
            label=f"{names.OBJECTS}_absent/{k}",
            custom_attributes={"mujoco:gravcomp": 1.0},
        )
        builder.add_shape_mesh(
            body,
            mesh=newton.Mesh(corners, faces, compute_inertia=False),
            cfg=newton.ModelBuilder.ShapeConfig(gap=0.0, density=0.0),
            custom_attributes={"mujoco:condim": _ROLLS},
        )
    for k in range(slabs - boxes(model)):
        builder.add_shape_box(
            -1,
            xform=((float(k), 0.0, 2 * _AWAY), (0.0, 0.0, 0.0, 1.0)),
            hx=0.01,
            hy=0.01,
            hz=0.01,
            cfg=newton.ModelBuilder.ShapeConfig(gap=0.0, density=0.0),
        )
    builder.shape_collision_filter_pairs.clear()
    return WorldModel(
        builder=builder,
        objects=model.objects,
        fingers=model.fingers,
        coordinates=model.coordinates,
        dofs=model.dofs,
    )


def frictions_beneath(spec: SceneSpec) -> tuple[float, ...]:
    """Return the friction of the support that each object stands above, else of the first."""
    areas = [support_polygon(s) for s in spec.supports]
    found = []
    for thing in spec.objects:
        x, y, z = thing.pose.position
        below = [
            s
            for s, area in zip(spec.supports, areas, strict=True)
            if s.top <= z + 1e-3 and area.contains(Point(x, y))
        ]
        best = max(below, key=lambda s: s.top, default=spec.supports[0])
        found.append(best.friction)
    return tuple(found)


def _group(builder: Any) -> None:
    """Say by groups that the arm's links do not hit each other: pairs are too many for MuJoCo."""
    robot = f"{names.ROBOT}/"
    builder.shape_collision_group = [
        _NOT_ITSELF if label.startswith(robot) else 1 for label in builder.shape_label
    ]
    builder.shape_collision_filter_pairs.clear()


def _set_frictions(builder: Any, spec: SceneSpec, pack: Pack) -> None:
    """See the module. Objects and what touches them resist rolling, too."""
    own = [dynamics(pack[thing.asset], thing).friction for thing in spec.objects]
    beneath = frictions_beneath(spec)
    product = {
        f"{path}/": mu * below
        for path, mu, below in zip(names.object_paths(spec), own, beneath, strict=True)
    }
    pads = PAD_FRICTION[0] * float(np.mean(own or [1.0]))
    fingers = tuple(f"{names.link_path(finger)}/" for finger in FINGERS)
    contacts: dict[int, int] = {}
    first: dict[int, int] = {}
    for k, label in enumerate(builder.shape_label):
        thing = next((path for path in product if label.startswith(path)), None)
        if thing is not None:
            builder.shape_material_mu[k] = product[thing]
            contacts[k] = _ROLLS
        elif label.startswith(fingers):
            builder.shape_material_mu[k] = pads
            contacts[k] = _SPINS
            first[k] = 1
        else:
            builder.shape_material_mu[k] = _SLIPPERY
            if builder.shape_body[k] < 0 and label.startswith(f"{names.ROBOT}/"):
                # MuJoCo takes an object's anyway; side by side it tells the base from supports
                contacts[k] = _SPINS
    builder.custom_attributes["mujoco:condim"].values = contacts
    builder.custom_attributes["mujoco:geom_priority"].values = first


def _stiffen(builder: Any) -> None:
    """Make contacts as hard as the step allows, and the fingers not lighter than what they hold.

    By MuJoCo's defaults a finger that weighs 0.1 kg sinks 10 mm into what it grips with 40 N.
    """
    every = range(builder.shape_count)
    attributes = builder.custom_attributes
    attributes["mujoco:solref_mode"].values = dict.fromkeys(every, _RAW)
    attributes["mujoco:solref"].values = dict.fromkeys(every, (2 * STEP, _DAMPING))
    attributes["mujoco:geom_solimp"].values = dict.fromkeys(every, _IMPEDANCE)
    builder.joint_armature[:_DOFS] = [_ARMATURE] * _DOFS


def _check_joints(builder: Any) -> None:
    """The arm's joints come first, in the order of a State's."""
    found: Sequence[str] = builder.joint_label
    wanted = names.joint_paths()
    if tuple(found[:_DOFS]) != wanted or list(builder.joint_q_start[:_DOFS]) != list(range(_DOFS)):
        raise BackendError(f"{names.ROBOT}: Newton has other joints: {', '.join(found[:_DOFS])}")
