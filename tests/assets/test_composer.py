"""The composer `tabletop`: its promises, checked on finished scenes by other means than its own."""

import itertools
import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest

from refergym.assets import camera as cameras
from refergym.assets import records
from refergym.assets.composers import Tabletop, Wants
from refergym.assets.errors import ComposeError, SpecError
from refergym.assets.footprints import footprint
from refergym.assets.library import GraspRecord, Pack, open_pack
from refergym.assets.poses import rotation
from refergym.assets.spec import ObjectSpec, SceneSpec

SEEDS = 60


@pytest.fixture(scope="module")
def composer() -> Tabletop:
    return Tabletop()


@pytest.fixture(scope="module")
def scenes(composer: Tabletop) -> list[SceneSpec]:
    return [composer.compose(seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The package's pack, in which things of a gripper's width are graspable up to scale 1.1."""
    pack, folder = open_pack(), tmp_path_factory.mktemp("pack")
    good = (
        GraspRecord(scale=1.0, tries=5, successes=5),
        GraspRecord(scale=1.2, tries=5, successes=1),
    )
    assets = tuple(
        msgspec.structs.replace(a, grasps=good if min(a.size[:2]) <= 0.075 else ())
        for a in pack.manifest.assets
    )
    for entry in pack.folder.iterdir():
        if entry.name != "manifest.json":
            (folder / entry.name).symlink_to(entry)
    manifest = msgspec.structs.replace(pack.manifest, assets=assets)
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


def is_on_table(thing: ObjectSpec) -> bool:
    return thing.pose.position[2] == 0


def corners(pack: Pack, thing: ObjectSpec) -> np.ndarray[Any, np.dtype[np.float64]]:
    x, y, z = pack[thing.asset].size
    box = [(i * x / 2, j * y / 2, k * z) for i in (-1, 1) for j in (-1, 1) for k in (0, 1)]
    return np.array(box) * thing.scale @ rotation(thing.pose.orientation).T + thing.pose.position


def test_sixty_seeds_compose_with_all_counts(scenes: list[SceneSpec]) -> None:
    assert {len(s.objects) for s in scenes} == set(range(3, 10))
    assert len({s.digest for s in scenes}) == SEEDS


def test_scales_are_in_range(scenes: list[SceneSpec]) -> None:
    for scene in scenes:
        assert all(0.7 <= thing.scale <= 1.3 for thing in scene.objects)


def test_footprints_on_the_table_keep_their_distance(
    composer: Tabletop, scenes: list[SceneSpec]
) -> None:
    for scene in scenes:
        ground = [o for o in scene.objects if is_on_table(o)]
        polygons = [footprint(composer.pack, o.asset, o.pose, o.scale) for o in ground]
        for k, a in enumerate(polygons):
            assert all(a.distance(b) >= 0.025 - 1e-9 for b in polygons[:k])
            low_x, low_y, high_x, high_y = a.bounds
            assert low_x >= 0.24
            assert high_x <= 1.05
            assert low_y >= -0.65
            assert high_y <= 0.65
        for thing in ground:
            x, y, _ = thing.pose.position
            assert 0.34 <= x <= 0.74
            assert abs(y) <= 0.32


def test_what_is_off_the_table_is_in_a_container_or_on_a_flat_top(
    composer: Tabletop, scenes: list[SceneSpec]
) -> None:
    pack, carried = composer.pack, Counter[str]()
    for scene in scenes:
        ground = [o for o in scene.objects if is_on_table(o)]
        for thing in scene.objects:
            if is_on_table(thing):
                continue
            x, y, z = thing.pose.position
            below = [
                o
                for o in ground
                if math.hypot(o.pose.position[0] - x, o.pose.position[1] - y) < 0.16
                and footprint(pack, o.asset, o.pose, o.scale).contains_properly(
                    footprint(pack, thing.asset, thing.pose, thing.scale).centroid
                )
            ]
            assert len(below) == 1
            info, scale = pack[below[0].asset], below[0].scale
            assert info.cavity is not None or info.flat_top
            if info.cavity is not None:
                assert z < info.cavity.floor * scale + 0.6 * info.cavity.depth * scale
            else:
                assert z <= info.size[2] * scale + 0.001
            carried["in" if info.cavity is not None else "on"] += 1
    assert carried["in"] >= 3
    assert carried["on"] >= 3


def test_every_box_projects_inside_the_picture(composer: Tabletop, scenes: list[SceneSpec]) -> None:
    for scene in scenes:
        cam = scene.camera
        boxes = np.concatenate([corners(composer.pack, o) for o in scene.objects])
        px, depth = cameras.project(cam, boxes)
        assert (depth > 0).all()
        free = 0.04 * 224 - 0.01
        assert px.min() >= free
        assert px.max() <= 224 - free
        # near: things span most of the picture, unless the least height binds
        spans = np.ptp(px, axis=0).max() / 224
        assert spans > 0.7 or cam.pose.position[2] < 0.31


def test_the_camera_is_where_the_viewer_stands(scenes: list[SceneSpec]) -> None:
    pitches = []
    for scene in scenes:
        forward = rotation(scene.camera.pose.orientation)[:, 2]
        right = rotation(scene.camera.pose.orientation)[:, 0]
        pitch = math.degrees(math.asin(forward[2]))
        azimuth = math.degrees(math.atan2(-forward[1], -forward[0]))
        hfov = 2 * math.degrees(math.atan(112 / scene.camera.fx))
        assert -60.001 <= pitch <= -29.999
        assert -35.001 <= azimuth <= 35.001
        assert 49.99 <= hfov <= 60.01
        assert 0.3 <= scene.camera.pose.position[2] <= 0.8
        assert abs(right[2]) < 1e-6
        assert right[1] > 0
        pitches.append(pitch)
    assert np.ptp(pitches) > 20


def test_light_and_table_vary_within_their_ranges(scenes: list[SceneSpec]) -> None:
    for scene in scenes:
        assert 0.6 <= scene.light.intensity <= 1.4
        assert 0.6 <= scene.light.ambient <= 1.4
        x, y, z = scene.light.direction
        assert 39.99 <= math.degrees(math.atan2(z, math.hypot(x, y))) <= 75.01
        table, floor = scene.supports
        assert (table.id, floor.id) == ("table", "floor")
        assert table.top == pytest.approx(0, abs=1e-12)
        assert floor.top == pytest.approx(-0.75)
        assert table.texture in (composer_textures("table") or (None,))
        assert floor.texture in (composer_textures("floor") or (None,))
    assert len({s.light.intensity for s in scenes}) == SEEDS


def composer_textures(use: str) -> tuple[str, ...]:
    return open_pack().textures(use)


def test_duplicates_differ_in_size(composer: Tabletop, scenes: list[SceneSpec]) -> None:
    several = 0
    for scene in scenes:
        bulks: dict[str, list[float]] = {}
        for thing in scene.objects:
            info = composer.pack[thing.asset]
            bulks.setdefault(info.category, []).append(
                math.prod(info.size) ** (1 / 3) * thing.scale
            )
        several += any(len(b) > 1 for b in bulks.values())
        for sizes in bulks.values():
            ordered = sorted(sizes)
            assert all(b / a >= 1.0999 for a, b in itertools.pairwise(ordered))
    assert several > SEEDS / 2


@pytest.mark.parametrize(
    "wants",
    [Wants(graspable=1), Wants(graspable=2, receptacles=1), Wants(graspable=1, duplicates=True)],
)
def test_a_request_is_met_within_reach(measured: Pack, wants: Wants) -> None:
    composer = Tabletop(pack=measured)
    for seed in range(12):
        scene = composer.compose(seed, wants=wants)
        near = [
            o
            for o in scene.objects
            if is_on_table(o) and 0.30 <= math.hypot(*o.pose.position[:2]) <= 0.70
        ]
        graspable = [o for o in near if measured[o.asset].grasp_rate(o.scale) >= 0.8]
        receptacles = [o for o in near if measured[o.asset].cavity or measured[o.asset].flat_top]
        assert len(graspable) >= wants.graspable
        assert len(receptacles) >= wants.receptacles
        if wants.duplicates:
            counts = Counter(measured[o.asset].category for o in scene.objects)
            assert max(counts.values()) >= 2
        assert scene.pack == measured.digest


def test_most_wanted_receptacles_have_room_for_a_wanted_graspable(measured: Pack) -> None:
    composer, roomy = Tabletop(pack=measured), 0
    for seed in range(20):
        scene = composer.compose(seed, wants=Wants(graspable=1, receptacles=1))
        small = min(
            max(measured[o.asset].size[:2]) * o.scale / 2
            for o in scene.objects
            if measured[o.asset].grasp_rate(o.scale) >= 0.8
        )
        roomy += any(
            (info.cavity.radius if info.cavity else 0.4 * min(info.size[:2])) * o.scale > small
            for o in scene.objects
            if (info := measured[o.asset]).cavity or info.flat_top
        )
    assert roomy >= 15


def test_other_parameters_give_another_scene(composer: Tabletop) -> None:
    assert composer.compose(5, 3).digest != Tabletop(margin=0.03).compose(5, 3).digest


def test_a_request_that_cannot_be_met_says_which_constraint_failed() -> None:
    low = Tabletop(counts=[9, 9], camera_height=[0.3, 0.3], pitch=[-60, -59], tries=3)
    with pytest.raises(ComposeError, match=r"no camera pose shows all 9 objects: \d"):
        low.compose(0)
    tight = Tabletop(counts=[9, 9], region_x=[0.5, 0.51], region_y=[0, 0.01], spill=0.1, tries=4)
    with pytest.raises(ComposeError, match=r"with 9 objects: .*do not fit.*: \d of 4 tries"):
        tight.compose(0)


def test_wants_that_pack_or_config_cannot_give_are_refused_by_name(measured: Pack) -> None:
    with pytest.raises(ComposeError, match=r"wants.graspable: 1 wanted, .* grasp rate >= 0.8"):
        Tabletop(pack=measured, categories=["plate"]).compose(0, wants=Wants(graspable=1))
    with pytest.raises(ComposeError, match=r"wants.receptacles: 2 wanted"):
        Tabletop(pack=measured, categories=["apple"]).compose(0, wants=Wants(receptacles=2))
    with pytest.raises(ComposeError, match=r"7 objects wanted, but scene.counts allows 4"):
        Tabletop(pack=measured, counts=[3, 4]).compose(0, wants=Wants(graspable=7))
    with pytest.raises(ValueError, match=r"wants.graspable: expected >= 0, got -1"):
        Wants(graspable=-1)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("duplicates", 1.5, "scene.duplicates: expected <= 1, got 1.5"),
        (
            "region_x",
            [0.1, 0.5],
            "scene.region_x: expected within table_x less spill, [0.26, 0.99], got [0.1, 0.5]",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_key(key: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Tabletop(**{key: value})
    assert str(caught.value).startswith(message)


def test_unknown_categories_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(ComposeError, match=r"scene.categories: 'dragon' is not in pack"):
        Tabletop(categories=["dragon"])
    with pytest.raises(ComposeError, match="within max_extent, max_height and min_width"):
        Tabletop(max_height=0.001)
