from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from refergym import configs
from refergym.envs.dialects.base import Dialect

FOLDER = Path(configs.__file__).parent / "dialect"


@pytest.fixture(scope="session", params=sorted(path.stem for path in FOLDER.glob("*.yaml")))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each dialect that has a yaml."""
    made: Dialect = instantiate(OmegaConf.load(FOLDER / f"{request.param}.yaml"))
    return made
