"""Settings that every test shares."""

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from refergym.assets.library import Pack

# One core per process: two workers with thread pools of their own slow each other down. Set before
# numpy is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("LP_NUM_THREADS", "1")

# The same examples on every run and machine: a failure found once is found again.
hypothesis.settings.register_profile("refergym", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("refergym")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs PyBullet where PyBullet has no wheel; below 3.12 its absence is a failure."""
    if sys.version_info < (3, 12) or find_spec("pybullet") is not None:
        return
    skip = pytest.mark.skip(reason="PyBullet has no wheel for Python 3.12; see `refergym doctor`")
    for item in items:
        if item.get_closest_marker("bullet"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def solved_pack(tmp_path_factory: pytest.TempPathFactory) -> "Pack":
    """The shipped pack with three tables of boxes and a solved scene on each."""
    from solved_pack import make_solved_pack

    return make_solved_pack(tmp_path_factory.mktemp("solved"))
