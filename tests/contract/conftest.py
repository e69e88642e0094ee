"""Fixtures of the contract suite."""

import importlib.util
from collections.abc import Callable, Iterator

import furnished
import pytest
import remote_parts
from contract_parts import BACKENDS

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.types import Backend

_NEEDS_PYBULLET = pytest.mark.skipif(
    importlib.util.find_spec("pybullet") is None,
    reason="PyBullet has no wheel for this Python (3.11 has one)",
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[_NEEDS_PYBULLET] if "bullet" in name else []) for name in BACKENDS
    ],
)
def make(found_by_workers: None, request: pytest.FixtureRequest) -> Callable[..., Backend]:
    return BACKENDS[request.param]


@pytest.fixture(scope="module", autouse=True)
def found_by_workers() -> Iterator[None]:
    """Let worker processes find the parts beside this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", remote_parts.PATH)
        yield


@pytest.fixture(scope="module")
def backend(make: Callable[[], Backend]) -> Iterator[Backend]:
    made = make()
    yield made
    made.close()


@pytest.fixture
def furnished_backend(make: Callable[..., Backend], furniture: Pack) -> Iterator[Backend]:
    made = make(pack=furniture)
    yield made
    made.close()


@pytest.fixture(scope="session")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return furnished.make_pack(tmp_path_factory.mktemp("furniture"))


@pytest.fixture(scope="session")
def composed() -> list[SceneSpec]:
    return [Tabletop().compose(11, index=i, wants=Wants(graspable=2)) for i in range(4)]
