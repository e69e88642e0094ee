"""Textures of tables and floors: tileable, dull enough, and the same each time."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from refergym.assets import seeding
from refergym.assets.builder import colours, textures
from refergym.assets.library import open_pack


@pytest.mark.parametrize("name", list(textures.TEXTURES))
def test_a_texture_has_no_seam(name: str) -> None:
    """The step from the last row to the first is like steps inside (boards have joints there)."""
    image = textures.render(name).astype(np.float64)
    for axis in (0, 1):
        inside = np.abs(np.diff(image, axis=axis)).mean(axis=(1 - axis, 2))
        seam = np.abs(image.take(0, axis) - image.take(-1, axis)).mean()
        assert seam <= inside.max() * 1.05 + 1


@pytest.mark.parametrize("name", list(textures.TEXTURES))
def test_a_texture_hides_no_coloured_thing(name: str) -> None:
    values = colours.lab(textures.render(name).reshape(-1, 3))
    assert np.hypot(values[:, 1], values[:, 2]).mean() < 35
    named = colours.name_indices(textures.render(name).reshape(-1, 3))
    for hue in ("red", "yellow", "green", "blue", "purple", "pink"):
        assert (named == colours.NAMES.index(hue)).mean() < 0.02


def test_drawing_again_gives_the_shipped_files(tmp_path: Path) -> None:
    records = textures.write_textures(tmp_path / "textures", tmp_path)
    shipped = {t.name: textures.render(t.name) for t in open_pack().manifest.textures}
    assert [r.name for r in records] == list(shipped)
    for record in records:
        data = (tmp_path / record.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == record.sha256
        assert np.array_equal(open_pack().texture(record.name), shipped[record.name])


def test_noise_repeats_has_unit_deviation_and_depends_on_the_seed() -> None:
    a = textures.noise(seeding.generator(1, "t"), (4, 4))
    b = textures.noise(seeding.generator(1, "t"), (4, 4))
    c = textures.noise(seeding.generator(2, "t"), (4, 4))
    assert np.array_equal(a, b)
    assert not np.allclose(a, c)
    assert a.std() == pytest.approx(1)
    assert abs(a.mean()) < 1e-12
