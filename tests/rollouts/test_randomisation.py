"""The strips of the documentation."""

import numpy as np
import pytest
from PIL import Image

from refergym.assets.randomisation import AXES
from refergym.rollouts import randomisation
from refergym.rollouts.errors import ConfigError

QUICK = ["size=64", "renderer.shadows=false", "scene.counts=[2,3]"]


def test_a_strip_is_drawn_for_each_axis(tmp_path, capsys):
    out = tmp_path / "strips"
    assert randomisation.main([*QUICK, f"out={out}"]) == 0
    assert f"Wrote {len(AXES)} strips to {out}" in capsys.readouterr().out
    assert {p.name for p in out.iterdir()} == {f"randomisation_{n}.jpg" for n in AXES}
    for path in out.iterdir():
        strip = np.asarray(Image.open(path)).astype(int)
        assert strip.shape == (64, 5 * 64 + 4 * 6, 3)
        first, *others = (strip[:, k * 70 : k * 70 + 64] for k in range(5))
        assert max(np.abs(other - first).max() for other in others) > 20, path.name


def test_at_strength_0_nothing_changes(tmp_path):
    axes = ["lights", "mass", "calibration", "robot_start"]
    randomisation.main([*QUICK, f"out={tmp_path}", f"axes=[{','.join(axes)}]", "strength=0"])
    for name in axes:
        strip = np.asarray(Image.open(tmp_path / f"randomisation_{name}.jpg")).astype(int)
        for k in range(1, 5):  # JPEG's blocks of 8 px cut each picture elsewhere
            away = np.abs(strip[:, k * 70 : k * 70 + 64] - strip[:, :64])
            assert away.mean() < 6


def test_an_unknown_axis_is_named(tmp_path):
    with pytest.raises(ConfigError, match="axes: no axis 'fog'; available: table_height, "):
        randomisation.main([*QUICK, f"out={tmp_path}", "axes=[fog]"])
