"""Boxes that slide, fall and stand on each other, in any backend whose arm is simulated.

Each trial is one scene, its boxes too far apart to meet, and gives what was measured beside what
physics says in closed form.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from mesh_parts import textured

from refergym.assets import poses, records
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import VERSION, AssetInfo, Manifest, Pack
from refergym.assets.spec import ObjectSpec, Pose, RobotSpec, SceneSpec, SupportSpec
from refergym.envs.backends.arm import ArmBackend
from refergym.envs.backends.bullet_world import STEP as BULLET_STEP
from refergym.envs.backends.newton_model import STEP as NEWTON_STEP

AT_REST = 0.0005
"""m"""
G = 9.81
"""m/s2"""
STEP = 1 / 240
"""s between two looks"""
_FEW = {"bullet": round(STEP / BULLET_STEP), "newton": round(STEP / NEWTON_STEP)}
"""steps of the engine between them"""
SIZES = {
    "block": (0.10, 0.10, 0.04),
    "cube": (0.06, 0.06, 0.06),
    "brick": (0.08, 0.16, 0.03),
    "slab": (0.20, 0.90, 0.04),
}
"""[3] m"""
DENSITY = 600.0
"""kg/m3"""
TOWERS = ((1.0,) * 5, (1.0, 3.0), (0.1, 1.0, 10.0))
"""mass_scale of their cubes, the lowest first"""
MARGIN = 0.001
"""m that PyBullet keeps round hulls: things stand that much above a table"""
TILTED = math.radians(5)
TABLE = (3.0, 3.0, 0.1)
"""[3] m"""
MIDDLE = (2.4, 0.0)
"""[2] m, of the table, out of the arm's way"""


def _bullet(pack: Pack | None) -> ArmBackend:
    from refergym.envs.backends.bullet import BulletBackend

    return BulletBackend(pack=pack)


def _newton(pack: Pack | None) -> ArmBackend:
    from refergym.envs.backends.newton import NewtonBackend

    return NewtonBackend("cpu", pack=pack)


def _newton_together(pack: Pack | None) -> ArmBackend:
    """Newton with its world solved by MuJoCo Warp."""
    from refergym.envs.backends.newton import NewtonBackend

    return NewtonBackend("cpu", together=True, pack=pack)


BACKENDS: dict[str, Callable[[Pack | None], ArmBackend]] = {
    "bullet": _bullet,
    "newton": _newton,
    "newton together": _newton_together,
}


@dataclass(frozen=True, kw_only=True)
class Box:
    """An asset of SIZES somewhere."""

    asset: str
    at: tuple[float, float, float]
    """m, middle of its lower face, in the table's frame: from the middle of its upper face"""
    friction: float = 0.5
    mass_scale: float = 1.0

    @property
    def mass(self) -> float:
        """kg"""
        return DENSITY * math.prod(SIZES[self.asset]) * self.mass_scale


@dataclass(frozen=True, kw_only=True)
class Slide:
    """A block that is given a speed on a level face."""

    friction: float
    """of the pair, as the engine combines it"""
    speed: float
    """m/s at the start"""
    distance: float
    """m until it stands still"""
    hop: float
    """m that it rises above the face on its way"""
    creep: float
    """m in the last half second"""

    @property
    def expected(self) -> float:
        """m: v^2 / (2 mu g)"""
        return self.speed**2 / (2 * self.friction * G)

    @property
    def error(self) -> float:
        """m from there, either way"""
        return abs(self.distance - self.expected)


@dataclass(frozen=True, kw_only=True)
class Incline:
    """A block put down on a slope."""

    share: float
    """friction over the tangent of the slope; above 1 it stays"""
    slope: float
    """rad"""
    acceleration: float
    """m/s2, in the second half of a second"""
    moved: float
    """m, in that second"""

    @property
    def expected(self) -> float:
        """m/s2: g (sin - mu cos), at least 0"""
        return max(0.0, G * math.sin(self.slope) * (1 - self.share))


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A box let go above a table."""

    height: float
    """m"""
    mass: float
    """kg"""
    fall: float
    """s until its lower face is at the table's"""
    sink: float
    """m below the table's face, at most"""
    rebound: float
    """m above where it rests, after the impact"""
    rest: float
    """m above the table's face, where it rests"""
    calm: float
    """s until its height stays within half a millimetre of where it rests"""

    @property
    def expected(self) -> float:
        """s: sqrt(2 h / g)"""
        return math.sqrt(2 * self.height / G)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Cubes on each other."""

    masses: tuple[float, ...]
    """of TOWERS"""
    drift: float
    """m, the farthest that one of them moved sideways in 3 s"""
    stands: bool
    """whether none is tilted after them"""


@dataclass(frozen=True, kw_only=True)
class Overhang:
    """A brick that reaches over the edge of another."""

    share: float
    """of its length; up to a half it stays"""
    stayed: bool


def make_pack(folder: Path) -> Pack:
    """Write and open a pack of SIZES."""
    assets = tuple(_asset(folder, name, size) for name, size in SIZES.items())
    manifest = Manifest(version=VERSION, name="boxes", generator="", assets=assets)
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


def table(
    pack: Pack, boxes: Sequence[Box], *, friction: float = 0.8, slope: float = 0.0
) -> SceneSpec:
    """Boxes on a table that is inclined by `slope` rad, down towards +y."""
    turn = np.array([[1, 0, 0], [0, math.cos(slope), math.sin(slope)],
                     [0, -math.sin(slope), math.cos(slope)]])  # fmt: skip
    face = np.array([*MIDDLE, 0.0])
    tilt = (math.cos(slope / 2), -math.sin(slope / 2), 0.0, 0.0)
    slab = face - turn @ (0, 0, TABLE[2] / 2)
    objects = tuple(
        ObjectSpec(
            id=f"box_{k}",
            asset=box.asset,
            pose=_pose(face + turn @ box.at, tilt),
            mass_scale=box.mass_scale,
            friction=box.friction,
        )
        for k, box in enumerate(boxes)
    )
    placed = tuple(thing.pose for thing in objects)
    return SceneSpec(
        pack=pack.digest,
        supports=(
            SupportSpec(id="table", pose=_pose(slab, tilt), size=TABLE, friction=friction),
            SupportSpec(id="floor", pose=_pose((0, 0, -2.05)), size=(9.0, 9.0, 0.1)),
        ),
        objects=objects,
        camera=camera_from_fov(64, 64, 60, look_at((2.1, 0.5, 1.15), (0.5, 0, 0))),
        robot=RobotSpec(),
        settled={"bullet": placed, "newton": placed},
    )


def slides(
    backend: ArmBackend,
    pack: Pack,
    cases: Sequence[tuple[float, float]],
    table_friction: float = 0.5,
) -> list[Slide]:
    """Blocks of (own friction, m/s) slide side by side."""
    boxes = [
        Box(asset="block", at=(_lane(k), -1.2, 0.0), friction=mu) for k, (mu, _) in enumerate(cases)
    ]
    backend.reset(table(pack, boxes, friction=table_friction))
    _push(backend, [(k, v) for k, (_, v) in enumerate(cases)])
    way = paths(backend, 2.0)
    return [_slide(way[:, k], mu * table_friction, v, 0.0) for k, (mu, v) in enumerate(cases)]


def slide_on_another(
    backend: ArmBackend, pack: Pack, upper: float, lower: float, table_friction: float, mu: float
) -> Slide:
    """A block slides on a heavy slab.

    Args:
        backend: where.
        pack: of `make_pack`.
        upper: the block's friction.
        lower: the slab's.
        table_friction: below the slab.
        mu: what the engine makes of them.
    """
    boxes = [
        Box(asset="slab", at=(0.0, 0.0, 0.0), friction=lower, mass_scale=20.0),
        Box(asset="block", at=(0.0, -0.38, SIZES["slab"][2]), friction=upper),
    ]
    backend.reset(table(pack, boxes, friction=table_friction))
    _push(backend, [(1, 0.8)])
    return _slide(paths(backend, 2.0)[:, 1], mu, 0.8, SIZES["slab"][2])


def inclines(
    backend: ArmBackend, pack: Pack, shares: Sequence[float], slope: float = 0.3
) -> list[Incline]:
    """Blocks whose friction is these shares of the slope's tangent are put down side by side."""
    below = 0.5
    boxes = [
        Box(asset="block", at=(_lane(k), -1.0, 0.0), friction=share * math.tan(slope) / below)
        for k, share in enumerate(shares)
    ]
    backend.reset(table(pack, boxes, friction=below, slope=slope))
    _push(backend, [])
    way = paths(backend, 1.0)
    moved = np.linalg.norm(way[:, :, :3] - way[0, :, :3], axis=2)
    half = len(way) // 2
    early, late = (moved[k] - moved[k - 12] for k in (half, len(way) - 1))
    rates = (late - early) / (12 * STEP) / ((len(way) - 1 - half) * STEP)
    return [
        Incline(share=share, slope=slope, acceleration=float(rates[k]), moved=float(moved[-1, k]))
        for k, share in enumerate(shares)
    ]


def drops(backend: ArmBackend, pack: Pack, cases: Sequence[tuple[str, float, float]]) -> list[Drop]:
    """Boxes of (asset, height m, mass_scale) fall side by side."""
    boxes = [
        Box(asset=asset, at=(_lane(k), 0.0, height), mass_scale=scale)
        for k, (asset, height, scale) in enumerate(cases)
    ]
    backend.reset(table(pack, boxes))
    _push(backend, [])
    heights = paths(backend, 3.0)[:, :, 2]
    return [_drop(box, heights[:, k]) for k, box in enumerate(boxes)]


def stacks(backend: ArmBackend, pack: Pack) -> list[Stack]:
    """Let TOWERS stand for 3 s, side by side."""
    boxes = [
        Box(asset="cube", at=(_lane(2 * k), 0.0, j * SIZES["cube"][2]), mass_scale=scale)
        for k, tower in enumerate(TOWERS)
        for j, scale in enumerate(tower)
    ]
    backend.reset(table(pack, boxes))
    _push(backend, [])
    way = paths(backend, 3.0)
    moved = np.linalg.norm(way[-1, :, :2] - way[0, :, :2], axis=1)
    tilted = _tilts(way[-1]) > TILTED
    ends = np.cumsum([len(tower) for tower in TOWERS])[:-1]
    return [
        Stack(masses=tower, drift=float(far.max()), stands=not fallen.any())
        for tower, far, fallen in zip(
            TOWERS, np.split(moved, ends), np.split(tilted, ends), strict=True
        )
    ]


def overhangs(backend: ArmBackend, pack: Pack, shares: Sequence[float]) -> list[Overhang]:
    """Bricks that reach over a heavy one by shares of their length, side by side."""
    _, length, height = SIZES["brick"]
    boxes = [
        box
        for k, share in enumerate(shares)
        for box in (
            Box(asset="brick", at=(_lane(k), 0.0, 0.0), mass_scale=10.0),
            Box(asset="brick", at=(_lane(k), share * length, height)),
        )
    ]
    backend.reset(table(pack, boxes))
    _push(backend, [])
    tilts = _tilts(paths(backend, 3.0)[-1, 1::2])
    return [
        Overhang(share=share, stayed=bool(tilt < TILTED))
        for share, tilt in zip(shares, tilts, strict=True)
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class Settling:
    """How far apart things come to rest in two backends."""

    distance: np.ndarray
    """[N] m, all things of all scenes"""
    tilt: np.ndarray
    """[N] rad between their upright axes"""

    @property
    def tipped(self) -> int:
        """Things that tip over in one of the two alone: by more than 30 degrees."""
        return int((self.tilt > math.pi / 6).sum())


def settling(one: ArmBackend, other: ArmBackend, scenes: Sequence[SceneSpec]) -> Settling:
    """Let both settle the scenes from where these were composed."""
    found = [[poses.as_row(pose) for b in (one, other) for pose in b.settle(s)] for s in scenes]
    pairs = np.concatenate([np.array(rows).reshape(2, -1, 7) for rows in found], axis=1)
    ups = np.array([[poses.rotation(row[3:])[:, 2] for row in rows] for rows in pairs])
    return Settling(
        distance=np.linalg.norm(pairs[0, :, :3] - pairs[1, :, :3], axis=1),
        tilt=np.arccos(np.clip((ups[0] * ups[1]).sum(axis=1), -1, 1)),
    )


def paths(backend: ArmBackend, seconds: float) -> np.ndarray:
    """Poses [T + 1, N, 7] at the start and after each step."""
    rows = [backend.state().objects]
    for _ in range(round(seconds / STEP)):
        backend.world.step(_FEW[backend.kind])
        rows.append(backend.state().objects)
    return np.stack(rows)


def _push(backend: ArmBackend, speeds: Sequence[tuple[int, float]]) -> None:
    """Give some boxes a speed, m/s towards +y; all of them wake up."""
    of = dict(speeds)
    for k in range(len(backend.spec.objects)):
        backend.world.set_velocity(k, np.array([0.0, of.get(k, 0.0), 0.0]), np.zeros(3))


def _tilts(rows: np.ndarray) -> np.ndarray:
    """[N] rad between the upright axes of poses [N, 7] and the vertical."""
    ups = np.array([poses.rotation(row[3:])[2, 2] for row in rows])
    return np.arccos(np.clip(ups, -1, 1))


def _lane(k: int) -> float:
    return -1.2 + 0.3 * k


def _slide(way: np.ndarray, mu: float, speed: float, height: float) -> Slide:
    y, z = way[:, 1] - way[0, 1], way[:, 2] - height
    return Slide(
        friction=mu,
        speed=speed,
        distance=float(y[-1]),
        hop=float(z.max()),
        creep=float(abs(y[-1] - y[-121])),
    )


def _drop(box: Box, z: np.ndarray) -> Drop:
    lowest = int(z.argmin())
    away = np.abs(z - z[-1]) > AT_REST
    return Drop(
        height=box.at[2],
        mass=box.mass,
        fall=float(np.argmax(z < AT_REST) * STEP),
        sink=float(-z[lowest]),
        rebound=float(z[lowest:].max() - z[-1]),
        rest=float(z[-1]),
        calm=float((np.flatnonzero(away).max() + 1) * STEP),
    )


def _pose(at: Sequence[float] | np.ndarray, turn: Sequence[float] = (1, 0, 0, 0)) -> Pose:
    w, x, y, z = (float(v) for v in turn)
    a, b, c = (float(v) for v in at)
    return Pose(position=(a, b, c), orientation=(w, x, y, z))


def _asset(folder: Path, name: str, size: tuple[float, float, float]) -> AssetInfo:
    box = trimesh.creation.box(size)
    box.apply_translation((0, 0, size[2] / 2))
    lines = ["o part_0", *("v {:.9g} {:.9g} {:.9g}".format(*v) for v in box.vertices)]
    lines += ["f {} {} {}".format(*(face + 1)) for face in box.faces]
    hull = ("\n".join(lines) + "\n").encode()
    box.unmerge_vertices()
    visual = textured(box, np.full((8, 8, 3), 150, np.uint8), np.full((len(box.vertices), 2), 0.5))
    (folder / f"{name}.obj").write_bytes(hull)
    (folder / f"{name}.glb").write_bytes(visual)
    x, y, z = size
    kg = DENSITY * x * y * z
    return AssetInfo(
        name=name,
        category=name,
        plural=f"{name}s",
        shape=name,
        use="item",
        factory="",
        factory_seed=0,
        size=size,
        mass=kg,
        com=(0.0, 0.0, z / 2),
        inertia=(
            kg * (y**2 + z**2) / 12,
            kg * (x**2 + z**2) / 12,
            kg * (x**2 + y**2) / 12,
            0,
            0,
            0,
        ),
        colour=None,
        colour_share=1,
        friction=0.5,
        triangles=12,
        visual=f"{name}.glb",
        visual_sha256=hashlib.sha256(visual).hexdigest(),
        collision=f"{name}.obj",
        collision_sha256=hashlib.sha256(hull).hexdigest(),
        licence="CC0-1.0",
        attribution="",
    )
