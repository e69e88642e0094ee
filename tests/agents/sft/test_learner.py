"""The learner: what it changes, what it leaves alone, and that it goes on as if never stopped."""

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from taught_parts import WEIGHTS, gradients, joined, pictures, save, taught  # noqa: E402

from refergym.agents import folders  # noqa: E402
from refergym.agents.folders import recover  # noqa: E402
from refergym.agents.sft.learner import STATE, heads_of  # noqa: E402
from refergym.rollouts import config  # noqa: E402

PLAIN = {**WEIGHTS, "dense": 0.0}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return save(tmp_path_factory.mktemp("begun"))


def weights(made):
    return {n: p.detach().clone() for n, p in made.objective.named_parameters()}


def changed(before, after):
    return {n for n in before if not torch.equal(before[n], after[n])}


def batches(step, count=2):
    return [pictures(10 * step + k) for k in range(count)]


def test_going_on_equals_not_stopping_bitwise(begun, tmp_path):
    learning = {"accumulate": 2, "with_depth": 0.5, "warmup": 0.5}
    whole = taught(begun, learning=learning)
    for k in range(3):
        whole.learner.learn(batches(k))
    whole.learner.save(tmp_path / "kept", whole.processor, {"seen": [1.1, "x"]})
    torch.rand(7)  # the global random numbers go on as well
    resumed = taught(tmp_path / "kept", learning=learning)
    assert resumed.learner.load(tmp_path / "kept") == {"seen": [1.1, "x"]}
    assert resumed.learner.step == 3
    assert not changed(weights(whole), weights(resumed))
    for k in range(3, 8):
        assert whole.learner.learn(batches(k)) == resumed.learner.learn(batches(k))
    assert whole.learner.is_done
    assert not changed(weights(whole), weights(resumed))
    for made, name in ((whole, "a"), (resumed, "b")):
        made.learner.save(tmp_path / name, made.processor)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert one == other


def test_two_batches_of_a_step_are_one_batch_of_both(begun, tmp_path):
    told = []
    # each answer has as many tokens and points
    two = [replace(b, questions=[asked[:1] for asked in b.questions]) for b in batches(0)]
    for name, accumulate, shown in (("two", 2, two), ("one", 1, [joined(*two)])):
        made = taught(begun, learning={"accumulate": accumulate, "with_depth": 1.0, "clip": 1e9})
        told.append(made.learner.learn(shown))
        made.learner.save(tmp_path / name, made.processor)
    assert told[0]["tokens"] == told[1]["tokens"]
    for name in ("loss", "norm", "words", "coordinates", "pointer"):
        assert told[0][name] == pytest.approx(told[1][name], rel=1e-3), name
    for one, other in zip(*(gradients(tmp_path / n) for n in ("two", "one")), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4 * told[0]["norm"])


def test_a_gradient_is_cut_to_the_greatest_norm(begun, tmp_path):
    made = taught(begun, learning={"clip": 0.5})
    assert made.learner.learn([pictures()])["norm"] > 0.5
    made.learner.save(tmp_path / "kept", made.processor)
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients(tmp_path / "kept")))
    assert norm == pytest.approx(0.5, rel=1e-3)


def test_alignment_changes_the_depth_projector_alone(begun):
    stage = config.choice("stage", "align")
    learning = {k: stage[k] for k in ("learns", "tower_lr", "with_depth")}
    made = taught(begun, weights=stage["weights"], learning=learning)
    before = weights(made)
    for k in range(2):
        made.learner.learn([pictures(k)])
    own = {n for n in before if n.startswith("model.depth_projector.")}
    assert changed(before, weights(made)) == own != set()


def test_understanding_changes_every_part(begun):
    stage = config.choice("stage", "understand")
    learning = {k: stage[k] for k in ("learns", "tower_lr")}
    made = taught(begun, weights=stage["weights"], learning={**learning, "with_depth": 1.0})
    before = weights(made)
    made.learner.learn([pictures()])
    parts = {n.removeprefix("model.").split(".")[0] for n in changed(before, weights(made))}
    assert parts == {n.removeprefix("model.").split(".")[0] for n in before}


def test_a_batch_without_depth_leaves_the_depth_part_alone(begun):
    made = taught(begun, learning={"with_depth": 0.0})
    before = weights(made)
    made.learner.learn([pictures()])
    moved = changed(before, weights(made))
    assert not any("depth" in n for n in moved)
    assert any(n.startswith("model.rgb_tower.") for n in moved)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 3, 9), (1.0, 12, 12)])
def test_the_share_of_batches_with_depth(share, least, most, begun, monkeypatch):
    made = taught(begun, weights=PLAIN, learning={"with_depth": share, "accumulate": 12})
    shown = []
    collate = made.objective.collate
    monkeypatch.setattr(made.objective, "collate", lambda p, d: collate(p, shown.append(d) or d))
    made.learner.learn([pictures(k, count=2) for k in range(12)])
    assert len(shown) == 12
    assert least <= sum(shown) <= most


def test_a_model_without_depth_is_shown_none(tmp_path):
    made = taught(save(tmp_path / "begun", depth="none"), learning={"with_depth": 1.0})
    assert math.isfinite(made.learner.learn([pictures()])["loss"])


def test_what_a_batch_lacks_does_not_count_in_the_mean(begun):
    told = {}
    for with_depth in (1.0, 0.3):
        learning = {"with_depth": with_depth, "accumulate": 6, "lr": 0.0}
        told[with_depth] = taught(begun, learning=learning).learner.learn([pictures()] * 6)
    assert told[0.3]["loss"] != told[1.0]["loss"]
    assert told[0.3]["depth_category"] == pytest.approx(told[1.0]["depth_category"])


def test_the_rate_rises_and_falls(begun):
    learning = {"lr": 0.01, "warmup": 0.5, "floor": 0.1}
    made = taught(begun, weights=PLAIN, learning=learning)
    rates = [made.learner.learn([pictures(count=2)])["lr"] for _ in range(8)]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[7] > 0.001


@pytest.mark.parametrize(
    ("learning", "message"),
    [
        ({"learns": ["nose"]}, "learns: the model has no part 'nose'"),
        ({"learns": ["depth_projector", "nose"]}, "learns: the model has no part 'nose'"),
    ],
)
def test_a_part_that_is_not_there_is_named(learning, message, begun):
    with pytest.raises(ValueError, match=message):
        taught(begun, learning=learning)


def test_a_loss_with_an_unknown_part_is_named(begun):
    with pytest.raises(ValueError, match="weights: the loss has no part 'beauty'"):
        taught(begun, weights={**WEIGHTS, "beauty": 1.0})


def test_another_number_of_batches_is_refused(begun):
    with pytest.raises(ValueError, match="pictures: expected 2 batches, got 1"):
        taught(begun, learning={"accumulate": 2}).learner.learn([pictures()])


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_gradient_that_is_not_finite_changes_nothing(bad, begun, tmp_path):
    made = taught(begun)
    made.learner.learn([pictures()])
    made.learner.save(tmp_path / "before", made.processor)
    before, finite = weights(made), made.objective.weights
    made.objective.weights = replace(finite, words=bad)
    told = made.learner.learn([pictures(1)])
    assert not math.isfinite(told["norm"])
    assert made.learner.step == 2
    assert not changed(before, weights(made))
    made.learner.save(tmp_path / "after", made.processor)
    for one, other in zip(*(gradients(tmp_path / n) for n in ("before", "after")), strict=True):
        assert torch.equal(one, other)
    made.objective.weights = finite
    assert math.isfinite(made.learner.learn([pictures(1)])["norm"])
    assert changed(before, weights(made))


def mark(made, number):
    """Write a number into the model and into a head."""
    with torch.no_grad():
        made.objective.model.rgb_projector.state_dict(keep_vars=True).popitem()[1].fill_(number)
        made.objective.rgb_head.category.bias.fill_(number)


def marks(folder):
    """Read the number from the model, from a head, and from what `save` was given."""
    made = taught(folder)
    number = made.learner.load(folder)["number"]
    weight = made.objective.model.rgb_projector.state_dict().popitem()[1]
    return [
        float(weight.flatten()[0]),
        float(made.objective.rgb_head.category.bias.detach()[0]),
        number,
    ]


@pytest.mark.slow
def test_a_kill_while_saving_leaves_a_whole_checkpoint(begun, tmp_path):
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from taught_parts import taught\n"
        "from test_learner import mark\n"
        "made = taught(pathlib.Path(sys.argv[2]))\n"
        "for k in range(100_000):\n"
        "    mark(made, k % 1000)\n"
        "    made.learner.save(pathlib.Path(sys.argv[3]), made.processor, {'number': k % 1000})\n"
        "    print(k, flush=True)\n"
    )
    kept = tmp_path / "kept"
    parts = Path(sys.modules["taught_parts"].__file__).parent
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(parts), str(begun), str(kept)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(3):
        saved = int(process.stdout.readline())
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0].split()
    recover(kept)
    number, *others = marks(kept)
    assert others == [number] * 2
    assert int(rest[-1] if rest else saved) <= number <= int(rest[-1] if rest else saved) + 1


@pytest.mark.parametrize("step", ["before", "between", "after"])
def test_wherever_saving_is_cut_off_a_whole_checkpoint_is_there(step, begun, tmp_path, monkeypatch):
    made, kept = taught(begun), tmp_path / "kept"
    mark(made, 1)
    made.learner.save(kept, made.processor, {"number": 1})
    moves, real = [], os.replace
    least = {"before": 0, "between": 1, "after": 2}[step]

    def move(*args):
        if len(moves) == least:
            raise KeyboardInterrupt
        moves.append(real(*args))

    def remove(folder, **_):
        if len(moves) == 2:
            raise KeyboardInterrupt

    mark(made, 2)
    with monkeypatch.context() as patched:
        patched.setattr(folders.os, "replace", move)
        patched.setattr(folders.shutil, "rmtree", remove)
        with pytest.raises(KeyboardInterrupt):
            made.learner.save(kept, made.processor, {"number": 2})
    recover(kept)
    assert marks(kept) == [2 if step == "after" else 1] * 3
    mark(made, 3)
    made.learner.save(kept, made.processor, {"number": 3})
    assert marks(kept) == [3] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_saving_alone_never_takes_the_last_checkpoint_away(begun, tmp_path, monkeypatch):
    made, kept = taught(begun), tmp_path / "kept"
    made.learner.save(kept, made.processor, {"number": 1})
    kept.rename(tmp_path / "kept.old")

    def full(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(made.objective.model, "save_pretrained", full)
    with pytest.raises(OSError, match="full"):
        made.learner.save(kept, made.processor, {"number": 2})
    assert (kept / STATE).exists()


@pytest.mark.parametrize("kind", ["absent", "cut", "text", "other"])
def test_a_state_that_is_damaged_is_named_in_one_line(kind, begun, tmp_path):
    made, kept = taught(begun), tmp_path / "kept"
    made.learner.save(kept, made.processor)
    file = kept / STATE
    data = file.read_bytes()
    file.unlink()
    if kind == "other":
        torch.save({"hello": 1}, file)
    elif kind != "absent":
        file.write_bytes({"cut": data[: len(data) // 2], "text": b"hello"}[kind])
    with pytest.raises(ValueError, match="cannot go on from here") as caught:
        made.learner.load(kept)
    assert "\n" not in str(caught.value)
    if kind == "absent":
        assert heads_of(kept, made.objective) == {}
    else:
        with pytest.raises(ValueError, match=r"trainer\.pt: cannot be read") as caught:
            heads_of(kept, made.objective)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_begins_another_training_with_its_heads(begun, tmp_path):
    made = taught(begun)
    made.learner.learn([pictures()])
    made.learner.save(tmp_path / "kept", made.processor)
    assert not changed(weights(made), weights(taught(tmp_path / "kept", seed=9)))
