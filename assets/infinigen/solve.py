"""Solve table tops with Infinigen's Indoors solver: a room, a table in it, things on the table.

Runs inside the builder's own environment (bpy, infinigen), started as a script by
`refergym.assets.builder`; nothing in the package imports it. The things are assets of a pack: the
solver sees each as the upright prism over its outline, so that what it leaves is exactly where the
asset stands. Jobs come as JSON lines on standard input, answers go as JSON lines to standard
output:

    {"name", "kind", "room", "seed", "steps", "tables": [thing...], "against_wall": bool,
     "items": {category: {"count": [least, most], "things": [thing...]}}}
    thing: {"name", "outline": [[x, y]...] m counter-clockwise, "height": m}
    {"name", "error": null or text, "scene": {...} without version, "figures": {...}}

The problem is ours; the room layout, the moves and the annealing are Infinigen's.
"""

import math
import time
from collections import OrderedDict

import answers  # first: it takes standard output away from Blender
import bpy
import mathutils
import numpy as np
import offline
import shapely

TABLE_STEPS = 15
GAP = 0.002
"""m, by which prisms are wider than the things, so that none touch"""


def solve(job: dict) -> dict:
    """Solve one scene; returns it as a dictionary, with figures."""
    from infinigen.core import init
    from infinigen.core.constraints import checks
    from infinigen.core.constraints.example_solver import greedy
    from infinigen.core.constraints.example_solver.moves import addition
    from infinigen.core.constraints.example_solver.solve import Solver
    from infinigen.core.tags import Semantics
    from infinigen.core.util import blender as butil
    from infinigen_examples import generate_indoors
    from infinigen_examples.constraints import home
    from infinigen_examples.util.generate_indoors_util import restrict_solving

    start = time.process_time()
    butil.clear_scene()
    addition.GLOBAL_GENERATOR_SINGLETON_CACHE.clear()
    seed = init.apply_scene_seed(str(job["seed"]))
    tables = [_factory("Table", job["tables"])]
    items = {c: _factory(c, spec["things"]) for c, spec in job["items"].items()}
    problem = _problem(job, tables[0], items)
    rooms = home.home_room_constraints()
    stages = generate_indoors.default_greedy_stages()
    checks.check_all(problem, stages, generate_indoors.all_vars)
    stages, problem, limits = restrict_solving(
        stages,
        problem,
        restrict_parent_rooms={Semantics(job["room"])},
        solve_max_rooms=1,
    )
    solver = Solver(output_folder=None)
    state = solver.solve_rooms(seed, rooms, stages["rooms"])
    rooms_done = time.process_time()

    def stage(name: str, steps: int, **options) -> None:  # type: ignore[no-untyped-def]
        chosen = greedy.iterate_assignments(stages[name], state, generate_indoors.all_vars, limits)
        for k, assignment in enumerate(chosen):
            solver.solve_objects(
                problem, stages[name], assignment, n_steps=steps, desc=f"{name}_{k}", **options
            )

    stage("on_floor_and_wall" if job["against_wall"] else "on_floor_freestanding", TABLE_STEPS)
    stage("obj_ontop_obj", job["steps"], addition_weight_scalar=3)
    scene = _scene(job, state)
    return {
        "scene": scene,
        "figures": {
            "rooms_s": round(rooms_done - start, 1),
            "things_s": round(time.process_time() - rooms_done, 1),
            "items": len(scene["items"]),
        },
    }


def _factory(category: str, things: list[dict]) -> type:
    """Make an Infinigen factory whose assets are prisms over the outlines of a pack's assets."""
    from infinigen.core.placement.factory import AssetFactory

    class Prism(AssetFactory):
        def __init__(self, factory_seed, coarse=False) -> None:  # type: ignore[no-untyped-def]
            super().__init__(factory_seed, coarse)
            self.thing = things[factory_seed % len(things)]

        def create_placeholder(self, **_):  # type: ignore[no-untyped-def]
            return _prism(self.thing["outline"], self.thing["height"])

        create_asset = create_placeholder

    Prism.__name__ = Prism.__qualname__ = f"{category.title().replace(' ', '')}Prism"
    return Prism


def _prism(outline, height):  # type: ignore[no-untyped-def]
    wide = shapely.Polygon(outline).buffer(GAP, join_style="mitre")
    corners = shapely.get_coordinates(shapely.geometry.polygon.orient(wide))[:-1]
    n = len(corners)
    vertices = [(x, y, z) for z in (0.0, height) for x, y in corners.tolist()]
    sides = [(k, (k + 1) % n, n + (k + 1) % n, n + k) for k in range(n)]
    faces = [tuple(reversed(range(n))), tuple(range(n, 2 * n)), *sides]
    mesh = bpy.data.meshes.new("prism")
    mesh.from_pydata(vertices, [], faces)
    mesh.update()
    thing = bpy.data.objects.new("prism", mesh)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    return thing


def _problem(job: dict, table: type, items: dict[str, type]):  # type: ignore[no-untyped-def]
    """One table in the room, and so many things of each category on it, rather more than fewer."""
    from infinigen.core.constraints import constraint_language as cl
    from infinigen.core.constraints import usage_lookup
    from infinigen.core.tags import Semantics
    from infinigen_examples.constraints import util as cu

    usage_lookup.initialize_from_dict(
        {
            Semantics.Object: {table, *items.values()},
            Semantics.Furniture: {table},
            Semantics.Table: {table},
            Semantics.HandheldItem: set(items.values()),
            Semantics.RealPlaceholder: {table, *items.values()},
            Semantics.AssetAsPlaceholder: set(),
            Semantics.AssetPlaceholderForChildren: set(),
            Semantics.PlaceholderBBox: set(),
            Semantics.SingleGenerator: set(),
            Semantics.NoRotation: set(),
            Semantics.NoCollision: set(),
            Semantics.NoChildren: set(items.values()),
            Semantics.OversizePlaceholder: set(),
        }
    )
    rooms = cl.scene()[{Semantics.Room, -Semantics.Object}]
    objects = cl.scene()[{Semantics.Object, -Semantics.Room}]
    room = rooms[Semantics(job["room"])].excludes(cu.room_types)
    tables = objects[Semantics.Furniture].related_to(rooms, cu.on_floor)
    if job["against_wall"]:
        tables = tables.related_to(rooms, cu.against_wall)
    tables = tables[Semantics.Table][table]
    things = objects[Semantics.HandheldItem]
    constraints, scores = OrderedDict(), OrderedDict()
    constraints["table"] = room.all(lambda r: tables.related_to(r).count().equals(1))
    if not job["against_wall"]:
        scores["table"] = room.mean(
            lambda r: tables.related_to(r).distance(r, cu.walltags).maximize(weight=10)
        )
    for category, factory in items.items():
        least, most = job["items"][category]["count"]
        some = things[factory]
        constraints[category] = room.all(
            lambda r, some=some, least=least, most=most: tables.related_to(r).all(
                lambda t: some.related_to(t, cu.ontop).count().in_range(least, most)
            )
        )
    scores["count"] = room.mean(
        lambda r: tables.related_to(r).mean(
            lambda t: things.related_to(t, cu.ontop).count().maximize(weight=2)
        )
    )
    return cl.Problem(constraints=constraints, score_terms=scores)


def _scene(job: dict, state) -> dict:  # type: ignore[no-untyped-def]
    bpy.context.view_layer.update()
    keys = [k for k, o in state.objs.items() if o.generator is not None]
    table = next((k for k in keys if type(state[k].generator).__name__ == "TablePrism"), None)
    if table is None:
        raise ValueError("the solver found no place for the table")
    on_table = [k for k in keys if k != table and _parent(state, k) == table]
    if not on_table:
        raise ValueError("the solver put nothing on the table")
    room = _parent(state, table)
    floor_z = float(_bounds(state[table].obj)[0, 2])
    # The solver aligns faces to a fraction of a degree. Upright, each keeps its place on the table.
    real = state[table].obj.matrix_world
    upright = mathutils.Matrix.Translation((real.translation.x, real.translation.y, 0.0))
    upright @= mathutils.Matrix.Rotation(real.to_euler().z, 4, "Z")
    level = upright @ real.inverted()
    height = state[table].generator.thing["height"]
    return {
        "name": job["name"],
        "kind": job["kind"],
        "solver": "infinigen 1.15.5",
        "seed": job["seed"],
        "table": state[table].generator.thing["name"],
        "table_pose": _pose(upright, 0.0),
        "items": [
            {
                "asset": state[k].generator.thing["name"],
                "pose": _pose(level @ state[k].obj.matrix_world, height),
                "on": -1,
            }
            for k in sorted(on_table)
        ],
        "room": _room(job, state, room, floor_z),
    }


def _parent(state, key: str) -> str | None:  # type: ignore[no-untyped-def]
    return state[key].relations[0].target_name if state[key].relations else None


def _pose(matrix, z: float) -> dict:  # type: ignore[no-untyped-def]
    """The pose of an upright thing that stands at height z."""
    half = matrix.to_euler().z / 2
    w, turn = math.cos(half), math.sin(half)
    if w < 0:
        w, turn = -w, -turn
    return {
        "position": [round(matrix.translation.x, 6), round(matrix.translation.y, 6), z],
        "orientation": [round(w, 8), 0.0, 0.0, round(turn, 8)],
    }


def _bounds(thing):  # type: ignore[no-untyped-def]
    corners = np.array([thing.matrix_world @ v.co for v in thing.data.vertices])
    return np.stack([corners.min(0), corners.max(0)])


def _room(job: dict, state, key: str, floor_z: float) -> dict:  # type: ignore[no-untyped-def]
    from infinigen.core.tags import Semantics

    entry = state[key]
    box = _bounds(entry.obj)
    polygon = shapely.geometry.polygon.orient(entry.polygon.simplify(0.01))
    floor = shapely.get_coordinates(polygon.exterior)[:-1]
    openings = {Semantics.Window: [], Semantics.Door: [], Semantics.Entrance: []}
    for other in state.objs.values():
        kinds = [k for k in openings if k in other.tags]
        if kinds and Semantics.Cutter in other.tags and _cuts(other, key):
            found = _opening(_bounds(other.obj), floor, floor_z)
            if found is not None:
                openings[kinds[0]].append(found)
    return {
        "kind": job["room"].replace("-", " "),
        "floor": [[round(float(x), 4), round(float(y), 4)] for x, y in floor],
        "height": round(float(box[1, 2] - floor_z), 4),
        "windows": openings[Semantics.Window],
        "doors": openings[Semantics.Door] + openings[Semantics.Entrance],
    }


def _cuts(cutter, room: str) -> bool:  # type: ignore[no-untyped-def]
    return any(r.target_name == room for r in cutter.relations)


def _opening(box, floor, floor_z: float) -> dict | None:  # type: ignore[no-untyped-def]
    """The rectangle that a cutter's box [2, 3] leaves in the nearest wall."""
    middle = box.mean(0)[:2]
    ends = np.roll(floor, -1, axis=0)
    walls = [shapely.LineString([a, b]) for a, b in zip(floor, ends, strict=True)]
    wall = int(np.argmin([w.distance(shapely.Point(middle)) for w in walls]))
    along = ends[wall] - floor[wall]
    length = float(np.linalg.norm(along))
    along = along / length
    corners = np.array([[x, y] for x in box[:, 0] for y in box[:, 1]])
    s = (corners - floor[wall]) @ along
    low, high = max(float(s.min()), 0.05), min(float(s.max()), length - 0.05)
    bottom, top = max(float(box[0, 2]) - floor_z, 0.0), float(box[1, 2]) - floor_z
    if high - low < 0.2 or top - bottom < 0.2:
        return None
    x, y = floor[wall] + along * (low + high) / 2
    return {
        "wall": wall,
        "centre": [round(float(v), 4) for v in (x, y, (bottom + top) / 2)],
        "size": [round(high - low, 4), round(top - bottom, 4)],
    }


def main() -> None:
    """Answer jobs until standard input ends."""
    offline.import_examples()
    offline.prepare("fast_solve", "singleroom")
    answers.serve(solve)


if __name__ == "__main__":
    main()
