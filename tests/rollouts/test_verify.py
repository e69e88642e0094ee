"""Files of tasks proved again: what was made holds, and every planted fault is named."""

import copy
import gzip
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.spec import SceneSpec
from refergym.rollouts import cli, generate, taskfile
from refergym.rollouts.errors import OutputError

QUICK = ["renderer.shadows=false", "renderer.antialias=none", "workers=0", "pictures=false"]
WEIGHTS = "task.weights={point_at_object: 2, point_at_free_space: 1, pick: 1, pick_place: 2}"
Raw = dict[str, Any]
"""an entry as plain data"""
Plant = Callable[[Raw, list[Raw]], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of pointing and moving tasks."""
    out = tmp_path_factory.mktemp("verify") / "made"
    mixed = ["task=mixed", WEIGHTS, "steps=[2,3]", "per_scene=3", "count=14", "seed=10"]
    generate.generate([*QUICK, *mixed, f"out={out}"])
    return out


@pytest.fixture(scope="module")
def entries(made: Path) -> list[Raw]:
    return [json.loads(line) for line in (made / taskfile.FILE).read_bytes().splitlines()]


def verified(path: Path, *words: str) -> tuple[int, Raw]:
    """Exit status and report."""
    status = cli.main(
        ["generate", "verify=true", f"tasks={path}", "renderer.shadows=false", *words]
    )
    folder = path if path.is_dir() else path.parent
    return status, json.loads((folder / "verified.json").read_text())


def test_what_was_made_holds(made: Path, entries: list[Raw]) -> None:
    kinds = {e["start"]["task"]["kind"] for e in entries}
    assert kinds == {"point_at_object", "point_at_free_space", "pick", "pick_place"}
    assert verified(made) == (0, {"tasks": 14, "good": 14, "failures": {}})


def with_scene(raw: Raw) -> None:
    """Let the task name its scene as it now is."""
    scene = records.convert(raw["start"]["scene"], SceneSpec)
    raw["start"]["task"]["scene"] = scene.digest


def task_of(raw: Raw) -> Raw:
    task: Raw = raw["start"]["task"]
    return task


def others_of(raw: Raw) -> list[str]:
    """Ids of objects that the task names nowhere."""
    named = {name for bound in task_of(raw)["bound"] for name in bound["objects"]}
    return [o["id"] for o in raw["start"]["scene"]["objects"] if o["id"] not in named]


def places(raw: Raw) -> list[Raw]:
    """Settled poses, in the objects' order."""
    poses: list[Raw] = raw["start"]["scene"]["settled"]["kinematic"]
    return poses


def index_of(raw: Raw, name: str) -> int:
    return [o["id"] for o in raw["start"]["scene"]["objects"]].index(name)


def category(raw: Raw, name: str) -> str:
    return open_pack()[raw["start"]["scene"]["objects"][index_of(raw, name)]["asset"]].category


def set_to(path: str, change: Callable[[Any], Any]) -> Plant:
    """Change one field of a task."""

    def plant(raw: Raw, _: list[Raw]) -> None:
        *keys, last = path.split(".")
        node = task_of(raw)
        for key in keys:
            node = node[key]
        node[last] = change(node[last])

    return plant


def asks_for_another(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["goal"]["object"] = others_of(raw)[0]


def asks_for_an_anchor(raw: Raw, _: list[Raw]) -> None:
    goal = task_of(raw)["goal"]
    bound = [b["objects"][0] for b in task_of(raw)["bound"]]
    goal["object"] = next(b for b in bound if b != goal["object"])


def binds_another(raw: Raw, _: list[Raw]) -> None:
    other = others_of(raw)[0]
    task_of(raw)["goal"]["object"] = task_of(raw)["bound"][0]["objects"][0] = other


def binds_another_anchor(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["bound"][-1]["objects"][0] = others_of(raw)[0]


def names_what_is_not_there(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["goal"]["object"] = "unicorn_0"


def moved_area(raw: Raw, x: float, y: float) -> None:
    area = task_of(raw)["goal"]["area"]
    area["ring"] = [[a + x, b + y] for a, b in area["ring"]]
    area["goal"] = [area["goal"][0] + x, area["goal"][1] + y, area["goal"][2]]


def area_15_cm_away(raw: Raw, _: list[Raw]) -> None:
    moved_area(raw, 0.0, 0.15)


def area_on_an_object(raw: Raw, _: list[Raw]) -> None:
    x, y, _ = places(raw)[index_of(raw, others_of(raw)[0])]["position"]
    goal = task_of(raw)["goal"]["area"]["goal"]
    moved_area(raw, x - goal[0], y - goal[1])


def best_point_elsewhere(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["goal"]["area"]["goal"][1] += 0.6


def of_the_same_scene(raw: Raw, entries: list[Raw]) -> Raw:
    task = task_of(raw)
    return next(
        task_of(e) for e in entries
        if task_of(e)["scene"] == task["scene"] and task_of(e)["program"] != task["program"]
    )  # fmt: skip


def program_of_another(raw: Raw, entries: list[Raw]) -> None:
    task_of(raw)["program"] = of_the_same_scene(raw, entries)["program"]


def words_of_another(raw: Raw, entries: list[Raw]) -> None:
    task_of(raw)["instruction"] = of_the_same_scene(raw, entries)["instruction"]


def program_and_words_of_another(raw: Raw, entries: list[Raw]) -> None:
    other = of_the_same_scene(raw, entries)
    task_of(raw).update({key: other[key] for key in ("program", "instruction")})
    raw["steps"] = next(e["steps"] for e in entries if task_of(e)["program"] == other["program"])


def plainly(raw: Raw, kind: str) -> None:
    """Ask for the task's object by its category alone."""
    task = task_of(raw)
    task["program"] = {"op": "select", "category": kind}
    verb = "Pick up" if task["kind"] == "pick" else "Point at"
    task["instruction"] = f"{verb} the {kind}."
    task["bound"] = [{"path": "", "objects": [task["goal"]["object"]]}]
    task["frame"] = "viewer"
    task["certificate"] |= {"anchor_pixels": [], "margin": None}
    raw["steps"] = 1


def two_that_fit(raw: Raw, _: list[Raw]) -> None:
    objects = raw["start"]["scene"]["objects"]
    kinds = [category(raw, o["id"]) for o in objects]
    k = next(k for k, kind in enumerate(kinds) if kinds.count(kind) > 1)
    task_of(raw)["goal"]["object"] = objects[k]["id"]
    plainly(raw, kinds[k])


def anchor_out_of_sight(raw: Raw, _: list[Raw]) -> None:
    anchor = task_of(raw)["bound"][-1]["objects"][0]
    places(raw)[index_of(raw, anchor)]["position"][0] -= 5.0
    with_scene(raw)


def place_blocked(raw: Raw, _: list[Raw]) -> None:
    pose = places(raw)[index_of(raw, others_of(raw)[0])]
    pose["position"][:2] = task_of(raw)["goal"]["area"]["goal"][:2]
    with_scene(raw)


def out_of_reach(raw: Raw, _: list[Raw]) -> None:
    target = task_of(raw)["goal"]["object"]
    objects = raw["start"]["scene"]["objects"]
    kind = category(raw, target)
    for k in reversed(range(len(objects))):
        if objects[k]["id"] != target:
            del objects[k], places(raw)[k]
    places(raw)[0]["position"][:2] = [0.86, 0.08]
    with_scene(raw)
    plainly(raw, kind)


def of_another_pack(raw: Raw, _: list[Raw]) -> None:
    raw["start"]["scene"]["pack"] = "0" * 64
    with_scene(raw)


def with_no_such_asset(raw: Raw, _: list[Raw]) -> None:
    raw["start"]["scene"]["objects"][0]["asset"] = "unicorn_001"
    with_scene(raw)


def juggling(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["kind"] = "juggle"


def a_kind_of_other_goals(raw: Raw, _: list[Raw]) -> None:
    task_of(raw)["kind"] = "pick_place"


def miscounted(raw: Raw, _: list[Raw]) -> None:
    raw["steps"] += 1


def crossing_itself(raw: Raw, _: list[Raw]) -> None:
    area = task_of(raw)["goal"]["area"]
    area["ring"] = area["ring"][::2] + area["ring"][1::2]


def proof_of_another_end(proof: Raw) -> Raw:
    return {**proof, "end": "0" * 64}


def proof_of_another_start(proof: Raw) -> Raw:
    return {**proof, "start": "0" * 64}


def proof_that_misses(proof: Raw) -> Raw:
    return {**proof, "points": [[0.99, 0.01] for _ in proof["points"]]}


OBJECT, SPACE, PICK, PUT = "point_at_object", "point_at_free_space", "pick", "pick_place"
FAULTS: dict[str, tuple[str, Plant, str]] = {
    "object": (OBJECT, asks_for_another, "goal: about "),
    "anchor": (OBJECT, asks_for_an_anchor, "goal: about "),
    "anchor to put": (PUT, asks_for_an_anchor, "goal: about "),
    "bound": (OBJECT, binds_another, "the description: means "),
    "bound anchor": (OBJECT, binds_another_anchor, ": means "),
    "unicorn": (PUT, names_what_is_not_there, "no 'unicorn_0' in the scene"),
    "area": (SPACE, area_15_cm_away, "the area is not where the words say"),
    "area to put": (PUT, area_15_cm_away, "the area is not where the words say"),
    "taken": (SPACE, area_on_an_object, "the place is taken or off the table"),
    "best point": (PUT, best_point_elsewhere, "its best point is not where the words say"),
    "crossing": (SPACE, crossing_itself, "goal.area: no polygon"),
    "height": (PUT, set_to("goal.area.height", lambda z: z + 0.5), "at another height"),
    "anchors": (PUT, set_to("goal.anchors", lambda a: ["x", *a]), "goal.anchors: x"),
    "where anchors stood": (
        PUT, set_to("goal.anchors_xy", lambda a: [[x, y + 0.1] for x, y in a]), "goal.anchors_xy",
    ),
    "relation": (PUT, set_to("goal.relation", lambda _: "onto"), "goal.relation: onto"),
    "tolerance": (PUT, set_to("goal.tolerance", lambda t: 2 * t), "goal.tolerance: 0.1"),
    "subgoals": (PUT, set_to("subgoals", lambda _: ["hold"]), "task.subgoals: hold, the goal has"),
    "target_pixels": (OBJECT, set_to("certificate.target_pixels", lambda n: 2 * n), "says"),
    "anchor_pixels": (
        OBJECT, set_to("certificate.anchor_pixels", lambda n: n[1:]), "certificate.anchor_pixels",
    ),
    "area_pixels": (SPACE, set_to("certificate.area_pixels", lambda n: n + 100), "area_pixels"),
    "objects": (OBJECT, set_to("certificate.objects", lambda n: n + 1), "certificate.objects"),
    "distractors": (
        SPACE, set_to("certificate.distractors", lambda n: n + 1), "certificate.distractors",
    ),
    "margin": (OBJECT, set_to("certificate.margin", lambda m: (m or 1) * 1.1), "margin: says"),
    "chance": (PUT, set_to("certificate.chance", lambda p: 1.2 * p), "certificate.chance"),
    "center": (SPACE, set_to("certificate.center", lambda c: not c), "certificate.center"),
    "backend": (PICK, set_to("certificate.backend", lambda _: "dreamt"), "'dreamt', for which"),
    "proof start": (PUT, set_to("certificate.proof", proof_of_another_start), "proof.start"),
    "proof end": (PUT, set_to("certificate.proof", proof_of_another_end), "another state"),
    "proof points": (PICK, set_to("certificate.proof", proof_that_misses), "do not solve"),
    "program": (OBJECT, program_of_another, "does not say the program"),
    "words": (OBJECT, words_of_another, "does not say the program"),
    "program and words": (SPACE, program_and_words_of_another, "not where|words (name|mean)"),
    "two fit": (OBJECT, two_that_fit, r"the description: \d objects fit, expected one"),
    "hidden": (OBJECT, anchor_out_of_sight, "the description: "),
    "blocked": (PUT, place_blocked, "the place is taken"),
    "out of reach": (PICK, out_of_reach, "fails in kinematic: "),
    "pack": (OBJECT, of_another_pack, "scene.pack: of another asset pack, 000"),
    "asset": (PUT, with_no_such_asset, "unicorn_001"),
    "kind": (OBJECT, juggling, "task: no choice 'juggle'"),
    "other kind": (PICK, a_kind_of_other_goals, "task.kind: pick_place has no HoldGoal"),
    "steps": (SPACE, miscounted, "steps: says"),
}  # fmt: skip


@pytest.fixture(scope="module")
def failures(
    entries: list[Raw], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Sequence[str]]:
    """What fails in a file that holds each fault once, beside all the tasks that hold."""
    planted = []
    for name, (kind, plant, _) in FAULTS.items():
        whole = [e for e in entries if task_of(e)["kind"] == kind]
        # a fault with other words needs a second task of its scene; one of anchors needs anchors
        raw = copy.deepcopy(max(whole, key=lambda e: suits(e, entries)))
        plant(raw, entries)
        planted.append({**raw, "id": name})
    out = tmp_path_factory.mktemp("planted")
    lines = b"".join(json.dumps(e).encode() + b"\n" for e in [*entries, *planted])
    (out / taskfile.FILE).write_bytes(lines)
    status, report = verified(out)
    assert status == 1
    assert report["tasks"] == len(entries) + len(FAULTS)
    assert report["good"] == report["tasks"] - len(report["failures"])
    found: dict[str, Sequence[str]] = report["failures"]
    return found


def suits(raw: Raw, entries: list[Raw]) -> tuple[bool, bool, int]:
    task = task_of(raw)
    kinds = [category(raw, o["id"]) for o in raw["start"]["scene"]["objects"]]
    is_shared = sum(task_of(e)["scene"] == task["scene"] for e in entries) > 1
    is_on_table = task["goal"].get("relation", "table") == "table"
    has_anchors = bool(task["certificate"]["anchor_pixels"] and task["goal"].get("anchors", [1]))
    return is_on_table and has_anchors, is_shared, len(kinds)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name: str, failures: dict[str, Sequence[str]]) -> None:

    reasons = failures.get(name, [])
    assert any(re.search(FAULTS[name][2], reason) for reason in reasons), reasons


def test_nothing_else_fails(failures: dict[str, Sequence[str]]) -> None:
    assert set(failures) == set(FAULTS)


def test_what_cannot_be_read_is_named_by_its_line(entries: list[Raw], tmp_path: Path) -> None:
    whole = [json.dumps(e).encode() + b"\n" for e in entries[:5]]
    older, foreign = copy.deepcopy(entries[1]), copy.deepcopy(entries[2])
    older["version"] = 1
    task_of(foreign)["scene"] = "0" * 64
    again = json.dumps(entries[0]).encode() + b"\n"
    cut = whole[3][:200] + b"\n"
    bad = [json.dumps(raw).encode() + b"\n" for raw in (older, foreign)]
    (tmp_path / taskfile.FILE).write_bytes(b"".join([whole[0], *bad, cut, again, whole[4][:-9]]))
    status, report = verified(tmp_path / taskfile.FILE)
    reasons = {name: reason for name, (reason,) in report["failures"].items()}
    assert (status, report["tasks"], report["good"]) == (1, 6, 1)
    assert list(reasons) == [f"line {k}" for k in (2, 3, 4, 5, 6)]
    assert reasons["line 2"] == "version: expected 2, got 1"
    assert reasons["line 3"].startswith("task.scene: expected")
    assert "not valid JSON" in reasons["line 4"]
    assert reasons["line 5"] == f"id: {entries[0]['id']} is that of line 1 too"
    assert reasons["line 6"] == taskfile.CUT


def test_a_program_without_end_is_one_bad_line(entries: list[Raw], tmp_path: Path) -> None:
    deep = copy.deepcopy(entries[0])
    for _ in range(200):
        where = {"op": "where", "relation": "left", "anchors": [task_of(deep)["program"]]}
        task_of(deep)["program"] = {"op": "select", "where": [where]}
    lines = [json.dumps(raw).encode() + b"\n" for raw in (deep, entries[1])]
    (tmp_path / taskfile.FILE).write_bytes(b"".join(lines))
    status, report = verified(tmp_path)
    assert (status, report["good"], list(report["failures"])) == (1, 1, ["line 1"])
    assert report["failures"]["line 1"] == ["nested too deeply: more than 100 levels"]


def test_pictures_of_any_size_are_looked_at(tmp_path: Path) -> None:
    size = ["scene.width=160", "scene.height=120", "count=2", "per_scene=2"]
    generate.generate([*QUICK, *size, f"out={tmp_path / 'small'}"])
    assert verified(tmp_path / "small")[0] == 0


def test_a_packed_file_is_read_too(entries: list[Raw], tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(entries[0]).encode() + b"\n"))
    assert verified(path) == (0, {"tasks": 1, "good": 1, "failures": {}})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OutputError, match="cannot read"):
        generate_verified(path)


def generate_verified(path: Path) -> None:
    generate.main(["verify=true", f"tasks={path}"])


def test_where_there_is_nothing_to_verify_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot read"):
        generate_verified(tmp_path)
    (tmp_path / taskfile.FILE).touch()
    with pytest.raises(OutputError, match="holds no tasks"):
        generate_verified(tmp_path)
    with pytest.raises(OutputError, match="cannot read"):
        generate_verified(tmp_path / "nowhere")
    assert not list(tmp_path.glob("verified*"))


def test_what_is_turned_holds(tmp_path: Path) -> None:
    words = ["task=place_turned", "count=2", "per_scene=3", f"out={tmp_path}"]
    generate.generate([*QUICK, *words])
    assert verified(tmp_path) == (0, {"tasks": 2, "good": 2, "failures": {}})
