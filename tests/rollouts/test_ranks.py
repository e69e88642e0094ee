"""`refergym ranks`: the same starts in two backends, and the orders that they put policies in."""

import json

import pytest

from refergym.assets import records
from refergym.rollouts import cli, orders, suites
from refergym.rollouts.episodes import Ended, Episode, EpisodeId, read_episodes
from refergym.rollouts.errors import ConfigError, OutputError, StartError
from refergym.rollouts.orders import Orders
from refergym.rollouts.ranks import RESULT, STARTS, ranks

POLICIES = "policies=[random,oracle,center,anything]"
WORDS = [
    POLICIES, "task=pick", "renderer.shadows=false", "renderer.antialias=none",
    "scene.width=64", "scene.height=64", "workers=0", "episodes=4",
]  # fmt: skip


def episodes(won, n=40, scene="scene"):
    """Episodes of policies that solve the first so many of n starts."""
    return [
        Episode(
            id=EpisodeId(suite="s", index=i),
            policy=policy,
            task="pick",
            seed=0,
            scene_digest=f"{scene}{i}",
            success=i < count,
            ended=Ended.SUCCESS if i < count else Ended.FAILURE,
            stage="success" if i < count else "grasp",
        )
        for policy, count in won.items()
        for i in range(n)
    ]


def judged(first, second):
    return orders.judged({"a": episodes(first), "b": episodes(second)})


def test_backends_that_agree_violate_no_rank():
    done = judged({"w": 40, "x": 28, "y": 16, "z": 4}, {"w": 36, "x": 24, "y": 12, "z": 0})
    assert done.orders == ("w > x > y > z", "w > x > y > z")
    assert done.mmrv == 0
    assert done.pearson == pytest.approx(1)
    assert done.kendall == 1
    assert all(pair.is_alike and pair.is_told_apart for pair in done.pairs)
    assert orders.levels(done) == 4
    told = " ".join(orders.conclusion(done))
    assert "6 of 6 pairs are in the same order; 6 of the 6 that b tells apart" in told
    assert "MMRV 0.000; Pearson's r 1.000, Kendall's tau 1.00 of 4 policies" in told


def test_a_swapped_pair_is_named_with_what_it_costs():
    done = judged({"w": 40, "x": 20, "y": 28, "z": 4}, {"w": 40, "x": 30, "y": 20, "z": 4})
    assert done.orders == ("w > y > x > z", "w > x > y > z")
    assert done.mmrv == pytest.approx((0.25 + 0.25) / 4)
    assert done.kendall == pytest.approx((5 - 1) / 6)
    assert [p.policies for p in done.pairs if not p.is_alike] == [("x", "y")]
    told = orders.conclusion(done)
    assert "5 of 6 pairs are in the same order; 5 of the 6 that b tells apart" in told
    assert "  y - x: a +20.0, b -25.0 points" in told


def test_a_tie_in_one_backend_alone_is_another_order():
    done = judged({"w": 40, "x": 20, "y": 20, "z": 4}, {"w": 40, "x": 21, "y": 20, "z": 4})
    assert done.orders == ("w > x = y > z", "w > x > y > z")
    (pair,) = [p for p in done.pairs if not p.is_alike]
    assert pair.policies == ("x", "y")
    assert not pair.is_told_apart
    assert done.mmrv == pytest.approx(1 / 40 / 4)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({"w": 9, "x": 9, "y": 9, "z": 9}, {"w": 9, "x": 5, "y": 3, "z": 1}, "the same rate"),
        ({"w": 40, "x": 0, "y": 1, "z": 2}, {"w": 40, "x": 0, "y": 1, "z": 2}, "here is 2"),
    ],
)
def test_without_spread_no_correlation_is_told(first, second, reason):
    last = orders.conclusion(judged(first, second))[-1]
    assert "no correlation" in last
    assert reason in last
    assert "Pearson" not in last


def test_what_one_policy_lost_in_one_backend_counts_for_none():
    won = {"w": 40, "x": 28, "y": 16, "z": 4}
    broken = episodes(won)
    broken[0] = Episode(
        id=broken[0].id, policy="w", task="pick", seed=0, ended=Ended.ERROR,
        stage="infrastructure", error="OSError: gone",
    )  # fmt: skip
    done = orders.judged({"a": episodes(won), "b": broken})
    assert done.left_out == 1
    assert {(row.n, row.errors) for rows in done.rows for row in rows} == {(39, 0)}
    assert [row.successes for row in done.rows[0]] == [39, 27, 15, 3]
    assert orders.conclusion(done)[-1] == "left out, for they broke for a policy in a backend: 1"


def test_different_starts_are_no_comparison():
    won = {"w": 4, "x": 3, "y": 2, "z": 1}
    with pytest.raises(StartError, match="a and b played different starts"):
        orders.judged({"a": episodes(won), "b": episodes(won, scene="other")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the command gives for the kinematic backend and PyBullet."""
    pytest.importorskip("pybullet")
    out = tmp_path_factory.mktemp("ranks") / "run"
    assert cli.main(["ranks", *WORDS, f"out={out}"]) == 0
    return out


def test_both_backends_play_the_same_starts(folder):
    starts = suites.load(folder / STARTS)
    assert len(starts) == 4
    assert all({"kinematic", "bullet"} <= set(s.scene.settled) for s in starts)
    found = {}
    for backend in ("kinematic", "bullet"):
        played = list(read_episodes(folder / backend / "episodes.jsonl"))
        assert {e.backend for e in played} == {backend}
        assert {e.policy for e in played} == {"random", "oracle", "center", "anything"}
        found[backend] = {(e.id.index, e.scene_digest, e.task_digest) for e in played}
    assert found["kinematic"] == found["bullet"]
    assert found["bullet"] == {(i, s.scene.digest, s.task.digest) for i, s in enumerate(starts)}


def test_rates_are_those_of_the_evaluations(folder):
    done = records.decode((folder / RESULT).read_bytes(), Orders)
    assert done.backends == ("kinematic", "bullet")
    for backend, rows in zip(done.backends, done.rows, strict=True):
        results = json.loads((folder / backend / "results.json").read_text())
        of_results = {row["policy"]: (row["n"], row["successes"]) for row in results["rows"]}
        assert {row.policy: (row.n, row.successes) for row in rows} == of_results
        best = max(rows, key=lambda row: row.successes)
        assert best.policy == "oracle"
        assert best.successes >= 3
    assert [command.split()[1] for command in done.commands] == ["evaluate", "evaluate"]


def test_a_finished_run_goes_on_with_more_starts_and_nothing_else(folder):
    before = (folder / STARTS).read_text()
    with pytest.raises(OutputError, match="already holds a run"):
        ranks([*WORDS, f"out={folder}"])
    with pytest.raises(OutputError, match=r"resume: seed was 0 .* now it is 1"):
        ranks([*WORDS, f"out={folder}", "resume=true", "seed=1"])
    done, _ = ranks([*WORDS, "episodes=5", f"out={folder}", "resume=true"])
    assert {row.n for rows in done.rows for row in rows} == {5}
    after = (folder / STARTS).read_text()
    assert after.startswith(before)
    assert after.count("\n") == 5


def test_the_command_prints_rates_orders_and_figures(tmp_path, capsys):
    # a pointing task never calls the simulator, so that one of them will do
    mine = tmp_path / "configs" / "backend"
    mine.mkdir(parents=True)
    target = "refergym.envs.backends.kinematic.KinematicBackend"
    (mine / "twin.yaml").write_text(f"_target_: {target}\n")
    words = [
        "ranks", "--config-dir", str(tmp_path / "configs"), *WORDS, "task=point_at_object",
        "backends=[twin,kinematic]", f"out={tmp_path / 'run'}",
    ]  # fmt: skip
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert "success on 4 starts, the same in both" in told
    assert "100.0 %" in told
    twin, kinematic = (
        next(line for line in told.splitlines() if line.startswith(f"{b}: "))
        for b in ("twin", "kinematic")
    )
    assert twin.removeprefix("twin") == kinematic.removeprefix("kinematic")
    assert twin.startswith("twin: oracle > ")
    assert "6 of 6 pairs are in the same order" in told
    assert "with kinematic as if it were the real one: MMRV 0.000" in told
    assert f"Wrote {RESULT} to {tmp_path / 'run'}" in told


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("policies=[oracle,random,center]", "policies: .*length >= 4"),
        ("policies=[oracle,random,center,oracle]", "policies: expected different ones"),
        ("policies=[oracle,random,center,orcale]", "policies: policy: no choice 'orcale'"),
        ("backends=[kinematic,bulet]", "backends: backend: no choice 'bulet'; did you mean bullet"),
        ("backends=[kinematic,kinematic]", "backends: expected different ones"),
        ("backends=[kinematic]", "backends"),
        ("backend.grasp=magic", r"backend\.grasp: this command takes backends="),
        ("policy=oracle", "policy: this command takes policies="),
        ("suite=seen", "suite: this command takes seed="),
        ("episodse=3", "episodse: unknown key; did you mean episodes"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_made(tmp_path, word, message):
    with pytest.raises(ConfigError, match=message):
        ranks([*WORDS, f"out={tmp_path / 'run'}", word])
    assert not (tmp_path / "run").exists()


def test_scenes_that_carry_no_task_leave_no_run_behind(tmp_path, capsys):
    out = f"out={tmp_path / 'run'}"
    words = ["ranks", *WORDS, "backends=[kinematic,auto]", "task=pick_place", out]
    assert cli.main([*words, "scene.counts=[1,1]", "scene.duplicates=0"]) == 2
    assert "none of 64 scenes carries the task" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()
