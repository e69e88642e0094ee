"""`refergym compare`: two evaluations of the same starts."""

import shutil

import pytest

from refergym.rollouts import cli, compare
from refergym.rollouts.errors import OutputError, StartError
from refergym.rollouts.evaluate import evaluate

WORDS = [
    "task=point_at_object", "backend=kinematic", "renderer.shadows=false",
    "renderer.antialias=none", "scene.width=64", "scene.height=64", "pictures=false",
    "video=false", "workers=0", "episodes=6",
]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Evaluations of random points and of the truth, of the same and of other starts."""
    base = tmp_path_factory.mktemp("compare")
    evaluate([*WORDS, "policy=random", "floors=[oracle]", f"out={base / 'random'}"])
    evaluate([*WORDS, "policy=oracle", f"out={base / 'oracle'}"])
    evaluate([*WORDS, "policy=oracle", "task.steps=[2,2]", f"out={base / 'other'}"])
    return base


def test_what_the_second_solves_more_is_counted_by_start(folders, capsys):
    first, second = (compare.read(folders / name) for name in ("random", "oracle"))
    found = compare.compare(first, second)
    alone = [b.id.index for a, b in zip(first, second, strict=True) if b.success and not a.success]
    assert found.n == 6
    assert found.gained == len(alone) > 0
    assert (
        found.difference == sum(e.success for e in second) / 6 - sum(e.success for e in first) / 6
    )
    assert cli.main(["compare", f"before={folders / 'random'}", f"after={folders / 'oracle'}"]) == 0
    told = capsys.readouterr().out
    assert f"{100 * found.difference:+.1f} points" in told
    assert "6 starts show a difference of" in told


def test_the_policy_of_either_folder_can_be_named(folders):
    same = compare.compare(
        compare.read(folders / "oracle"), compare.read(folders / "random", "oracle")
    )
    assert same.gained == same.lost == 0
    assert same.interval[0] < 0 < same.interval[1], "six starts show little"


def test_several_trainings_are_told_with_their_mean(folders, capsys):
    after = f"after=[{folders / 'oracle'},{folders / 'random'}]"
    assert cli.main(["compare", f"before={folders / 'random'}", after]) == 0
    assert "mean of 2 trainings" in capsys.readouterr().out


def test_other_starts_are_no_comparison(folders):
    with pytest.raises(StartError, match="different starts"):
        compare.compare(compare.read(folders / "oracle"), compare.read(folders / "other"))


def test_a_folder_counts_once(folders, capsys):
    after = f"after=[{folders / 'oracle'},{folders / 'oracle'}]"
    assert cli.main(["compare", f"before={folders / 'random'}", after]) == 2
    assert "oracle is there twice" in capsys.readouterr().err


def test_what_is_missing_is_named(folders, tmp_path, capsys):
    with pytest.raises(OutputError, match="no finished evaluation"):
        compare.read(tmp_path)
    with pytest.raises(OutputError, match="no episodes of policy center; it has random, oracle"):
        compare.read(folders / "random", "center")
    shutil.copy(folders / "random" / "results.json", tmp_path)
    with pytest.raises(OutputError, match=r"\(no episodes\.jsonl\)"):
        compare.read(tmp_path)
    (tmp_path / "results.json").write_text('{"rows": [')
    with pytest.raises(OutputError, match=rf"^{tmp_path}: .*truncated"):
        compare.read(tmp_path)
    words = [f"before={folders / 'random'}", f"after={folders / 'random'}", "whose=oracle"]
    assert cli.main(["compare", *words]) == 0
    assert "+0.0 points" in capsys.readouterr().out
    assert cli.main(["compare", f"before={tmp_path}"]) == 2
    assert "after" in capsys.readouterr().err
