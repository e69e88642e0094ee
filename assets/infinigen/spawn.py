"""Spawn Infinigen assets: one raw mesh with one baked picture for each job that comes in.

Runs inside the builder's own environment (bpy, infinigen), started as a script by
`refergym.assets.builder`; nothing in the package imports it. Jobs come as JSON lines on standard
input, answers go as JSON lines to standard output:

    {"name", "factory", "seed", "folder", "longest": [least, most] m or null, "triangles",
     "attributes": {...} of the factory, "wrap": bool, "texture": px, "turn": [x, y, z] degrees}
    {"name", "error": null or text, "figures": {...}}

A job's folder gets mesh.npz (vertices [V, 3] m, uv [V, 2] from the texture's top left, faces
[F, 3]) and texture.png; z up, as the factory oriented it.
"""

import contextlib
import importlib
import math
import time
from pathlib import Path

import answers  # first: it takes standard output away from Blender
import bpy
import numpy as np
import offline

AREA_GUARD = (0.93, 1.07)
"""allowed change of a surface by decimation; collapse eats table tops, which are single n-gons"""
MOST_PIECES = 60
"""loose pieces up to which a mesh is decimated piece by piece"""
MOST_TIMES = 1.5
"""times the triangles asked for that are still accepted"""
VOXELS = 90
"""along the longest side of what is wrapped in a new surface"""
UNBAKEABLE = {
    "Glass", "GlassVolume", "ColoredGlass", "PlasticTranslucent", "BlackGlass", "Mirror",
}  # fmt: skip
"""materials without a diffuse colour: they bake black"""


def make_bakeable() -> None:
    """Take the materials that do not bake out of Infinigen's lists, and set up Cycles."""
    from infinigen.assets.composition import material_assignments
    from infinigen.assets.materials import ceramic, plastic

    plain = [(ceramic.Ceramic, 1.0), (plastic.PlasticRough, 1.0)]
    for value in vars(material_assignments).values():
        is_list = isinstance(value, list) and value and isinstance(value[0], tuple)
        if is_list and len(value[0]) == 2 and isinstance(value[0][0], type):
            value[:] = [t for t in value if t[0].__name__ not in UNBAKEABLE] or plain


def spawn(job: dict) -> dict:
    """Make one raw asset; returns figures."""
    from infinigen.core.util import blender as butil
    from infinigen.core.util.math import FixedSeed

    start = time.process_time()
    butil.clear_scene()
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", 1
    module, name = job["factory"].rsplit(".", 1)
    factory_class = getattr(importlib.import_module(module), name)
    with FixedSeed(job["seed"]):
        factory = factory_class(job["seed"])
        for attribute, value in job["attributes"].items():
            if not hasattr(factory, attribute):
                raise ValueError(f"{name} has no attribute {attribute!r}")
            setattr(factory, attribute, value)
        root = factory.spawn_asset(i=job["seed"])
        factory.finalize_assets(root)
    thing = _joined(root)
    raw = _triangles(thing)
    _turn(thing, job["turn"])
    factor = _rescale(thing, job["longest"])
    spawned = time.process_time()
    area, source = _surface(thing), None
    if job["wrap"]:
        thing, source = _wrapped(thing, job["triangles"])
    elif raw > job["triangles"]:
        thing, source = _decimated(thing, job["triangles"])
    kept = _surface(thing) / area
    decimated = time.process_time()
    folder = Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    texture = _baked(thing, source, folder, job["texture"])
    _write(thing, folder)
    return {
        "raw_triangles": raw,
        "triangles": _triangles(thing),
        "area_kept": round(kept, 4),
        "is_remeshed": source is not None,
        "scale": round(factor, 6),
        "texture": texture.name,
        "spawn_s": round(spawned - start, 2),
        "decimate_s": round(decimated - spawned, 2),
        "bake_s": round(time.process_time() - decimated, 2),
    }


def _joined(root):  # type: ignore[no-untyped-def]
    """One mesh object with modifiers and transforms applied."""
    from infinigen.core.util import blender as butil

    meshes = [
        o
        for o in [root, *root.children_recursive]
        if o.type == "MESH" and not o.name.endswith(".cutter")
    ]
    for o in meshes:
        o.hide_viewport = o.hide_render = False
        o.hide_set(False)
        if o.data.users > 1:
            o.data = o.data.copy()
        with butil.SelectObjects(o):
            for modifier in list(o.modifiers):
                with contextlib.suppress(RuntimeError):  # disabled ones cannot be applied
                    bpy.ops.object.modifier_apply(modifier=modifier.name)
    meshes = [o for o in meshes if len(o.data.polygons)]
    if not meshes:
        raise ValueError("the factory made no mesh")
    for o in meshes:
        world = o.matrix_world.copy()
        o.parent = None
        o.matrix_world = world
    bpy.context.view_layer.update()
    return _merge(meshes)


def _merge(meshes):  # type: ignore[no-untyped-def]
    bpy.ops.object.select_all(action="DESELECT")
    for o in meshes:
        o.select_set(True)
    bpy.context.view_layer.objects.active = meshes[0]
    if len(meshes) > 1:
        bpy.ops.object.join()
    thing = bpy.context.view_layer.objects.active
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    return thing


def _turn(thing, degrees) -> None:  # type: ignore[no-untyped-def]
    thing.rotation_euler = [math.radians(d) for d in degrees]
    bpy.ops.object.transform_apply(rotation=True)


def _rescale(thing, longest) -> float:  # type: ignore[no-untyped-def]
    """Bring the longest side into a believable range; returns the factor."""
    points = _points(thing)
    side = float(np.ptp(points, axis=0).max())
    if side <= 0 or not np.isfinite(points).all():
        raise ValueError("the factory made a mesh without extent")
    factor = 1.0 if longest is None else min(max(side, longest[0]), longest[1]) / side
    thing.scale = (factor,) * 3
    bpy.ops.object.transform_apply(scale=True)
    return factor


def _decimated(thing, target):  # type: ignore[no-untyped-def]
    """Collapse edges; where that fails, piece by piece; at last wrap it in a new surface.

    Returns the mesh, and the mesh that its picture is to be baked from where that is another.
    """
    from infinigen.core.util import blender as butil

    area, whole = _surface(thing), thing.data.copy()
    _modify(thing, "COLLAPSE", ratio=target / _triangles(thing))
    if _is_good(thing, area, target):
        return thing, None
    thing.data = whole.copy()
    with butil.SelectObjects(thing):
        pieces = butil.split_object(thing)
    total = sum(_triangles(p) for p in pieces)
    if len(pieces) <= MOST_PIECES:
        for piece in pieces:
            _decimate_piece(piece, max(60, target * _triangles(piece) / total))
    thing = _merge(pieces)
    if _is_good(thing, area, target):
        return thing, None
    thing.data = whole
    return _wrapped(thing, target)


def _wrapped(thing, target):  # type: ignore[no-untyped-def]
    """Wrap a mesh in a new surface; returns that and the mesh."""
    source = thing.copy()
    source.data = thing.data.copy()
    bpy.context.scene.collection.objects.link(source)
    remesh = thing.modifiers.new("remesh", "REMESH")
    remesh.mode, remesh.use_smooth_shade = "VOXEL", True
    remesh.voxel_size = float(np.ptp(_points(thing), axis=0).max()) / VOXELS
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.modifier_apply(modifier="remesh")
    if _triangles(thing) == 0:
        raise ValueError("nothing is left of the mesh after remeshing: it has no volume")
    if _triangles(thing) > target:
        _modify(thing, "COLLAPSE", ratio=target / _triangles(thing))
    if _triangles(thing) > MOST_TIMES * target:
        raise ValueError(f"decimation leaves {_triangles(thing)} triangles, wanted {target}")
    return thing, source


def _is_good(thing, area, target) -> bool:  # type: ignore[no-untyped-def]
    low, high = AREA_GUARD
    return low < _surface(thing) / area < high and _triangles(thing) <= MOST_TIMES * target


def _decimate_piece(piece, target) -> None:  # type: ignore[no-untyped-def]
    count, area = _triangles(piece), _surface(piece)
    if count <= 60 or area <= 0:
        return
    low, high = AREA_GUARD
    whole = piece.data.copy()
    _modify(piece, "COLLAPSE", ratio=min(1.0, target / count))
    if not low < _surface(piece) / area < high:
        piece.data = whole
        _modify(piece, "DISSOLVE", angle=math.radians(10))


def _modify(thing, kind, ratio=1.0, angle=0.0) -> None:  # type: ignore[no-untyped-def]
    bpy.context.view_layer.objects.active = thing
    modifier = thing.modifiers.new("decimate", "DECIMATE")
    modifier.decimate_type = kind
    if kind == "COLLAPSE":
        modifier.ratio = ratio
    else:
        modifier.angle_limit = angle
    bpy.ops.object.modifier_apply(modifier="decimate")
    if kind != "COLLAPSE":
        thing.modifiers.new("triangles", "TRIANGULATE")
        bpy.ops.object.modifier_apply(modifier="triangles")


def _baked(thing, source, folder, size) -> Path:  # type: ignore[no-untyped-def]
    """Bake the diffuse colour of all materials into one picture over new UVs."""
    from infinigen.core.util import blender as butil
    from infinigen.tools import export

    thing.data.uv_layers.new(name="ExportUV")
    thing.data.uv_layers["ExportUV"].active = True
    with butil.SelectObjects(thing):
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(angle_limit=1.15, island_margin=0.004)
        bpy.ops.object.mode_set(mode="OBJECT")
    painted = source or thing
    with butil.SelectObjects(painted):
        for slot in painted.material_slots:
            if slot.material:
                slot.material = export.deep_copy_material(slot.material)
        export.process_glass_materials(painted, False)
        for slot in painted.material_slots:
            if slot.material and slot.material.use_nodes:
                _opaque(slot.material.node_tree)
        export.process_interfering_params(painted)
        if source is None:
            export.bake_pass(thing, folder, size, "DIFFUSE", False, "baked")
    path = folder / "texture.png"
    if source is None:
        (folder / "baked_DIFFUSE.png").replace(path)
    else:
        _bake_from(source, thing, path, size)
    return path


def _bake_from(source, thing, path, size) -> None:  # type: ignore[no-untyped-def]
    """Bake another mesh's colours onto a mesh that wraps it."""
    image = bpy.data.images.new("baked", size, size)
    material = bpy.data.materials.new("baked")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    node = nodes.new("ShaderNodeTexImage")
    node.image, nodes.active = image, node
    thing.data.materials.clear()
    thing.data.materials.append(material)
    bpy.ops.object.select_all(action="DESELECT")
    source.hide_render = thing.hide_render = False
    source.select_set(True)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    reach = 0.05 * float(np.ptp(_points(thing), axis=0).max())
    bpy.ops.object.bake(
        type="DIFFUSE",
        pass_filter={"COLOR"},
        use_selected_to_active=True,
        cage_extrusion=reach,
        max_ray_distance=4 * reach,
    )
    image.filepath_raw = str(path)
    image.file_format = "PNG"
    image.save()


def _opaque(tree) -> None:  # type: ignore[no-untyped-def]
    """Transmission takes the diffuse colour away."""
    for node in tree.nodes:
        if node.type == "GROUP":
            _opaque(node.node_tree)
        if node.type == "BSDF_PRINCIPLED":
            weight = node.inputs["Transmission Weight"]
            for link in list(weight.links):
                tree.links.remove(link)
            weight.default_value = 0


def _write(thing, folder) -> None:  # type: ignore[no-untyped-def]
    mesh = thing.data
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners, loops = np.empty(count * 3, np.int32), np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    mesh.loop_triangles.foreach_get("loops", loops)
    uv = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers["ExportUV"].data.foreach_get("uv", uv)
    uv = uv.reshape(-1, 2)[loops]
    uv[:, 1] = 1 - uv[:, 1]
    table = np.concatenate([_points(thing)[corners], uv], axis=1)
    unique, faces = np.unique(np.round(table, 7), axis=0, return_inverse=True)
    np.savez_compressed(
        folder / "mesh.npz",
        vertices=unique[:, :3],
        uv=unique[:, 3:],
        faces=faces.reshape(-1, 3).astype(np.int32),
    )


def _points(thing):  # type: ignore[no-untyped-def]
    points = np.empty(len(thing.data.vertices) * 3, np.float64)
    thing.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def _triangles(thing) -> int:  # type: ignore[no-untyped-def]
    thing.data.calc_loop_triangles()
    return len(thing.data.loop_triangles)


def _surface(thing) -> float:  # type: ignore[no-untyped-def]
    mesh = thing.data
    mesh.calc_loop_triangles()
    faces = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    t = _points(thing)[faces.reshape(-1, 3)]
    return float(np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum() / 2)


def main() -> None:
    """Answer jobs until standard input ends."""
    offline.prepare()
    make_bakeable()
    answers.serve(lambda job: {"figures": spawn(job)})


if __name__ == "__main__":
    main()
