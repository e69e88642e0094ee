"""A pack with furniture and solved scenes, made of the shipped pack's things and plain boxes."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import trimesh
from mesh_parts import textured

from refergym.assets import poses, records
from refergym.assets.composers.stacking import rest_height
from refergym.assets.footprints import outline
from refergym.assets.library import AssetInfo, Manifest, Pack, SceneInfo, Top, open_pack
from refergym.assets.solved import Opening, Room, SolvedItem, SolvedScene
from refergym.assets.spec import Pose

AIR = 0.002
"""m that the solver leaves below things"""
SQUARE = ((0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0))
ELL = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (3.0, 5.0), (3.0, 3.0), (0.0, 3.0))


def make_solved_pack(folder: Path) -> Pack:
    """Write a pack with three solved scenes: a dining table, a coffee table, a desk at a wall."""
    base = open_pack()
    for entry in base.folder.iterdir():
        if entry.name != "manifest.json":
            (folder / entry.name).symlink_to(entry)
    tables = [
        _furniture(folder, "table_a", _rectangle(1.5, 0.9), 0.75),
        _furniture(folder, "table_b", _round(0.6), 0.45),
        _furniture(folder, "desk_a", _rectangle(1.4, 0.7), 0.74),
    ]
    scenes = [
        _dining(base, tables[0]),
        _coffee(base, tables[1]),
        _desk(base, tables[2]),
    ]
    manifest = msgspec.structs.replace(
        base.manifest,
        assets=(*base.manifest.assets, *tables),
        scenes=tuple(add_scene(folder, s) for s in scenes),
    )
    return write(folder, manifest)


def add_scene(folder: Path, scene: SolvedScene) -> SceneInfo:
    data = records.canonical_json(scene)
    name = f"solved_{scene.name}.json"
    (folder / name).write_bytes(data)
    return SceneInfo(
        name=scene.name, kind=scene.kind, file=name, sha256=hashlib.sha256(data).hexdigest()
    )


def write(folder: Path, manifest: Manifest) -> Pack:
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


def small_things(pack: Pack) -> list[AssetInfo]:
    """Things for a table, one category after the other; those with two shapes come twice."""
    found: dict[str, list[AssetInfo]] = {}
    for info in pack.manifest.assets:
        fits = max(info.size) <= 0.27 and outline(pack, info.name).outer <= 0.13
        if info.use == "item" and fits and sorted(info.size)[1] > 0.03:
            there = found.setdefault(info.category, [])
            if len(there) < 2 and all(o.shape != info.shape for o in there):
                there.append(info)
    # what the gripper lifts comes first, so that the tasks find it
    order = sorted(found, key=lambda c: (max(a.grasp_rate(1.0) for a in found[c]) < 0.8, c))
    return [info for category in order for info in found[category]]


def _dining(pack: Pack, table: AssetInfo) -> SolvedScene:
    slots = [(x, y) for y in (-0.29, 0.0, 0.29) for x in (-0.56, -0.28, 0.0, 0.28, 0.56)]
    things = small_things(pack)
    chosen = [*things[:9], *[a for a in things[9:] if a.flat_top][:2], *things[9:13]]
    at = Pose(position=(2.4, 1.9, 0.0), orientation=_turn(0.0))
    items = _on_table(chosen, slots, at, table)
    return SolvedScene(
        name="dining_a",
        kind="dining table",
        solver="test 1",
        seed=1,
        table=table.name,
        table_pose=at,
        items=tuple(_with_child(pack, items, at)),
        room=Room(
            kind="dining room",
            floor=SQUARE,
            height=2.8,
            windows=(
                Opening(wall=2, centre=(2.5, 4.0, 1.5), size=(1.6, 1.2)),
                Opening(wall=1, centre=(5.0, 2.0, 1.5), size=(0.6, 0.8)),
            ),
            doors=(Opening(wall=3, centre=(0.0, 1.0, 1.0), size=(0.9, 2.0)),),
        ),
    )


def _coffee(pack: Pack, table: AssetInfo) -> SolvedScene:
    ring = [(0.4 * math.cos(a), 0.4 * math.sin(a)) for a in np.arange(7) * 2 * math.pi / 7]
    at = Pose(position=(3.8, 1.6, 0.0), orientation=_turn(0.7))
    return SolvedScene(
        name="coffee_a",
        kind="coffee table",
        solver="test 1",
        seed=2,
        table=table.name,
        table_pose=at,
        items=tuple(_on_table(small_things(pack)[1:9], [(0.0, 0.0), *ring], at, table)),
        room=Room(
            kind="living room",
            floor=ELL,
            height=2.6,
            windows=(Opening(wall=0, centre=(2.0, 0.0, 1.4), size=(1.5, 1.2)),),
        ),
    )


def _desk(pack: Pack, table: AssetInfo) -> SolvedScene:
    slots = [(x, y) for y in (-0.2, 0.1) for x in (-0.54, -0.27, 0.0, 0.27, 0.54)]
    at = Pose(position=(0.351, 2.0, 0.0), orientation=_turn(-math.pi / 2))
    return SolvedScene(
        name="desk_a",
        kind="desk",
        solver="test 1",
        seed=3,
        table=table.name,
        table_pose=at,
        items=tuple(_on_table(small_things(pack)[:10], slots, at, table)),
        room=Room(kind="office", floor=SQUARE, height=2.7),
    )


def _on_table(
    things: Sequence[AssetInfo],
    slots: Sequence[tuple[float, float]],
    at: Pose,
    table: AssetInfo,
) -> list[SolvedItem]:
    assert table.top is not None
    height = table.top.height + AIR
    return [
        SolvedItem(asset=info.name, pose=placed(at, (x, y, height), 0.9 * k))
        for k, (info, (x, y)) in enumerate(zip(things, slots, strict=False))
    ]


def _with_child(pack: Pack, items: list[SolvedItem], at: Pose) -> list[SolvedItem]:
    """Put the smallest thing that rests there onto the first flat top."""
    k = next(k for k, i in enumerate(items) if pack[i.asset].flat_top)
    for info in sorted(small_things(pack), key=lambda a: outline(pack, a.name).outer):
        height = rest_height(pack, items[k].asset, 1.0, info.name, 1.0)
        if height is not None and pack[items[k].asset].category != info.category:
            pose = placed(items[k].pose, (0.0, 0.0, height + AIR), 0.3)
            return [SolvedItem(asset=info.name, pose=pose, on=k + 1), *_shifted(items)]
    raise AssertionError("the pack has something that stands on a flat top")


def _shifted(items: list[SolvedItem]) -> list[SolvedItem]:
    return [msgspec.structs.replace(i, on=i.on + 1 if i.on >= 0 else -1) for i in items]


def placed(base: Pose, offset: tuple[float, float, float], yaw: float) -> Pose:
    row = poses.moved(np.array([*offset, *poses.about_z(yaw)]), poses.matrix(poses.as_row(base)))
    return poses.as_pose(row)


def _turn(yaw: float) -> tuple[float, float, float, float]:
    return poses.as_pose(np.array([0, 0, 0, *poses.about_z(yaw)])).orientation


def _rectangle(x: float, y: float) -> tuple[tuple[float, float], ...]:
    return ((-x / 2, -y / 2), (x / 2, -y / 2), (x / 2, y / 2), (-x / 2, y / 2))


def _round(radius: float) -> tuple[tuple[float, float], ...]:
    angles = np.arange(24) * 2 * math.pi / 24
    return tuple((round(radius * math.cos(a), 6), round(radius * math.sin(a), 6)) for a in angles)


def _furniture(
    folder: Path, name: str, face: tuple[tuple[float, float], ...], height: float
) -> AssetInfo:
    """A slab on four legs."""
    xy = np.array(face)
    rings = [np.column_stack([xy, np.full(len(xy), z)]) for z in (height - 0.04, height)]
    slab = trimesh.convex.convex_hull(np.concatenate(rings))
    spread = np.abs(xy).max(axis=0) * 0.65
    legs = [trimesh.creation.box((0.05, 0.05, height - 0.04)) for _ in range(4)]
    for k, leg in enumerate(legs):
        leg.apply_translation([*(spread * ((-1) ** k, (-1) ** (k // 2))), (height - 0.04) / 2])
    (folder / name).mkdir()
    sums = [
        _glb(folder / name / f"{name}.glb", trimesh.util.concatenate([slab, *legs])),
        _parts(folder / name / f"{name}_parts.obj", [slab, *legs]),
    ]
    size = np.ptp(xy, axis=0)
    return AssetInfo(
        name=name,
        category="table",
        plural="tables",
        shape=name,
        use="furniture",
        factory="test",
        factory_seed=0,
        size=(float(size[0]), float(size[1]), height),
        mass=20.0,
        com=(0.0, 0.0, height / 2),
        inertia=(1.0, 1.0, 1.0, 0.0, 0.0, 0.0),
        colour="brown",
        colour_share=1.0,
        friction=0.8,
        top=Top(height=height, outline=face, thickness=0.04),
        triangles=len(slab.faces) + 48,
        visual=f"{name}/{name}.glb",
        visual_sha256=sums[0],
        collision=f"{name}/{name}_parts.obj",
        collision_sha256=sums[1],
        licence="",
        attribution="",
    )


def _glb(path: Path, mesh: trimesh.Trimesh) -> str:
    mesh = mesh.copy()
    mesh.unmerge_vertices()  # flat: each face has normals of its own
    data = textured(
        mesh, np.full((8, 8, 3), (150, 110, 70), np.uint8), np.full((len(mesh.vertices), 2), 0.5)
    )
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _parts(path: Path, parts: list[trimesh.Trimesh]) -> str:
    lines = []
    for k, part in enumerate(parts):
        lines.append(f"o part{k}")
        lines += [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in part.vertices.tolist()]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
