"""What tinted things are called."""

import pytest

from refergym.assets.builder import colours
from refergym.assets.library import AssetInfo, open_pack
from refergym.assets.tints import colour_name

TINTS = [(1.0, 0.7, 0.6), (0.6, 1.0, 0.6), (0.5, 0.6, 1.0), (0.7, 0.7, 0.7), (0.4, 0.4, 0.4)]


def named(colour: str) -> list[AssetInfo]:
    found = [a for a in open_pack().manifest.assets if a.colour == colour]
    assert found
    return found


def test_an_untinted_thing_has_the_manifest_s_name() -> None:
    pack = open_pack()
    for asset in pack.manifest.assets:
        assert colour_name(pack, asset.name) == asset.colour


def test_a_tint_that_hardly_changes_anything_keeps_most_names() -> None:
    pack = open_pack()
    known = [a for a in pack.manifest.assets if a.colour is not None][:15]
    kept = [colour_name(pack, a.name, (1.0, 0.99, 0.98)) == a.colour for a in known]
    assert sum(kept) >= 0.9 * len(kept)


def test_white_turns_into_what_it_is_tinted_with() -> None:
    pack, name = open_pack(), named("white")[0].name
    assert colour_name(pack, name, (0.9, 0.02, 0.02)) == "red"
    assert colour_name(pack, name, (0.02, 0.3, 0.05)) == "green"
    assert colour_name(pack, name, (0.003, 0.003, 0.003)) == "black"


@pytest.mark.parametrize("tint", TINTS)
def test_a_thing_without_a_name_gets_none_by_a_tint(tint: tuple[float, float, float]) -> None:
    pack = open_pack()
    for asset in [a for a in pack.manifest.assets if a.colour is None][:5]:
        assert colour_name(pack, asset.name, tint) is None


def test_a_name_that_the_measure_does_not_give_is_not_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pack, name = open_pack(), named("red")[0].name
    monkeypatch.setattr(colours, "name_colour", lambda rgb: ("blue", 1.0))
    colour_name.cache_clear()
    assert colour_name(pack, name, (1.0, 0.99, 0.99)) is None
    colour_name.cache_clear()
