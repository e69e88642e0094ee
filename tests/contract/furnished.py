"""A tiny pack of furniture made of boxes, and rooms with it: all supports, and fixtures."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from mesh_parts import textured
from PIL import Image

from refergym.assets import records
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import VERSION, AssetInfo, Manifest, Pack, TextureInfo, Top
from refergym.assets.poses import about_z, as_pose
from refergym.assets.spec import (
    FixtureSpec,
    ObjectSpec,
    Pose,
    RobotSpec,
    SceneSpec,
    SupportSpec,
)
from refergym.envs.types import State

HEIGHT, THICKNESS = 0.72, 0.03
"""m, of both tables' tops"""
SIZE = (0.8, 1.2)
"""[2] m, of the rectangular table"""
RADIUS = 0.45
"""m, of the round table"""
SIDES = 24
BLOCK = 0.05
"""m"""
SHELF = 0.30
"""m, height of the upper face of the rectangular table's lower shelf"""
BLOCKS = ((0.5, 0.1), (0.7, -0.2))
"""[2] m each, in the arm's reach"""
KINDS = ("outline", "table", "round table")
"""a bare slab with an outline; furniture with a slab; round furniture with an outline"""


def circle(radius: float = RADIUS, count: int = SIDES) -> np.ndarray:
    angles = 2 * np.pi * np.arange(count) / count
    return np.round(radius * np.column_stack([np.cos(angles), np.sin(angles)]), 9)


def make_pack(folder: Path) -> Pack:
    """Write and open the pack: "table", "round table", "block", and three textures."""
    x, y = SIZE
    table = [
        _box((x, y, THICKNESS), (0, 0, HEIGHT - THICKNESS / 2)),
        _box((x - 0.1, y - 0.1, 0.02), (0, 0, SHELF - 0.01)),
        *(
            _box((0.05, 0.05, HEIGHT), (i * (x / 2 - 0.05), j * (y / 2 - 0.05), HEIGHT / 2))
            for i in (-1, 1)
            for j in (-1, 1)
        ),
    ]
    round_top = trimesh.creation.extrude_triangulation(
        circle(), [(0, k, k + 1) for k in range(1, SIDES - 1)], THICKNESS
    )
    round_top.apply_translation((0, 0, HEIGHT - THICKNESS))
    foot = _box((0.1, 0.1, HEIGHT - THICKNESS), (0, 0, (HEIGHT - THICKNESS) / 2))
    rectangle = tuple((i * x / 2, j * y / 2) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
    corners = tuple((float(a), float(b)) for a, b in circle())
    shapes: list[tuple[str, Sequence[trimesh.Trimesh], Top | None]] = [
        ("table", table, Top(height=HEIGHT, outline=rectangle, thickness=THICKNESS)),
        (
            "round table",
            [round_top, foot],
            Top(height=HEIGHT, outline=corners, thickness=THICKNESS),
        ),
        ("block", [_box((BLOCK,) * 3, (0, 0, BLOCK / 2))], None),
    ]
    assets = tuple(_asset(folder, *shape) for shape in shapes)
    textures = tuple(_texture(folder, use) for use in ("table", "floor", "wall"))
    manifest = Manifest(
        version=VERSION, name="furnished", generator="", assets=assets, textures=textures
    )
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


def room(
    pack: Pack,
    kind: str,
    *blocks: tuple[float, float],
    yaw: float = 0.3,
    size: tuple[int, int] = (224, 224),
    eye: tuple[float, float, float] = (2.1, 0.5, 1.15),
    target: tuple[float, float, float] = (0.5, 0.0, -0.25),
    hfov: float = 70.0,
) -> SceneSpec:
    """A room with a table of one of KINDS, its top at z = 0 over (0.65, 0), and blocks (x, y) m."""
    top = as_pose(np.array([0.65, 0.0, -THICKNESS / 2, *about_z(yaw)]))
    is_round = kind != "table"
    table = SupportSpec(
        id="table",
        pose=top,
        size=(2 * RADIUS, 2 * RADIUS, THICKNESS) if is_round else (*SIZE, THICKNESS),
        outline=tuple((float(a), float(b)) for a, b in circle()) if is_round else None,
        asset=None if kind == "outline" else kind,
        texture="table",
        colour=(1, 1, 1),
    )
    hexagon = tuple((float(a), float(b)) for a, b in circle(2.6, 6))
    floor = SupportSpec(
        id="floor",
        pose=Pose(position=(0.5, 0.0, -HEIGHT - 0.05)),
        size=(5.2, 5.2, 0.1),
        outline=hexagon,
        texture="floor",
        colour=(1, 1, 1),
    )
    objects = tuple(
        ObjectSpec(id=f"block_{i}", asset="block", pose=Pose(position=(x, y, 0.0)))
        for i, (x, y) in enumerate(blocks)
    )
    return SceneSpec(
        pack=pack.digest,
        supports=(table, floor),
        objects=objects,
        fixtures=fixtures(),
        camera=camera_from_fov(*size, hfov, look_at(eye, target)),
        robot=RobotSpec(),
        settled={"kinematic": tuple(o.pose for o in objects)},
    )


def fixtures() -> tuple[FixtureSpec, ...]:
    """Twelve pieces of wall behind and beside the table, and six bright windows in them."""
    walls = [((-1.2, -2.2 + 0.4 * k, 0.4), (0.1, 0.4, 2.3)) for k in range(12)]
    panes = [((-1.14, -1.7 + 0.7 * k, 0.9), (0.02, 0.4, 0.8)) for k in range(6)]
    return tuple(
        FixtureSpec(
            id=f"wall_{k}" if k < 12 else f"window_{k - 12}",
            pose=Pose(position=position),
            size=size,
            texture="wall" if k < 12 else None,
            colour=(0.9, 0.88, 0.8) if k < 12 else (1.0, 1.0, 1.0),
            glow=0.0 if k < 12 else 1.0,
        )
        for k, (position, size) in enumerate([*walls, *panes])
    )


def start(spec: SceneSpec) -> State:
    """The state with everything where it was composed, and the arm parked."""
    rows = [[*o.pose.position, *o.pose.orientation] for o in spec.objects]
    joints = np.array([*spec.robot.parked, 0.04, 0.04])
    return State(objects=np.array(rows, np.float64).reshape(-1, 7), joints=joints)


def _box(size: Sequence[float], at: Sequence[float]) -> trimesh.Trimesh:
    box = trimesh.creation.box(size)
    box.apply_translation(at)
    return box


def _asset(folder: Path, name: str, parts: Sequence[trimesh.Trimesh], top: Top | None) -> AssetInfo:
    mesh = trimesh.util.concatenate(list(parts))
    mesh.unmerge_vertices()
    visual = _glb(mesh)
    lines: list[str] = []
    for k, part in enumerate(parts):
        lines += [f"o part_{k}", *("v {:.9g} {:.9g} {:.9g}".format(*v) for v in part.vertices)]
        before = sum(len(p.vertices) for p in parts[:k]) + 1
        lines += ["f {} {} {}".format(*(f + before)) for f in part.faces]
    hulls = ("\n".join(lines) + "\n").encode()
    stem = name.replace(" ", "_")
    (folder / f"{stem}.glb").write_bytes(visual)
    (folder / f"{stem}.obj").write_bytes(hulls)
    return AssetInfo(
        name=name,
        category="dining table" if name == "table" else name,
        plural=f"{name}s",
        shape=name,
        use="furniture" if top else "item",
        factory="",
        factory_seed=0,
        size=tuple(float(v) for v in mesh.extents),
        mass=0.1,
        com=(0.0, 0.0, float(mesh.extents[2]) / 2),
        inertia=(4e-5, 4e-5, 4e-5, 0, 0, 0),
        colour=None,
        colour_share=1,
        friction=0.8,
        top=top,
        triangles=len(mesh.faces),
        visual=f"{stem}.glb",
        visual_sha256=hashlib.sha256(visual).hexdigest(),
        collision=f"{stem}.obj",
        collision_sha256=hashlib.sha256(hulls).hexdigest(),
        licence="CC0-1.0",
        attribution="",
    )


def _glb(mesh: trimesh.Trimesh) -> bytes:
    """A GLB (y up) with flat normals; the texture goes from brown to black along the height."""
    shades = np.linspace(0, 1, 64)[:, None, None] * np.array([190, 140, 90])
    image = np.broadcast_to(shades, (64, 8, 3)).astype(np.uint8)[::-1]
    heights = mesh.vertices[:, 2] / mesh.extents[2]
    uv = np.column_stack([np.full(len(heights), 0.5), 0.1 + 0.8 * heights])
    return textured(mesh, image, uv)


def _texture(folder: Path, use: str) -> TextureInfo:
    colours = {"table": (200, 160, 110), "floor": (150, 160, 150), "wall": (220, 215, 200)}
    tiles = np.indices((64, 64)).sum(axis=0)[..., None] // 32 % 2
    image = (np.array(colours[use]) * (1 - 0.3 * tiles)).astype(np.uint8)
    picture = io.BytesIO()
    Image.fromarray(image).save(picture, "PNG")
    (folder / f"{use}.png").write_bytes(picture.getvalue())
    return TextureInfo(
        name=use,
        file=f"{use}.png",
        sha256=hashlib.sha256(picture.getvalue()).hexdigest(),
        use=use,  # type: ignore[arg-type]
        licence="CC0-1.0",
    )
