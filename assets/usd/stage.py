"""Write a scene as a USD stage that simulators open: `write_stage` is the door.

Metres, kilograms, z up, wxyz; all paths relative. Each prim of a record carries that record as
canonical JSON in `refergym:record`, so that `reading.read_stage` gives the SceneSpec back.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.camera import matrix_pose, pose_matrix
from refergym.assets.footprints import furniture_pose, support_corners
from refergym.assets.identifiers import identifier, identifiers
from refergym.assets.inertia import dynamics
from refergym.assets.library import Pack, read_file
from refergym.assets.records import Record
from refergym.assets.robots.panda_model import PEDESTAL_CENTRE, PEDESTAL_COLOUR, PEDESTAL_SIZE
from refergym.assets.slabs import convex_parts
from refergym.assets.spec import FixtureSpec, ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.assets.tints import PLAIN
from refergym.assets.usd import bodies, cache, looks, names, shapes
from refergym.assets.usd.asset_files import add_asset, new_layer, new_stage
from refergym.assets.usd.cameras import write_camera, write_light
from refergym.assets.usd.pixar import Gf, Kind, Sdf, Usd, UsdGeom, UsdPhysics, UsdUtils
from refergym.assets.usd.robot import add_robot, pose_robot

GRAVITY = 9.81
"""m/s2"""
RECORD, POSES = "refergym:record", "refergym:poses"
"""attributes: a prim's record as JSON; the kind of backend whose poses at rest the stage shows"""
CHILDREN = ("objects", "supports", "fixtures", "camera")
"""fields of a SceneSpec that stand on prims of their own"""


def write_stage(
    scene: SceneSpec,
    pack: Pack,
    folder: Path,
    *,
    poses: str | None = None,
    robot: bool = True,
    cached: Path | None = None,
) -> Path:
    """Write a scene as a stage, with everything that it refers to.

    Args:
        scene: any scene.
        pack: where its assets are.
        folder: gets scene.usda, room.usdc, assets/, textures/ and robots/; made if it is not there.
        poses: kind of backend whose poses at rest the objects stand at; None takes the composed.
        robot: False leaves out the arm and its pedestal.
        cached: folder in which files of assets are kept between exports; None takes
            `cache.default_folder()`.

    Returns:
        The stage's file.

    Raises:
        SpecError: if the scene was not settled for `poses`, or a support is none.
        PackError: if the pack lacks something, or is damaged.
        OSError: if a folder cannot be written.
    """
    start = [t.pose for t in scene.objects] if poses is None else list(scene.poses(poses))
    path = folder / names.FILE
    folder.mkdir(parents=True, exist_ok=True)
    kept = cache.default_folder() if cached is None else cached
    Writer(scene, pack, folder, kept).write(path, start, poses, robot=robot)
    return path


def pack_stage(path: Path, file: Path) -> Path:
    """Put a stage with everything that it refers to into one usdz file.

    Args:
        path: of the stage.
        file: the package, ending in ".usdz".

    Raises:
        OSError: if it cannot be written.
    """
    if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(path.resolve())), str(file)):
        raise OSError(f"{file}: USD could not write the package")
    return file


class Writer:
    """Writes one stage: the root layer, which refers to the files of assets and robot."""

    def __init__(self, scene: SceneSpec, pack: Pack, folder: Path, cached: Path) -> None:
        """See `write_stage`."""
        self._scene, self._pack, self._folder, self._cached = scene, pack, folder, cached
        self._stage: Any = None
        furniture = [s.asset for s in scene.supports if s.asset is not None]
        used = dict.fromkeys([*furniture, *(thing.asset for thing in scene.objects)])
        self._places = dict(zip(used, identifiers(used), strict=True))
        self._files: dict[str, str] = {}
        self._pictures: dict[str, str] = {}

    def write(self, path: Path, start: list[Pose], kind: str | None, *, robot: bool) -> None:
        """Write everything; see `write_stage`."""
        scene = self._scene
        self._stage = stage = new_stage(path)
        world = UsdGeom.Xform.Define(stage, names.WORLD).GetPrim()
        stage.SetDefaultPrim(world)
        Usd.ModelAPI(world).SetKind(Kind.Tokens.assembly)
        rest = {k: v for k, v in msgspec.structs.asdict(scene).items() if k not in CHILDREN}
        _note(world, RECORD, records.canonical_json(rest).decode())
        if kind is not None:
            _note(world, POSES, kind)
        gravity = UsdPhysics.Scene.Define(stage, names.PHYSICS_SCENE)
        gravity.CreateGravityDirectionAttr(Gf.Vec3f(0, 0, -1))
        gravity.CreateGravityMagnitudeAttr(GRAVITY)
        for group in (names.OBJECTS, names.SUPPORTS, names.FIXTURES):
            prim = UsdGeom.Xform.Define(stage, group).GetPrim()
            Usd.ModelAPI(prim).SetKind(Kind.Tokens.group)
        for scope in (names.CAMERAS, names.LIGHTS):
            UsdGeom.Scope.Define(stage, scope)
        self._record(write_camera(stage, names.camera_path(scene), scene.camera), scene.camera)
        write_light(stage, names.LIGHTS, scene.light)
        self._room()
        for path_, thing, pose in zip(names.object_paths(scene), scene.objects, start, strict=True):
            self._object(path_, thing, pose)
        if robot:
            self._robot()
        stage.GetRootLayer().Save()

    def _room(self) -> None:
        """Write what does not move: into a binary layer below, as outlines have many corners."""
        scene, root = self._scene, self._stage.GetRootLayer()
        layer = new_layer(self._folder / names.ROOM)
        root.subLayerPaths.append(f"./{names.ROOM}")
        with Usd.EditContext(self._stage, layer):
            for path, support in zip(names.support_paths(scene), scene.supports, strict=True):
                self._support(path, support)
            for path, fixture in zip(names.fixture_paths(scene), scene.fixtures, strict=True):
                self._fixture(path, fixture)
        layer.Save()

    def _object(self, path: str, thing: ObjectSpec, pose: Pose) -> None:
        info = self._pack[thing.asset]
        prim = self._refer(path, thing.asset)
        shapes.place(prim, pose)
        moves = dynamics(info, thing)
        bodies.rigid(prim, moves)
        shapes.set_scale(self._stage.OverridePrim(f"{path}/geometry"), thing.scale)
        if thing.friction is not None:
            contact = self._stage.OverridePrim(f"{path}/looks/contact")
            looks.set_friction(contact, moves.friction)
        if thing.tint != PLAIN:
            looks.tint(self._stage, f"{path}/looks/surface", thing.tint)
        shapes.label(prim, instance=thing.id)
        self._record(prim, thing)

    def _support(self, path: str, support: SupportSpec) -> None:
        prim = UsdGeom.Xform.Define(self._stage, path).GetPrim()
        Usd.ModelAPI(prim).SetKind(Kind.Tokens.component)
        shapes.place(prim, support.pose)
        word = support.id if support.asset is None else self._pack[support.asset].category
        shapes.label(prim, **{"class": word, "instance": support.id})
        self._record(prim, support)
        UsdGeom.Scope.Define(self._stage, f"{path}/looks")
        contact = looks.touch(self._stage, f"{path}/looks/contact", support.friction)
        if support.asset is None:
            self._slab(path, support, support_corners(support))
        else:
            self._furniture(path, support)
        if support.outline is None:
            shapes.box(self._stage, f"{path}/slab", support.size, contact)
        for k, part in enumerate(convex_parts(self._pack, support)):
            shapes.hull(self._stage, f"{path}/part_{k}", part, contact)

    def _furniture(self, path: str, support: SupportSpec) -> None:
        """Show furniture instead of a slab; what it collides with are the support's own parts."""
        assert support.asset is not None, "asked for furniture only"
        pose = furniture_pose(self._pack, support)
        down = pose.position[2] - support.pose.position[2]
        prim = self._refer(f"{path}/furniture", support.asset)
        Usd.ModelAPI(prim).SetKind(Kind.Tokens.subcomponent)
        shapes.place(prim, Pose(position=(0.0, 0.0, down)))
        self._stage.OverridePrim(f"{path}/furniture/geometry/collision").SetActive(False)

    def _fixture(self, path: str, fixture: FixtureSpec) -> None:
        prim = UsdGeom.Xform.Define(self._stage, path).GetPrim()
        Usd.ModelAPI(prim).SetKind(Kind.Tokens.component)
        shapes.place(prim, fixture.pose)
        shapes.label(prim, **{"class": fixture.id, "instance": fixture.id})
        self._record(prim, fixture)
        UsdGeom.Scope.Define(self._stage, f"{path}/looks")
        drawn = self._slab(path, fixture, _rectangle(fixture.size[:2]))
        shadows = UsdGeom.PrimvarsAPI(drawn).CreatePrimvar(
            "doNotCastShadows", Sdf.ValueTypeNames.Bool
        )
        shadows.Set(True)

    def _slab(self, path: str, s: SupportSpec | FixtureSpec, corners: Any) -> UsdGeom.Mesh:
        drawn = shapes.prism(self._stage, f"{path}/visual", corners, s.size[2], s.texture_scale)
        texture = None if s.texture is None else self._texture(s.texture)
        glow = s.glow if isinstance(s, FixtureSpec) else 0.0
        surface = looks.preview(
            self._stage,
            f"{path}/looks/surface",
            looks.linear(s.colour),
            texture=texture,
            glow=glow,
        )
        looks.bind(drawn.GetPrim(), surface)
        return drawn

    def _robot(self) -> None:
        stage, robot = self._stage, self._scene.robot
        prim = stage.DefinePrim(names.ROBOT)
        prim.GetReferences().AddReference(add_robot(self._folder, self._cached))
        pose_robot(stage, names.ROBOT, robot)
        base = pose_matrix(robot.base)
        height = float(base[2, 3]) - min(s.top for s in self._scene.supports)
        if height > 1e-3:
            self._pedestal(height)

    def _pedestal(self, height: float) -> None:
        """Show what the robot's base stands on; nothing hits it."""
        stage = self._stage
        prim = UsdGeom.Xform.Define(stage, names.PEDESTAL).GetPrim()
        Usd.ModelAPI(prim).SetKind(Kind.Tokens.component)
        shapes.label(prim, **{"class": "robot"})
        local = np.eye(4)
        local[:3, 3] = (*PEDESTAL_CENTRE, -height / 2)
        shapes.place(prim, matrix_pose(pose_matrix(self._scene.robot.base) @ local))
        UsdGeom.Scope.Define(stage, f"{names.PEDESTAL}/looks")
        drawn = shapes.prism(
            stage, f"{names.PEDESTAL}/visual", _rectangle(PEDESTAL_SIZE), height, 1.0
        )
        colour = looks.linear(PEDESTAL_COLOUR)
        surface = looks.preview(stage, f"{names.PEDESTAL}/looks/surface", colour)
        looks.bind(drawn.GetPrim(), surface)

    def _refer(self, path: str, asset: str) -> Usd.Prim:
        prim = UsdGeom.Xform.Define(self._stage, path).GetPrim()
        prim.GetReferences().AddReference(self._asset(asset))
        return prim

    def _asset(self, name: str) -> str:
        if name not in self._files:
            place = f"assets/{self._places[name]}"
            file = add_asset(self._pack, name, self._folder / place, self._cached)
            self._files[name] = f"./{place}/{file}"
        return self._files[name]

    def _texture(self, name: str) -> str:
        if name not in self._pictures:
            self._pictures[name] = add_texture(self._pack, name, self._folder)
        return self._pictures[name]

    def _record(self, prim: Usd.Prim, record: Record) -> None:
        _note(prim, RECORD, records.canonical_json(record).decode())


def add_texture(pack: Pack, name: str, folder: Path) -> str:
    """Copy a tileable picture into a folder of a stage; returns its path, relative to the folder.

    Raises:
        PackError: if it is not in the pack, or damaged.
        OSError: if the folder cannot be written.
    """
    image = pack.texture(name)
    info = next(t for t in pack.manifest.textures if t.name == name)
    suffix = Path(info.file).suffix.lower()
    is_known = suffix in (".png", ".jpg", ".jpeg")
    path = folder / "textures" / (identifier(name) + (suffix if is_known else ".png"))
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_known:
        path.write_bytes(read_file(pack.folder, info.file, info.sha256))
    else:
        Image.fromarray(np.asarray(image)).save(path)
    return f"./textures/{path.name}"


def _note(prim: Usd.Prim, name: str, text: str) -> None:
    prim.CreateAttribute(name, Sdf.ValueTypeNames.String, custom=True).Set(text)


def _rectangle(size: Sequence[float]) -> NDArray[np.float64]:
    """Return the corners [4, 2] of a rectangle about the origin, counter-clockwise."""
    x, y = size[0] / 2, size[1] / 2
    return np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
