"""`refergym export format=usd | urdf | mjcf`: a composed scene, or one from a file."""

import json
import subprocess
import sys

import pytest

from refergym.assets import records
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.spec import load_scene
from refergym.assets.usd import names
from refergym.assets.usd.reading import read_stage
from refergym.rollouts import cli, export
from refergym.rollouts.errors import ConfigError, DataError, OutputError

QUICK = ["backend=kinematic", "scene.counts=[4,4]"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))


def test_a_stage_of_a_composed_scene_is_written_and_passes_its_checks(tmp_path):
    out = tmp_path / "out"
    report, folder = export.export(["format=usd", *QUICK, "seed=5", f"out={out}"])
    assert folder == out
    scene = read_stage(out / report.file)
    assert scene.digest == report.scene
    assert scene.seed == 5
    assert len(scene.objects) == report.objects == 4
    assert report.findings == ()
    assert report.poses == "kinematic"
    assert json.loads((out / "report.json").read_text())["scene"] == scene.digest
    expected = Tabletop(counts=(4, 4)).compose(5)
    assert [o.asset for o in scene.objects] == [o.asset for o in expected.objects]


@pytest.mark.bullet
def test_the_things_of_a_stage_stand_as_the_backend_left_them(tmp_path):
    report, out = export.export(["format=usd", "scene.counts=[3,3]", "backend=bullet",
                                 f"out={tmp_path / 'out'}"])  # fmt: skip
    scene = read_stage(out / report.file)
    assert report.poses == "bullet"
    assert "bullet" in scene.settled
    text = (out / names.FILE).read_text()
    x, y, z = scene.settled["bullet"][0].position
    assert f"({x}, {y}, {z})" in text


@pytest.mark.parametrize("scene", ["infinigen", "nano"])
def test_scenes_of_all_composers_and_randomisations_pass(scene, tmp_path):
    words = [f"scene={scene}", "randomisation=all", "backend=kinematic", f"out={tmp_path / 'out'}"]
    assert cli.main(["export", "format=usd", *words]) == 0


def test_usdz_is_one_file_more(tmp_path):
    report, out = export.export(["format=usd", *QUICK, "usdz=true", f"out={tmp_path / 'out'}"])
    assert report.file == "scene.usdz"
    assert read_stage(out / report.file).digest == report.scene
    assert read_stage(out / names.FILE).digest == report.scene


@pytest.mark.parametrize("form", ["urdf", "mjcf"])
def test_objects_are_written_for_simulators_without_usd(form, tmp_path):
    report, out = export.export([f"format={form}", *QUICK, f"out={tmp_path / 'out'}"])
    assert (out / report.file).exists()
    scene = load_scene((out / "scene.json").read_bytes())
    assert scene.digest == report.scene
    assert "kinematic" in scene.settled
    assert len(list((out / "meshes").iterdir())) == len({o.asset for o in scene.objects})


def test_a_scene_from_a_file_is_exported_as_it_is(tmp_path):
    scene = Tabletop(counts=(3, 3)).compose(8)
    (tmp_path / "scene.json").write_bytes(records.canonical_json(scene))
    report, out = export.export(["format=usd", "backend=kinematic", f"out={tmp_path / 'out'}",
                                 f"spec={tmp_path / 'scene.json'}"])  # fmt: skip
    assert read_stage(out / report.file).objects == scene.objects
    assert read_stage(out / report.file).seed == 8


def test_a_file_that_is_no_scene_of_this_pack_is_named(tmp_path):
    words = ["format=usd", "backend=kinematic", f"out={tmp_path / 'out'}"]
    with pytest.raises(DataError, match=r"spec: .*none\.json: cannot read"):
        export.export([*words, f"spec={tmp_path / 'none.json'}"])
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match=r"spec: .*bad\.json: pack: required, but missing"):
        export.export([*words, f"spec={tmp_path / 'bad.json'}"])
    scene = json.loads(records.canonical_json(Tabletop(counts=(3, 3)).compose(0)))
    (tmp_path / "other.json").write_text(json.dumps(scene | {"pack": "0" * 64}))
    with pytest.raises(DataError, match=r"other\.json: made of another pack"):
        export.export([*words, f"spec={tmp_path / 'other.json'}"])


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        export.export(["format=usd", *QUICK, f"out={tmp_path}"])
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_wrong_format_is_refused_with_the_right_ones(tmp_path):
    with pytest.raises(ConfigError, match=r"format: .*'mjcf'.*, got 'obj'"):
        export.export(["format=obj", f"out={tmp_path / 'out'}"])


def test_without_usd_one_line_says_what_to_install(tmp_path):
    script = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pxr":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from refergym.rollouts.cli import main
sys.exit(main(["export", "format=usd", "backend=kinematic", "out=out"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "refergym export: format: usd needs the extra usd: pip install 'refergym[usd]' (EXTRAS=usd)"
    )
    assert not (tmp_path / "out" / names.FILE).exists()
