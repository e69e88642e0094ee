"""Fixtures of the contract suite."""

import importlib.util
from collections.abc import Callable, Iterator

import pytest
from contract_parts import BACKENDS

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.spec import SceneSpec
from refergym.envs.types import Backend

_NEEDS_PYBULLET = pytest.mark.skipif(
    importlib.util.find_spec("pybullet") is None,
    reason="PyBullet has no wheel for this Python (3.11 has one)",
)


@pytest.fixture(
    params=[
        pytest.param(name, marks=[_NEEDS_PYBULLET] if name.startswith("bullet") else [])
        for name in BACKENDS
    ]
)
def make(request: pytest.FixtureRequest) -> Callable[[], Backend]:
    return BACKENDS[request.param]


@pytest.fixture
def backend(make: Callable[[], Backend]) -> Iterator[Backend]:
    made = make()
    yield made
    made.close()


@pytest.fixture(scope="session")
def composed() -> list[SceneSpec]:
    return [Tabletop().compose(11, index=i, wants=Wants(graspable=2)) for i in range(4)]
