"""Scenes for the renderers' tests: simple solids of known shape, and things of the shipped pack."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from mesh_parts import textured
from PIL import Image

from refergym.assets import records
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import VERSION, AssetInfo, Manifest, Pack, TextureInfo, open_pack
from refergym.assets.seeding import generator
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs.types import State

QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
"""top left red, top right green, bottom left blue, bottom right white"""

Compose = Callable[..., SceneSpec]


def solids() -> dict[str, bytes]:
    """GLBs of a cube of 0.1 m, a ball of 0.1 m, and a sheet of 0.2 m with four colours."""
    cube = trimesh.creation.box((0.1, 0.1, 0.1))
    cube.apply_translation((0, 0, 0.05))
    cube.unmerge_vertices()
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    ball.apply_translation((0, 0, 0.05))
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 0.1
    sheet = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    grey = np.full((8, 8, 3), 128, np.uint8)
    quarters = QUARTERS.repeat(64, axis=0).repeat(64, axis=1)
    fine = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    sheet_uv = corners[:, :2] / 0.2 + 0.5
    return {
        "cube": textured(cube, grey, np.full((len(cube.vertices), 2), 0.5)),
        "ball": textured(ball, grey, np.full((len(ball.vertices), 2), 0.5)),
        "sheet": textured(sheet, quarters, sheet_uv),
        "chequered": textured(sheet, np.dstack([fine] * 3), sheet_uv),
    }


@pytest.fixture(scope="session")
def solid_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A pack of simple solids, and one table texture of four colours."""
    folder: Path = tmp_path_factory.mktemp("solids")
    assets = []
    hull = b"v -1 -1 0\nv 1 -1 0\nv 0 1 0\nv 0 0 1\n"
    for name, data in solids().items():
        (folder / f"{name}.glb").write_bytes(data)
        (folder / f"{name}.obj").write_bytes(hull)
        info = AssetInfo(
            name=name,
            category=name,
            plural=f"{name}s",
            shape=name,
            factory="",
            factory_seed=0,
            size=(0.1, 0.1, 0.1),
            mass=0.1,
            com=(0, 0, 0.05),
            inertia=(1e-4, 1e-4, 1e-4, 0, 0, 0),
            colour=None,
            colour_share=1,
            friction=0.8,
            triangles=0,
            visual=f"{name}.glb",
            visual_sha256=hashlib.sha256(data).hexdigest(),
            collision=f"{name}.obj",
            collision_sha256=hashlib.sha256(hull).hexdigest(),
            licence="CC0-1.0",
            attribution="",
        )
        assets.append(info)
    picture = io.BytesIO()
    Image.fromarray(QUARTERS.repeat(32, axis=0).repeat(32, axis=1)).save(picture, "PNG")
    (folder / "quarters.png").write_bytes(picture.getvalue())
    texture = TextureInfo(
        name="quarters",
        file="quarters.png",
        sha256=hashlib.sha256(picture.getvalue()).hexdigest(),
        use="table",
        licence="CC0-1.0",
    )
    manifest = Manifest(
        version=VERSION, name="solids", generator="", assets=tuple(assets), textures=(texture,)
    )
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


@pytest.fixture
def simple(solid_pack: Pack) -> Compose:
    """Compose things on a table of plain colour: simple(("cube", x, y, z), ...)."""

    def compose(
        *things: tuple[str, float, float, float],
        width: int = 96,
        height: int = 96,
        eye: tuple[float, float, float] = (1.0, 0.1, 0.6),
        target: tuple[float, float, float] = (0.5, 0.0, 0.0),
        **fields: object,
    ) -> SceneSpec:
        camera = camera_from_fov(width, height, 45, look_at(eye, target))
        base: dict[str, object] = {
            "pack": solid_pack.digest,
            "supports": (table(), FLOOR),
            "objects": tuple(
                ObjectSpec(id=f"{name}_{i}", asset=name, pose=Pose(position=(x, y, z)))
                for i, (name, x, y, z) in enumerate(things)
            ),
            "camera": camera,
        }
        return SceneSpec(**{**base, **fields})

    return compose


FLOOR = SupportSpec(id="floor", pose=Pose(position=(0.5, 0, -0.8)), size=(5, 5, 0.1))


def table(texture: str | None = None, scale: float = 0.4) -> SupportSpec:
    """A table whose top is at z = 0."""
    return SupportSpec(
        id="table",
        pose=Pose(position=(0.625, 0, -0.02)),
        size=(0.85, 1.3, 0.04),
        colour=(1, 1, 1) if texture else (0.7, 0.6, 0.5),
        texture=texture,
        texture_scale=scale,
    )


def start(spec: SceneSpec) -> State:
    """The state with everything where it was composed, and the arm parked."""
    rows = [[*o.pose.position, *o.pose.orientation] for o in spec.objects]
    joints = np.array([*spec.robot.parked, 0.04, 0.04])
    return State(objects=np.array(rows, np.float64).reshape(-1, 7), joints=joints)


def clutter(count: int = 8, seed: int = 0, size: tuple[int, int] = (224, 224)) -> SceneSpec:
    """Things of the shipped pack on textured supports, turned at random."""
    pack, rng = open_pack(), generator(seed, "render-test")
    names = [a.name for a in pack.manifest.assets if a.use == "item"]
    spots = [(0.40 + 0.11 * i, -0.26 + 0.175 * j) for i in range(3) for j in range(4)]
    objects = []
    for k, spot in enumerate(rng.permutation(len(spots))[:count]):
        angle = rng.uniform(0, 2 * np.pi)
        pose = Pose(
            position=(*spots[spot], 0.0),
            orientation=(float(np.cos(angle / 2)), 0.0, 0.0, float(np.sin(angle / 2))),
        )
        name = names[rng.integers(len(names))]
        tint = tuple(rng.uniform(0.6, 1.0, 3).tolist())
        scale = float(rng.uniform(0.7, 1.0))
        objects.append(ObjectSpec(id=f"o{k}", asset=name, pose=pose, tint=tint, scale=scale))
    textures = [pack.textures(use) for use in ("table", "floor")]
    supports = [table(), FLOOR]
    supports = [
        SupportSpec(
            id=s.id,
            pose=s.pose,
            size=s.size,
            texture=names_of[seed % len(names_of)] if names_of else None,
        )
        for s, names_of in zip(supports, textures, strict=True)
    ]
    eye = (1.05, float(rng.uniform(-0.3, 0.3)), 0.6)
    camera = camera_from_fov(*size, 50, look_at(eye, (0.5, 0, 0.02)))
    return SceneSpec(
        pack=pack.digest, supports=tuple(supports), objects=tuple(objects), camera=camera
    )


@pytest.fixture
def composed() -> Compose:
    """Compose clutter: composed(count=8, seed=0, size=(224, 224))."""
    return clutter


@pytest.fixture
def begin() -> Callable[[SceneSpec], State]:
    """The start state of a scene."""
    return start


@pytest.fixture
def quarters_table() -> SupportSpec:
    """A table with the texture of four colours, 0.4 m to a repetition."""
    return table("quarters")
