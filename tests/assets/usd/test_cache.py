"""Files of assets are made once, by content."""

import hashlib
import shutil

import msgspec
import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import Pack
from refergym.assets.usd import asset_files, cache
from refergym.assets.usd.stage import write_stage


def sums(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in files}  # fmt: skip


def test_a_second_export_makes_no_asset_anew(scene, pack, tmp_path, monkeypatch):
    first = write_stage(scene, pack, tmp_path / "a", cached=tmp_path / "cached")

    def refuse(*_):
        raise AssertionError("made anew")

    monkeypatch.setattr(asset_files, "write_asset", refuse)
    second = write_stage(scene, pack, tmp_path / "b", cached=tmp_path / "cached")
    assert sums(first.parent) == sums(second.parent)
    other = Tabletop(categories=["bowl"], counts=(1, 1)).compose(0)
    assert other.objects[0].asset not in {t.asset for t in scene.objects}
    with pytest.raises(AssertionError, match="made anew"):
        write_stage(other, pack, tmp_path / "c", cached=tmp_path / "cached")


def test_an_asset_that_changed_is_made_anew(pack, tmp_path):
    name = "mug_000"
    heavier = msgspec.structs.replace(pack[name], mass=2 * pack[name].mass)
    manifest = msgspec.structs.replace(pack.manifest, assets=(heavier,))
    other = Pack(pack.folder, manifest)
    for k, assets in enumerate((pack, other, pack)):
        asset_files.add_asset(assets, name, tmp_path / str(k), tmp_path / "cached")
    found = [sums(tmp_path / str(k)) for k in range(3)]
    assert found[0] != found[1]
    assert found[0] == found[2]
    assert len(list((tmp_path / "cached").iterdir())) == 2


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.entry(tmp_path / "cached", "key", fail)
    assert list((tmp_path / "cached").iterdir()) == []
    made = cache.entry(tmp_path / "cached", "key", lambda f: (f / "whole").write_text("whole"))
    assert [p.name for p in made.iterdir()] == ["whole"]


def test_of_two_that_make_the_same_the_first_stays(tmp_path):
    def make(folder):
        (folder / "file").write_text("second")
        if not (tmp_path / "cached" / "key").exists():  # another process, meanwhile
            (tmp_path / "cached" / "key").mkdir()
            (tmp_path / "cached" / "key" / "file").write_text("first")

    made = cache.entry(tmp_path / "cached", "key", make)
    assert (made / "file").read_text() == "first"
    assert [p.name for p in (tmp_path / "cached").iterdir()] == ["key"]


def test_a_cache_that_is_gone_is_made_again(scene, pack, tmp_path):
    first = write_stage(scene, pack, tmp_path / "a", cached=tmp_path / "cached")
    shutil.rmtree(tmp_path / "cached")
    second = write_stage(scene, pack, tmp_path / "b", cached=tmp_path / "cached")
    assert sums(first.parent) == sums(second.parent)
