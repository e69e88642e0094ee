"""`refergym assets check|sheet|add` from the command line: what is printed, written, returned."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from refergym.assets import records
from refergym.assets.library import Manifest, Pack, open_pack
from refergym.rollouts import assets, cli

SHIPPED = open_pack()


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of two assets of the shipped one."""
    folder = tmp_path / "two words" / "pack"
    chosen = sorted(
        (a for a in SHIPPED.manifest.assets if a.use == "item"), key=lambda a: a.triangles
    )[:2]
    for info in chosen:
        shutil.copytree(SHIPPED.folder / info.name, folder / info.name)
    manifest = Manifest(version=2, name="small", generator="test", assets=tuple(chosen))
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return folder


def stray(pack: Path) -> Path:
    (pack / "notes.txt").write_text("mine")
    return pack


def test_a_good_pack_ends_with_no_faults_and_status_0(pack, capsys):
    assert cli.main(["assets", "check", str(pack)]) == 0
    out = capsys.readouterr().out
    assert "fault:" not in out
    assert "2 assets: 2 items of " in out
    assert out.endswith("no faults\n")


def test_faults_are_listed_one_a_line_with_status_1(pack, capsys):
    name = Pack(pack).manifest.assets[0].name
    (pack / name / f"{name}.glb").unlink()
    assert cli.main(["assets", "check", str(stray(pack))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"fault: {name}: {name}/{name}.glb: cannot read the file (No such file or directory)"
        in (lines)
    )
    assert "fault: notes.txt: stray file, not in the manifest; delete it" in lines
    assert lines[-1] == "2 faults, 0 warnings"


def test_warnings_count_only_when_it_is_strict(pack, capsys):
    manifest = json.loads((pack / "manifest.json").read_bytes())
    for asset in manifest["assets"]:
        asset["grasps"] = []
    (pack / "manifest.json").write_text(json.dumps(manifest))
    assert cli.main(["assets", "check", str(pack)]) == 0
    assert "warning: grasps: never measured on 2 items" in capsys.readouterr().out
    assert cli.main(["assets", "check", str(pack), "strict=true"]) == 1


def test_a_folder_that_is_no_pack_is_one_fault(tmp_path, capsys):
    assert cli.main(["assets", "check", str(tmp_path / "nowhere")]) == 1
    assert "fault: manifest.json: cannot read it" in capsys.readouterr().out


def test_the_sheet_has_a_row_of_pictures_with_names_or_without(pack, tmp_path):
    for labels, height in (("true", 96), ("false", 80)):
        out = tmp_path / "new" / f"{labels}.png"
        words = ["assets", "sheet", str(pack), f"out={out}", "size=80", f"labels={labels}"]
        assert cli.main(words) == 0
        with Image.open(out) as picture:
            assert picture.size == (160, height)
            assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50
        assert [p.name for p in out.parent.iterdir() if "part" in p.name] == []


def test_furniture_is_drawn_on_request_only(pack, tmp_path):
    manifest = json.loads((pack / "manifest.json").read_bytes())
    manifest["assets"][0]["use"] = "furniture"
    (pack / "manifest.json").write_text(json.dumps(manifest))
    sizes = []
    for more in ([], ["furniture=true"]):
        out = tmp_path / "sheet.png"
        assert cli.main(["assets", "sheet", str(pack), f"out={out}", "size=40", *more]) == 0
        with Image.open(out) as picture:
            sizes.append(picture.size[0])
    assert sizes == [40, 80]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sheet", "{pack}", "out=sheet.docx"], "out: expected a file that ends in .png"),
        (["sheet", "{pack}", "out={pack}/manifest.json/x.png"], "choose another out="),
        (["sheet", "{pack}", "columns=0"], "columns: expected >= 1, got 0"),
        (["sheet", "/nowhere"], "manifest.json: cannot read"),
        (["add", "/no/mesh.glb", "category=mug", "out={pack}"], "no such file"),
        (["add", "/no/mesh.glb", "out={pack}"], "category: needed, as in category=mug"),
        (["add", "/no/mesh.glb", "category=mug"], "out: needed, as in out=my_pack"),
        (["add", "/no/mesh.glb", "category=mug", "out={pack}", "up=x"], "up: expected one of"),
        (["add", "m.glb", "categry=mug"], "categry: unknown key; did you mean category?"),
        (["chek", "{pack}"], "no subcommand 'chek'; did you mean check?"),
    ],
)
def test_a_mistake_is_one_line(pack, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    plain = tmp_path / "plain"
    shutil.copytree(pack, plain)
    assert cli.main(["assets", *(w.format(pack=plain) for w in words)]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("refergym assets: ")
    assert says in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_mesh_is_added_and_the_last_line_says_what_it_became(tmp_path, caplog):
    trimesh.creation.box((60, 40, 100)).export(tmp_path / "crate.stl")
    out = tmp_path / "mine"
    words = [str(tmp_path / "crate.stl"), "category=crate", f"out={out}", "longest=0.1"]
    with caplog.at_level("INFO", "refergym"):
        assert cli.main(["assets", "add", *words]) == 0
    assert "added crate_000: 0.060 x 0.040 x 0.100 m, 0.0353 kg, 12 triangles, grey" in caplog.text
    (info,) = Pack(out).manifest.assets
    assert (info.category, info.licence, info.split) == ("crate", "not stated", "seen")


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_the_subcommands(capsys, words):
    assert cli.main(["assets", *words]) == (0 if words else 2)
    shown = capsys.readouterr().out
    assert all(f"  {name}" in shown for name in assets.SUBCOMMANDS)


@pytest.mark.parametrize("name", ["check", "sheet", "add"])
def test_help_of_a_subcommand_lists_its_keys(capsys, name):
    with pytest.raises(SystemExit) as ended:
        cli.main(["assets", name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    keys = {"check": "strict=false", "sheet": "columns=8", "add": "triangles=1500"}
    assert keys[name] in shown
    assert "usage: refergym assets" in shown
    assert {"check": "DIR", "sheet": "DIR", "add": "MESH"}[name] in shown


def test_a_missing_folder_is_asked_for(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["assets", "check"])
    assert ended.value.code == 2
    assert "DIR" in capsys.readouterr().err
