"""Scenes that the tests of randomisation share."""

import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec


@pytest.fixture(scope="session")
def pack() -> Pack:
    return open_pack()


@pytest.fixture(scope="session")
def scenes(pack: Pack) -> list[SceneSpec]:
    composer = Tabletop(counts=[3, 7])
    return [composer.compose(seed) for seed in range(6)]
