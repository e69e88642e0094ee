"""What configs/learner says is what the sources say."""

from pathlib import Path

import pytest

from refergym.rollouts import config

pytest.importorskip("torch")

from refergym.agents.rft.advantages import Credit, Trajectory, advantages
from refergym.agents.rft.learner import Learning
from refergym.agents.rft.losses import LossSettings
from refergym.assets import records
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.rft.settings import Learner

FOLDER = Path(config.__file__).parents[1] / "configs" / "learner"
NAMES = sorted(p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("sb3_"))


def made(preset):
    """Read a preset as `refergym train` does."""
    found = records.convert(preset, Learner, error=ConfigError)
    loss = records.convert(found.loss, LossSettings, error=ConfigError)
    return found, records.convert(found.learning, Learning, error=ConfigError), loss


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_makes_its_settings(name):
    found, learning, loss = made(config.choice("learner", name))
    assert isinstance(found.credit, Credit)
    assert (learning.lr > 0, loss.length > 0) == (True, True)


def test_roborefer_trains_as_its_paper_says():
    found, learning, loss = made(config.choice("learner", "roborefer"))
    assert (found.members, learning.lr, learning.epochs * learning.minibatches) == (8, 1e-6, 1)
    assert (loss.mean, loss.kl, loss.kl_corrected) == ("answers", 0.04, False)
    assert (loss.dual_clip, loss.truncate, loss.entropy) == (None, None, 0)
    group = [Trajectory(group="a", rewards=(float(k == 0),)) for k in range(found.members)]
    got = [turns[0] for turns in advantages(group, found.credit).turns]
    std = (1 / 8) ** 0.5  # of one 1 among eight, with n - 1
    assert got == pytest.approx([(7 / 8) / (std + 1e-4)] + [-(1 / 8) / (std + 1e-4)] * 7)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("loss", "dual_clip", 1.1, r"dual_clip: expected > 1 \+ clip_high"),
        ("credit", "std", "sometimes", "std"),
        ("learning", "spread", "thin", "spread"),
    ],
)
def test_a_wrong_value_is_named(part, key, value, message):
    preset = config.choice("learner", "dapo")
    with pytest.raises(ConfigError, match=message):
        made({**preset, part: {**preset[part], key: value}})
