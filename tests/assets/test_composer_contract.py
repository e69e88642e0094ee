"""What every composer promises, checked on finished scenes. A new composer is a line in MAKERS."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf

import refergym.configs
from refergym.assets import camera as cameras
from refergym.assets import records
from refergym.assets.composers import Composer, Infinigen, Tabletop, Wants
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.params import SceneParams, TabletopParams
from refergym.assets.errors import SpecError
from refergym.assets.footprints import footprint, overlaps, support_polygon
from refergym.assets.library import Pack
from refergym.assets.poses import rotation
from refergym.assets.spec import ObjectSpec, SceneSpec, check_scene, load_scene

CONFIGS = Path(next(iter(refergym.configs.__path__))) / "scene"
SEEDS = 12
MAKERS: dict[str, tuple[type[Composer], dict[str, object]]] = {
    "tabletop": (Tabletop, {}),
    "infinigen": (Infinigen, {}),
    "infinigen as solved": (Infinigen, {"swap": 0, "remove": 0, "add": [0, 0], "crop": "none"}),
    "infinigen cropped": (Infinigen, {"swap": 0.6, "add": [1, 4], "crop": "outside"}),
    "infinigen room": (Infinigen, {"view": "room"}),
}
PARAMS: dict[str, type[SceneParams]] = {"tabletop": TabletopParams, "infinigen": InfinigenParams}
WANTS = (
    Wants(graspable=1),
    Wants(graspable=2, receptacles=1),
    Wants(receptacles=2),
    Wants(graspable=1, receptacles=1, duplicates=True),
)
Make = Callable[[], Composer]


@pytest.fixture(scope="module", params=list(MAKERS))
def make(request: pytest.FixtureRequest, solved_pack: Pack) -> Make:
    kind, params = MAKERS[request.param]
    return lambda: kind(pack=solved_pack, **params)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def composer(make: Make) -> Composer:
    return make()


@pytest.fixture(scope="module")
def scenes(composer: Composer) -> list[SceneSpec]:
    return [composer.compose(seed) for seed in range(SEEDS)]


def test_it_is_a_composer_of_sound_scenes(
    composer: Composer, scenes: list[SceneSpec], solved_pack: Pack
) -> None:
    assert isinstance(composer, Composer)
    for scene in scenes:
        check_scene(scene)
        assert load_scene(records.canonical_json(scene)) == scene
        assert scene.pack == solved_pack.digest
        assert [s.id for s in scene.supports] == ["table", "floor"]
        assert scene.supports[0].top == 0
        assert scene.supports[1].top < -0.3
        assert all(solved_pack[o.asset].use == "item" for o in scene.objects)
    assert len({s.digest for s in scenes}) == SEEDS


def test_things_stand_upright_and_at_rest(scenes: list[SceneSpec], solved_pack: Pack) -> None:
    for scene in scenes:
        assert scene.poses("kinematic") == tuple(o.pose for o in scene.objects)
        for thing in scene.objects:
            assert thing.pose.orientation[1:3] == (0, 0)
            height = thing.pose.position[2]
            assert height == 0 or carrier(scene, thing, solved_pack) is not None


def test_what_is_side_by_side_does_not_overlap(scenes: list[SceneSpec], solved_pack: Pack) -> None:
    for scene in scenes:
        ground = [o for o in scene.objects if o.pose.position[2] == 0]
        polygons = [footprint(solved_pack, o.asset, o.pose, o.scale) for o in ground]
        table = support_polygon(scene.supports[0])
        for k, own in enumerate(polygons):
            assert table.covers(own)
            assert not any(overlaps(own, other) for other in polygons[:k])


def test_the_camera_looks_down_from_over_the_table(scenes: list[SceneSpec]) -> None:
    for scene in scenes:
        axes = rotation(scene.camera.pose.orientation)
        assert axes[2, 2] < -0.05
        assert abs(axes[2, 0]) < 1e-6
        assert scene.camera.pose.position[2] > 0.25


@pytest.mark.parametrize("wants", WANTS, ids=str)
def test_a_request_is_met_within_reach(composer: Composer, wants: Wants, solved_pack: Pack) -> None:
    for seed in range(4):
        scene = composer.compose(seed, wants=wants)
        carriers = [carrier(scene, o, solved_pack) for o in scene.objects]
        bare = [
            o
            for o in scene.objects
            if o.pose.position[2] == 0
            and o.id not in carriers
            and 0.30 <= math.hypot(*o.pose.position[:2]) <= 0.70
            and is_whole(scene, o, solved_pack)
        ]
        graspable = {o.id for o in bare if solved_pack[o.asset].grasp_rate(o.scale) >= 0.8}
        receptacles = {
            o.id for o in bare if solved_pack[o.asset].cavity or solved_pack[o.asset].flat_top
        }
        assert len(graspable) >= wants.graspable
        assert len(receptacles) >= wants.receptacles
        assert len(graspable | receptacles) >= wants.graspable + wants.receptacles
        if wants.duplicates:
            counts = Counter(
                solved_pack[o.asset].category
                for o in scene.objects
                if is_whole(scene, o, solved_pack)
            )
            assert max(counts.values()) >= 2


def test_the_same_arguments_give_the_same_scene_and_others_another(
    composer: Composer, make: Make
) -> None:
    assert composer.compose(5, 3) == make().compose(5, 3)
    others = [composer.compose(*at) for at in ((5, 3), (5, 4), (6, 3))]
    assert len({s.digest for s in others}) == 3


def test_another_process_with_other_threads_and_hashes_gives_the_same_digests(
    solved_pack: Pack,
) -> None:
    code = (
        "import sys, json\n"
        "from refergym.assets.composers import Infinigen, Tabletop, Wants\n"
        "from refergym.assets.library import Pack\n"
        "pack, kinds = Pack(sys.argv[1]), {'Infinigen': Infinigen, 'Tabletop': Tabletop}\n"
        "for kind, params in json.loads(sys.argv[2]):\n"
        "    made = kinds[kind](pack=pack, **params)\n"
        "    print(*(made.compose(s, 1, Wants(graspable=1)).digest for s in range(3)))\n"
    )
    jobs = [(kind.__name__, params) for kind, params in MAKERS.values()]
    here = [
        kind(pack=solved_pack, **params).compose(s, 1, Wants(graspable=1)).digest  # type: ignore[call-arg]
        for kind, params in MAKERS.values()
        for s in range(3)
    ]
    for threads, hashing in (("1", "0"), ("4", "123")):
        env = {**os.environ, "PYTHONHASHSEED": hashing}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            env[name] = threads
        out = subprocess.run(
            [sys.executable, "-c", code, str(solved_pack.folder), json.dumps(jobs)],
            capture_output=True,
            check=True,
            text=True,
            env=env,
        )
        assert out.stdout.split() == here


@pytest.mark.parametrize("name", PARAMS)
def test_the_yaml_shows_every_default_and_makes_the_composer(name: str) -> None:
    raw = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert raw.pop("_target_").rpartition(".")[2].lower() == name
    assert raw == json.loads(json.dumps(msgspec.to_builtins(PARAMS[name]())))
    made = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"))
    assert isinstance(made, Composer)
    assert made.params == PARAMS[name]()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Tabletop, Infinigen])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("colour", 1, "scene.colour: unknown key (known: categories, splits, "),
        ("counts", [0, 3], "scene.counts[0]: expected >= 1, got 0"),
        ("counts", [9, 3], "scene.counts: expected [low, high] with low <= high, got [9, 3]"),
        ("counts", 5, "scene.counts: expected array, got 5"),
        ("margin", -0.1, "scene.margin: expected >= 0, got -0.1"),
        ("tries", 0, "scene.tries: expected >= 1, got 0"),
        (
            "pitch",
            [-30, -60],
            "scene.pitch: expected [low, high] with -89 <= low <= high <= -1, got [-30, -60]",
        ),
        ("light", [0.6, "x"], "scene.light[1]: expected float, got 'x'"),
        ("frame", 0.7, "scene.frame: expected < 0.5, got 0.7"),
        ("splits", ["new"], "scene.splits[0]: expected one of 'seen', "),
        ("splits", [], "scene.splits: expected at least one, got none"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_key(
    kind: type[Composer], key: str, value: object, message: str, solved_pack: Pack
) -> None:
    with pytest.raises(SpecError) as caught:
        kind(pack=solved_pack, **{key: value})  # type: ignore[call-arg]
    assert str(caught.value).startswith(message)


def carrier(scene: SceneSpec, thing: ObjectSpec, pack: Pack) -> str | None:
    """Id of the container or flat top that a thing is in or on."""
    z = thing.pose.position[2]
    for other in scene.objects:
        info = pack[other.asset]
        own = footprint(pack, other.asset, other.pose, other.scale)
        top = other.pose.position[2] + info.size[2] * other.scale
        is_over = own.covers(footprint(pack, thing.asset, thing.pose, thing.scale).centroid)
        holds = info.cavity is not None or info.flat_top
        if holds and is_over and other.pose.position[2] < z <= top + 0.001:
            return other.id
    return None


def is_whole(scene: SceneSpec, thing: ObjectSpec, pack: Pack) -> bool:
    """Tell whether the picture's edges leave a thing whole."""
    points = np.concatenate(pack.hulls(thing.asset)) * thing.scale
    points = points @ rotation(thing.pose.orientation).T + thing.pose.position
    px, depth = cameras.project(scene.camera, points)
    size = (scene.camera.width, scene.camera.height)
    return bool((depth > 0).all() and (px >= 0).all() and (px <= size).all())
