"""Every start's words, checked by brute force: nothing of programs, referents, areas or view.

The instruction is read by a parser of its own, its words are evaluated on the SceneSpec with
geometry of its own, and the answer is compared with what the task is bound to.
"""

import itertools
import re

import msgspec
import numpy as np
import pytest
from omegaconf import OmegaConf

from refergym.assets.library import open_pack
from refergym.envs.registration import compose_env

KINDS = ("point_at_object", "point_at_free_space", "pick", "pick_place")
COUNT = 40
ORDINALS = {"second": 2, "third": 3}
ENDS = {
    "leftmost": ("left-right", 1),
    "furthest to the left": ("left-right", 1),
    "from the left": ("left-right", 1),
    "rightmost": ("left-right", -1),
    "furthest to the right": ("left-right", -1),
    "from the right": ("left-right", -1),
    "closest": ("front-back", 1),
    "farthest": ("front-back", -1),
    "from the front": ("front-back", 1),
    "from the back": ("front-back", -1),
    "biggest": ("size", 1),
    "largest": ("size", 1),
    "smallest": ("size", -1),
    "in order from smallest to largest": ("size", -1),
}
RELATIONS = {
    "left": r"\bleft (side )?of|leftwards",
    "right": r"\bright (side )?of|rightwards",
    "front": r"in front of|near side of|this side of|towards the viewer from",
    "behind": r"behind|far side of|viewer beyond",
}


def rotation(q):
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


class World:
    """A start's scene, measured independently."""

    def __init__(self, start, depth, ids):
        pack = open_pack()
        self.scene, self.ids, self.depth = start.scene, ids, depth
        self.infos = [pack[o.asset] for o in self.scene.objects]
        self.categories = [i.category for i in self.infos]
        self.tinted = [max(o.tint) - min(o.tint) > 0.05 for o in self.scene.objects]
        poses = self.scene.settled["kinematic"]
        self.middle = np.array(
            [
                np.array(p.position) + rotation(p.orientation) @ (0, 0, i.size[2] * o.scale / 2)
                for p, i, o in zip(poses, self.infos, self.scene.objects, strict=True)
            ]
        )
        self.volume = [
            np.prod(i.size) * o.scale**3
            for i, o in zip(self.infos, self.scene.objects, strict=True)
        ]
        self.eye = np.array(self.scene.camera.pose.position)
        self.turn = rotation(self.scene.camera.pose.orientation)
        away = self.turn[:2, 2] / np.linalg.norm(self.turn[:2, 2])
        right = self.turn[:2, 0] / np.linalg.norm(self.turn[:2, 0])
        self.sides = {"left": -right, "right": right, "front": -away, "behind": away}

    def index(self, object_id):
        return [o.id for o in self.scene.objects].index(object_id)

    def pixel(self, point):
        c = self.scene.camera
        x, y, z = self.turn.T @ (np.asarray(point) - self.eye)
        return int(c.fx * x / z + c.cx), int(c.fy * y / z + c.cy), z

    def shows(self, x, y):
        """World point under a pixel."""
        c = self.scene.camera
        ray = np.array([(x + 0.5 - c.cx) / c.fx, (y + 0.5 - c.cy) / c.fy, 1])
        return self.eye + self.turn @ ray * self.depth[y, x]

    def meant(self, words):
        """The one object that a noun phrase means; fails where a second one could be meant."""
        colour, category, axis, position = words
        family = [
            i for i, c in enumerate(self.categories) if c == category or c.endswith(" " + category)
        ]
        assert family, words
        if colour is not None:
            named = [self.infos[i].colour for i in family]
            assert None not in named, (words, named)
            assert not any(self.tinted[i] for i in family), words
            family = [i for i, n in zip(family, named, strict=True) if n == colour]
        if axis is None:
            assert len(family) == 1, (words, self.categories)
            return family[0]
        assert len(family) > 1, words
        at = {
            "left-right": lambda i: self.middle[i, :2] @ self.sides["right"],
            "front-back": lambda i: self.middle[i, :2] @ self.sides["behind"],
            "size": lambda i: -np.log(self.volume[i]) / 3,
        }[axis]
        order = sorted(family, key=at, reverse=position < 0)
        k = abs(position) - 1
        least = 0.02 if axis != "size" else np.log(1.1)
        for a, b in itertools.pairwise(order[max(0, k - 1) : k + 2]):
            assert abs(at(a) - at(b)) >= least - 1e-6, (words, at(a), at(b))
        return order[k]


def phrases(text):
    """Noun phrases in order, as (colour, category, axis, signed position)."""
    infos = open_pack().manifest.assets
    categories = sorted({i.category for i in infos}, key=len, reverse=True)
    colours = sorted({i.colour for i in infos if i.colour})
    ends = "leftmost|rightmost|closest|farthest|largest|biggest|smallest"
    pattern = (
        rf"\bthe (?:(first|second|third) )?(?:({ends}) )?(?:({'|'.join(colours)}) )?"
        rf"({'|'.join(categories)})\b"
        r"(?: (from the (?:left|right|front|back)|in order from smallest to largest)"
        r"| that is (?:(second|third) )?(furthest to the left|furthest to the right"
        r"|closest to the viewer|farthest from the viewer|largest|smallest))?"
    )
    found = []
    for m in re.finditer(pattern, text):
        before, end, colour, category, side, nth, after = m.groups()
        end = end or side or (after and re.sub(r" (to|from) the viewer", "", after))
        axis, sign = ENDS[end] if end else (None, 0)
        assert axis or not (before or nth), text
        found.append((colour, category, axis, sign * ORDINALS.get(before or nth, 1)))
    return found


@pytest.fixture(scope="module")
def parts():
    from refergym.envs.backends.kinematic import KinematicBackend
    from refergym.envs.render.embree import EmbreeRenderer

    return KinematicBackend(), EmbreeRenderer()


@pytest.fixture(scope="module", params=KINDS)
def starts(request, parts):
    """Many starts of one task, each with its world and whether the oracle's point is right."""
    from hydra.utils import instantiate

    from refergym.envs.starts import make_start

    backend, renderer = parts
    config = compose_env(["task=" + request.param])
    if "min_grasp_rate" in config.task:
        config.task.min_grasp_rate = None
    task = instantiate(OmegaConf.to_container(config.task), _convert_="all")
    composer = instantiate(OmegaConf.to_container(config.scene), _convert_="all")
    made = []
    for i in range(COUNT):
        start = make_start(composer, task, backend, renderer, 7, i)
        backend.reset(start.scene)
        depth, ids = renderer.render_ids(start.scene, backend.state())
        made.append((start, World(start, depth, ids), backend.state()))
    return made


def bound(task):
    """Ids that the task is bound to, in the order of the words."""
    goal = msgspec.to_builtins(task.goal)
    return ([goal["object"]] if "object" in goal else []) + list(goal.get("anchors", ()))


def test_the_words_mean_exactly_the_objects_that_the_task_is_bound_to(starts):
    for start, world, _ in starts:
        meant = [world.meant(words) for words in phrases(start.task.instruction)]
        expected = [world.index(i) for i in bound(start.task)]
        assert meant == expected, start.task.instruction


def test_everything_named_is_visible(starts):
    for start, world, _ in starts:
        for object_id in bound(start.task):
            assert (world.ids == world.index(object_id)).sum() >= 60, start.task.instruction


def test_places_are_where_the_words_say(starts):
    for start, world, _ in starts:
        goal, text = msgspec.to_builtins(start.task.goal), start.task.instruction
        if "area" not in goal:
            continue
        to = np.array(goal["area"]["goal"][:2])
        anchors = [world.middle[world.index(a), :2] for a in goal["anchors"]]
        where = re.sub(r"from the (left|right|front|back)", "", text)
        side = [s for s, words in RELATIONS.items() if re.search(words, where)]
        distance = re.search(r"(\d+) cm|(0\.\d+) m ", text)
        if " between the " in text:
            along = anchors[1] - anchors[0]
            share = (to - anchors[0]) @ along / (along @ along)
            lateral = abs(np.cross([*(to - anchors[0]), 0], [*along, 0])[2]) / np.hypot(*along)
            assert 0.05 < share < 0.95, text
            assert lateral <= 0.051, text
        elif distance:
            metres = int(distance[1]) / 100 if distance[1] else float(distance[2])
            expected = anchors[0] + world.sides[side[0]] * metres
            assert np.hypot(*(to - expected)) < 1e-3, text
        elif side:
            step = to - anchors[0]
            ahead = step @ world.sides[side[0]]
            assert ahead >= np.sqrt(max(step @ step - ahead**2, 0)) - 1e-6, text
        else:
            info = world.infos[world.index(goal["anchors"][0])]
            inside = re.search(r" (into|in|inside) the ", text.replace("in the gap", ""))
            assert info.cavity if inside else info.flat_top, text
            assert np.hypot(*(to - anchors[0])) < 0.01, text


def test_the_goal_of_a_free_place_is_bare_table(starts):
    for start, world, _ in starts:
        if start.task.kind == "point_at_free_space":
            x, y, z = world.pixel(start.task.goal.area.goal)
            assert world.ids[y, x] == -10, start.task.instruction
            assert abs(world.depth[y, x] - z) < 0.025, start.task.instruction


def test_the_truth_points_at_what_is_meant(starts):
    from refergym.envs.truth import point_of
    from refergym.envs.types import Frame
    from refergym.envs.view import View

    for start, world, state in starts:
        rgb = np.zeros((*world.ids.shape, 3), np.uint8)
        frame = Frame(rgb=rgb, depth=world.depth, ids=world.ids)
        u, v = point_of(start.task, View(start.scene, state, frame, open_pack()))
        x, y = int(u * world.ids.shape[1]), int(v * world.ids.shape[0])
        goal = start.task.goal
        if hasattr(goal, "object"):
            assert world.ids[y, x] == world.index(goal.object), start.task.instruction
        else:
            assert world.ids[y, x] == -10
            assert np.hypot(*(world.shows(x, y)[:2] - goal.area.goal[:2])) < 0.025


def test_starts_are_varied(starts):
    texts = {start.task.instruction for start, _, _ in starts}
    assert len(texts) > COUNT // 2
    assert len({start.scene.digest for start, _, _ in starts}) == COUNT
