"""One USD file for each asset of a pack, usable alone: geometry, texture, hulls, mass, labels.

/NAME            rigid body at scale 1, semantic label `class`
/geometry      scaled by a scene
/visual      the textured mesh
/collision   a mesh for each convex part, not drawn
/looks         surface (what it looks like), contact (friction)
"""

from pathlib import Path

import numpy as np
from PIL import Image

from refergym.assets import records
from refergym.assets.identifiers import identifier
from refergym.assets.inertia import ROLLING_FRICTION, SPINNING_FRICTION, dynamics
from refergym.assets.library import Pack
from refergym.assets.spec import Pose
from refergym.assets.usd import bodies, cache, looks, shapes
from refergym.assets.usd.pixar import Kind, Sdf, Usd, UsdGeom, UsdPhysics

VERSION = 1
"""of the files' form; another one makes them anew"""
_HERE = Pose(position=(0.0, 0.0, 0.0))


def add_asset(pack: Pack, name: str, folder: Path, cached: Path) -> str:
    """Put an asset's files into a folder, made once and kept in a cache.

    Args:
        pack: where the asset is.
        name: of the asset.
        folder: of this asset alone; made if it is not there.
        cached: folder of the cache.

    Returns:
        The name of the USD file: "mug_000.usdc".

    Raises:
        PackError: if the asset is not in the pack, or damaged.
        OSError: if a folder cannot be written.
    """
    key = cache.key(["asset", VERSION, records.digest(pack[name])])
    cache.copy(cache.entry(cached, key, lambda part: write_asset(pack, name, part)), folder)
    return f"{identifier(name)}.usdc"


def write_asset(pack: Pack, name: str, folder: Path) -> Path:
    """Write NAME.usdc and NAME.png into a folder; returns the former; raises as `add_asset`."""
    info, visual, parts = pack[name], pack.mesh(name), pack.hulls(name)
    file = identifier(name)
    Image.fromarray(np.asarray(visual.texture)).save(folder / f"{file}.png", compress_level=4)
    path = folder / f"{file}.usdc"
    stage = new_stage(path)
    root = UsdGeom.Xform.Define(stage, f"/{file}").GetPrim()
    stage.SetDefaultPrim(root)
    stage.GetRootLayer().comment = f"{info.licence}. {info.attribution}"
    Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
    shapes.label(root, **{"class": info.category})
    moves = dynamics(info)
    if info.top is None:  # furniture stands still
        bodies.rigid(root, moves)
    looks_at = UsdGeom.Scope.Define(stage, f"/{file}/looks").GetPath().pathString
    surface = looks.preview(
        stage, f"{looks_at}/surface", (1, 1, 1), texture=f"./{file}.png", wrap="clamp"
    )
    contact = looks.touch(
        stage,
        f"{looks_at}/contact",
        moves.friction,
        spinning=SPINNING_FRICTION,
        rolling=ROLLING_FRICTION,
    )
    geometry = UsdGeom.Xform.Define(stage, f"/{file}/geometry")
    shapes.place(geometry.GetPrim(), _HERE, 1.0)
    drawn = shapes.mesh(
        stage,
        f"/{file}/geometry/visual",
        visual.vertices,
        visual.faces,
        normals=visual.normals,
        st=np.column_stack([visual.uv[:, 0], 1 - visual.uv[:, 1]]),
    )
    drawn.CreateDoubleSidedAttr(True)
    looks.bind(drawn.GetPrim(), surface)
    solid = UsdGeom.Xform.Define(stage, f"/{file}/geometry/collision").GetPath()
    for k, points in enumerate(parts):
        shapes.hull(stage, f"{solid}/part_{k}", points, contact)
    stage.GetRootLayer().Save()
    return path


def new_stage(path: Path) -> Usd.Stage:
    """Make a stage in metres and kilograms, z up."""
    stage = Usd.Stage.Open(new_layer(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    return stage


def new_layer(path: Path) -> Sdf.Layer:
    """Make an empty layer in place of a file, and of what this process has open of it."""
    opened = Sdf.Layer.Find(str(path))
    if opened:
        opened.Clear()
        return opened
    path.unlink(missing_ok=True)
    return Sdf.Layer.CreateNew(str(path))
