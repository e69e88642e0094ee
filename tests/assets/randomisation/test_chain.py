"""Axes one after the other: order, independence, seeds, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from refergym.assets.composers.base import Composer, Wants
from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import SpecError
from refergym.assets.library import Pack
from refergym.assets.randomisation import AXES, Chain, Randomised, chain
from refergym.assets.randomisation.sight import is_kept, sights
from refergym.assets.spec import SceneSpec, check_scene

CONFIGS = Path(chain.__file__).parents[2] / "configs" / "randomisation"
EVERY = dict.fromkeys(AXES, 1.0)


def test_nothing_asked_for_leaves_the_scene_as_it_is(scenes: list[SceneSpec]) -> None:
    for none in (Chain({}), Chain(dict.fromkeys(AXES, 0.0)), Chain(EVERY, strength=0.0)):
        assert none(scenes[0], 1).digest == scenes[0].digest


def test_the_order_in_which_axes_are_named_does_not_matter(scenes: list[SceneSpec]) -> None:
    forward, backward = Chain(EVERY), Chain(dict(reversed(EVERY.items())))
    assert list(backward.strengths) == list(AXES)
    for seed, scene in enumerate(scenes):
        assert forward(scene, seed).digest == backward(scene, seed).digest


def test_an_axis_draws_the_same_whatever_else_is_drawn(scenes: list[SceneSpec]) -> None:
    for seed, scene in enumerate(scenes):
        both = Chain(EVERY)(scene, seed)
        alone = {name: Chain({name: 1.0})(scene, seed) for name in AXES}
        assert both.light == alone["lights"].light
        assert both.supports[0].top == alone["table_height"].supports[0].top
        assert both.sensor.exposure == alone["exposure"].sensor.exposure
        assert both.sensor.white_balance == alone["white_balance"].sensor.white_balance
        assert both.sensor.depth_sigma == alone["depth_noise"].sensor.depth_sigma
        assert both.sensor.believed_turn == alone["calibration"].sensor.believed_turn
        for k, s in enumerate(both.supports):
            assert s.texture == alone["textures"].supports[k].texture
            assert s.friction == alone["friction"].supports[k].friction
        for k in range(len(scene.objects)):
            o = both.objects[k]
            assert o.tint == alone["colours"].objects[k].tint
            assert o.friction == alone["friction"].objects[k].friction
            assert o.mass_scale == alone["mass"].objects[k].mass_scale


def test_every_axis_at_once_gives_valid_scenes_that_differ(scenes: list[SceneSpec]) -> None:
    digests = set()
    for seed in range(2):
        for scene in scenes:
            after = Chain(EVERY)(scene, seed)
            check_scene(after)
            digests.add(after.digest)
    assert len(digests) == 2 * len(scenes)


def test_scenes_in_rooms_are_randomised_too(solved_pack: Pack) -> None:
    composer, change = Infinigen(pack=solved_pack), Chain(EVERY, pack=solved_pack)
    for seed in range(5):
        before = composer.compose(seed)
        after = change(before, seed)
        check_scene(after)
        assert after.digest == change(before, seed).digest != before.digest
        assert is_kept(sights(before, solved_pack), sights(after, solved_pack))
        lift = after.supports[0].top - before.supports[0].top
        moved = [b.top - a.top for a, b in zip(before.supports, after.supports, strict=True)]
        np.testing.assert_allclose(moved, lift, atol=1e-9)
        assert [f.glow for f in after.fixtures] == [f.glow for f in before.fixtures]


def test_the_common_strength_multiplies_each(scenes: list[SceneSpec]) -> None:
    half = Chain({"exposure": 0.8, "lights": 0.4}, strength=0.5)
    assert half.strengths == {"lights": 0.2, "exposure": 0.4}
    assert half(scenes[0], 3) == Chain({"exposure": 0.4, "lights": 0.2})(scenes[0], 3)


def test_index_and_seed_both_count(scenes: list[SceneSpec]) -> None:
    change = Chain({"lights": 1.0})
    found = {change(scenes[0], *where).digest for where in ((0, 0), (0, 1), (1, 0), (1, 1))}
    assert len(found) == 4


def test_equal_seeds_give_equal_digests_in_another_process() -> None:
    code = (
        "from refergym.assets.composers.tabletop import Tabletop\n"
        "from refergym.assets.randomisation import AXES, Chain, Randomised\n"
        "made = Randomised(Tabletop(), Chain(dict.fromkeys(AXES, 1.0)))\n"
        "print(*(made.compose(s, 1).digest for s in range(4)))"
    )
    made = Randomised(Tabletop(), Chain(EVERY))
    assert isinstance(made, Composer)
    here = [made.compose(s, 1).digest for s in range(4)]
    env = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "4"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=env
    )
    assert out.stdout.split() == here


def test_a_randomised_composer_keeps_what_was_wanted() -> None:
    made = Randomised(Tabletop(min_grasp_rate=0.0), Chain(EVERY))
    wants = Wants(receptacles=1, duplicates=True)
    plain = Tabletop(min_grasp_rate=0.0).compose(3, 2, wants)
    assert [o.id for o in made.compose(3, 2, wants).objects[: len(plain.objects)]] == [
        o.id for o in plain.objects
    ]


def fog(scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float) -> SceneSpec:
    sensor = msgspec.structs.replace(scene.sensor, rgb_sigma=strength * float(rng.random()))
    return msgspec.structs.replace(scene, sensor=sensor)


def test_an_axis_of_one_s_own_comes_last(scenes: list[SceneSpec]) -> None:
    mine = Chain({"lights": 1.0}, own={"fog": {"axis": fog, "strength": 0.5}})
    after = mine(scenes[0], 1)
    assert 0 < after.sensor.rgb_sigma <= 0.5
    assert after.light == Chain({"lights": 1.0})(scenes[0], 1).light


def test_a_scene_that_an_own_axis_broke_is_refused(scenes: list[SceneSpec]) -> None:
    def double(
        scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
    ) -> SceneSpec:
        return msgspec.structs.replace(scene, objects=scene.objects * 2)

    with pytest.raises(SpecError, match=r"is already objects\[0\]"):
        Chain({}, own={"double": {"axis": double, "strength": 1.0}})(scenes[0], 1)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(SpecError, match=r"axes.camra: unknown axis; did you mean 'camera'\? \(kn"):
        Chain({"camra": 1.0})
    with pytest.raises(SpecError, match=r"axes.mass: expected a number in \[0, 1\], got 2"):
        Chain({"mass": 2})
    with pytest.raises(SpecError, match=r"^strength: expected a number in \[0, 1\], got -1"):
        Chain({}, strength=-1)
    with pytest.raises(SpecError, match=r"own\.mass: the package has an axis of this name"):
        Chain({}, own={"mass": {"axis": fog, "strength": 1.0}})
    with pytest.raises(SpecError, match=r"own\.fog: expected axis"):
        Chain({}, own={"fog": {"axis": fog}})
    with pytest.raises(SpecError, match=r"own.fog.strength: expected a number in \[0, 1\], got 3"):
        Chain({}, own={"fog": {"axis": fog, "strength": 3}})


def test_there_is_a_config_for_each_axis_and_none_shows_all() -> None:
    shown = yaml.safe_load((CONFIGS / "none.yaml").read_text())
    assert shown["axes"] == dict.fromkeys(AXES, 0.0)
    assert list(shown["axes"]) == list(AXES)
    for name in AXES:
        alone = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        assert alone["axes"] == {name: 1.0}
    assert yaml.safe_load((CONFIGS / "all.yaml").read_text())["axes"] == EVERY


def test_an_axis_of_ones_own_is_not_called_at_strength_0(scenes: list[SceneSpec]) -> None:
    def never(*args: object, **more: object) -> SceneSpec:
        raise AssertionError

    own = {"fog": {"axis": never, "strength": 1.0}}
    assert Chain({}, own=own, strength=0.0)(scenes[0], 1).digest == scenes[0].digest


def test_an_axis_that_returns_no_scene_is_named(scenes: list[SceneSpec]) -> None:
    own = {"fog": {"axis": lambda *_, **__: None, "strength": 1.0}}
    with pytest.raises(SpecError, match=r"own\.fog: expected a SceneSpec from it, got NoneType"):
        Chain({}, own=own)(scenes[0], 1)
    with pytest.raises(SpecError, match=r"own\.fog: expected axis and strength, got None"):
        Chain({}, own={"fog": None})  # type: ignore[dict-item]
    with pytest.raises(SpecError, match="axes: expected strengths by name, got None"):
        Chain(None)  # type: ignore[arg-type]
