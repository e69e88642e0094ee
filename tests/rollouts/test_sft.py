"""`refergym sft`: learns, saves, goes on as if never stopped, evaluates, names what is wrong."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytest.importorskip("tensorboard")

import taught_parts  # noqa: E402
import vlm_parts  # noqa: E402
from sft_parts import WORDS, spread  # noqa: E402

from refergym.agents.sft.learner import STATE  # noqa: E402
from refergym.agents.vlm import load_model  # noqa: E402
from refergym.assets import records  # noqa: E402
from refergym.rollouts import cli, config, export, output, sft  # noqa: E402
from refergym.rollouts.errors import ConfigError, DataError, OutputError  # noqa: E402

NAMED = ["data.carry.weight=0"]


@pytest.fixture(scope="module")
def lessons(tmp_path_factory):
    """Where lessons are kept that several trainings share."""
    return tmp_path_factory.mktemp("lessons")


@pytest.fixture(scope="module")
def words(lessons):
    return [*WORDS, f"lessons={lessons}", "steps=8", "save_every=4"]


@pytest.fixture(autouse=True)
def points(monkeypatch):
    """Make points of the curve more often."""
    monkeypatch.setattr(sft, "EVERY", 3)


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """A training that was never stopped."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sft, "EVERY", 3)
        return sft.sft([*words, f"out={tmp_path_factory.mktemp('sft') / 'whole'}"])


def written(folder):
    return json.loads((folder / sft.RESULT).read_text())


def timeless(training):
    """What was learned, without how long it took and where it is."""
    made = json.loads(json.dumps(training))
    for point in made["curve"]:
        del point["seconds"]
    del made["config"]["out"], made["config"]["resume"]
    return made


def state(folder):
    found = torch.load(folder / sft.CHECKPOINT / STATE, weights_only=True)
    found["extra"] = json.loads(found["extra"])
    return found


def test_what_was_learned_is_on_record(whole):
    found = records.decode((whole.folder / sft.RESULT).read_bytes(), sft.Training, error=ValueError)
    assert found == whole.training
    assert found.is_done
    assert [p.step for p in found.curve] == [3, 6, 8]
    assert found.curve[-1].tokens > found.curve[0].tokens > 0
    assert {"loss", "words", "coordinates", "pointer", "category", "norm", "lr"} <= set(
        found.curve[0].parts
    )
    assert {"torch", "transformers", "accelerate"} <= set(found.versions)
    assert {p.name for p in whole.folder.iterdir()} == {
        "run.json", "sft.json", "checkpoint", "tensorboard",
    }  # fmt: skip


def test_the_curve_is_written_for_tensorboard(whole):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    made = accumulator.EventAccumulator(str(whole.folder / "tensorboard")).Reload()
    told = [(e.step, e.value) for e in made.Scalars("train/loss")]
    assert [step for step, _ in told] == [3, 6, 8]
    assert [v for _, v in told] == pytest.approx([p.parts["loss"] for p in whole.training.curve])


def test_the_checkpoint_is_a_model(whole):
    model, processor = load_model(str(whole.folder / sft.CHECKPOINT))
    assert sum(p.numel() for p in model.parameters()) == whole.training.parameters
    assert processor.tokenizer("point at the mug").input_ids


def test_a_loss_falls(whole):
    curve = whole.training.curve
    assert curve[-1].parts["loss"] < curve[0].parts["loss"]


@pytest.mark.parametrize("stop", [3, 6])
def test_a_resumed_run_equals_the_uninterrupted_one_bitwise(stop, whole, words, tmp_path):
    told = [*words, f"out={tmp_path}"]

    def interrupt(point):
        if point.step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sft.sft(told, on_progress=interrupt)
    assert (tmp_path / sft.CHECKPOINT).exists() == (stop > 4)
    with pytest.raises(OutputError, match="resume=true"):
        sft.sft(told)
    done = sft.sft([*told, "resume=true"])
    assert timeless(written(done.folder)) == timeless(written(whole.folder))
    for file in ("model.safetensors", "tokenizer.json"):
        one, other = (x.folder / sft.CHECKPOINT / file for x in (done, whole))
        assert one.read_bytes() == other.read_bytes(), file
    one, other = state(done.folder), state(whole.folder)
    for found in (one, other):
        for point in [found["extra"], *found["extra"]["curve"]]:
            del point["seconds"]
    assert one["extra"] == other["extra"]
    assert torch.equal(one["rng"], other["rng"])
    for key, moments in one["optimiser"]["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, other["optimiser"]["state"][key][name])


def test_a_kill_between_checkpoint_and_record_loses_no_point(whole, words, tmp_path):
    told = [*words, f"out={tmp_path / 'out'}"]

    def interrupt(point):
        if point.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sft.sft(told, on_progress=interrupt)
    (tmp_path / "out" / sft.RESULT).unlink()
    # and in the middle of the next one
    (tmp_path / "out" / sft.CHECKPOINT).rename(tmp_path / "out" / "checkpoint.old")
    done = sft.sft([*told, "resume=true"])
    assert timeless(written(done.folder)) == timeless(written(whole.folder))


def test_a_finished_run_stays_as_it_is(whole, words, tmp_path):
    folder = shutil.copytree(whole.folder, tmp_path / "out")
    before = (folder / sft.CHECKPOINT / "model.safetensors").stat().st_mtime_ns
    again = sft.sft([*words, f"out={folder}", "resume=true"]).training
    assert again.curve == whole.training.curve
    assert (folder / sft.CHECKPOINT / "model.safetensors").stat().st_mtime_ns == before


def test_a_resumed_run_may_not_become_another(whole, words):
    with pytest.raises(OutputError, match=r"resume: lr was 0\.001 .*, now it is 0\.1"):
        sft.sft([*words, f"out={whole.folder}", "resume=true", "lr=0.1"])


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_saved_and_it_can_go_on(words, tmp_path):
    told = [*words, *NAMED, "steps=12", "save_every=1", f"out={tmp_path}"]
    # where tests run in the background, processes are deaf to it
    code = (
        "import signal, sys; from refergym.rollouts import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(cli.main(['sft', *sys.argv[1:]]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *told], stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 500
    while not (tmp_path / sft.RESULT).exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130, said
    assert "the same command with resume=true goes on" in said
    assert "Traceback" not in said
    assert "Writing model shards" not in said
    stopped = written(tmp_path)
    assert not stopped["is_done"]
    assert 0 < stopped["step"] < 12
    done = sft.sft([*told, "resume=true"]).training
    assert done.is_done
    assert done.step == 12


def test_without_a_terminal_a_line_tells_now_and_then(words, tmp_path, caplog):
    with caplog.at_level("INFO", "refergym"):
        assert cli.main(["sft", *words, *NAMED, "tensorboard=false", f"out={tmp_path}"]) == 0
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("step ")]
    assert [line.split(":")[0] for line in lines] == ["step 6 of 8", "step 8 of 8"]
    assert all("loss" in line and "tokens/s" in line for line in lines)
    assert not (tmp_path / "tensorboard").exists()


def test_a_folder_and_generated_tasks_are_mixed(generated, lessons, tmp_path):
    _, folder = export.export([f"tasks={generated['object']}", f"out={tmp_path / 'refspatial'}"])
    mixed = f"+data.written={{weight: 3, count: null, folder: {folder}}}"
    told = [*WORDS, *NAMED, mixed, f"lessons={lessons}", "steps=4", "batch=4"]
    done = sft.sft([*told, f"out={tmp_path / 'out'}"])
    places = state(done.folder)["extra"]["mixture"]
    assert set(places) == {"drawn", "named", "written"}
    assert places["drawn"] == 4
    assert places["named"] != [0, 0]
    assert places["written"] != [0, 0]


def test_alignment_begins_with_a_model_and_changes_the_depth_projector_alone(
    whole, words, tmp_path
):
    init = whole.folder / sft.CHECKPOINT
    done = sft.sft([*words, "stage=align", f"init={init}", "steps=2", f"out={tmp_path}"])
    before, after = (
        load_model(str(x))[0].state_dict() for x in (init, done.folder / sft.CHECKPOINT)
    )
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert moved
    assert all(n.startswith("depth_projector.") for n in moved)


@pytest.mark.parametrize("depth", ["none", "shared", "dedicated"])
def test_a_model_goes_on_with_another_depth_tower(whole, words, tmp_path, depth):
    init = whole.folder / sft.CHECKPOINT
    told = [*words, f"init={init}", f"depth={depth}", "lr=0", "steps=1", "episodes=0"]
    done = sft.sft([*told, f"out={tmp_path}"])
    before, after = (load_model(str(x))[0] for x in (init, done.folder / sft.CHECKPOINT))
    assert after.config.depth == depth
    has = {"dedicated": {"depth_tower", "depth_projector"}, "shared": {"depth_projector"}}
    state = after.state_dict()
    assert {n.split(".")[0] for n in state if n.startswith("depth")} == has.get(depth, set())
    old = before.state_dict()
    assert all(torch.equal(old[n], value) for n, value in state.items())


def test_a_new_models_depth_is_the_models(words, tmp_path):
    with pytest.raises(ConfigError, match=r"a new model's is model\.depth"):
        sft.sft([*words, "depth=none", f"out={tmp_path}"])


def test_another_seed_may_learn_from_the_same_scenes(whole, words, lessons, tmp_path):
    kept = sorted(lessons.rglob("*.npz"))
    told = [*words, "seed=5", "steps=2", "episodes=0"]
    with pytest.raises(OutputError, match="made by another plan"):
        sft.sft([*told, f"out={tmp_path / 'other'}"])
    done = sft.sft([*told, "scene_seed=0", f"out={tmp_path / 'same'}"])
    assert sorted(lessons.rglob("*.npz")) == kept
    assert done.training.curve[0].parts != whole.training.curve[0].parts


def test_towers_learn_to_see_without_questions(words, tmp_path):
    told = [*words, *NAMED, "stage=see", "steps=2", "episodes=3"]
    done = sft.sft([*told, f"out={tmp_path}"]).training
    assert done.curve[-1].tokens == 0
    assert "words" not in done.curve[-1].parts
    assert not done.validated, "what cannot answer is not evaluated"


def test_steps_that_are_not_finite_leave_the_record_readable(words, tmp_path):
    told = [*words, *NAMED, "stage.weights.words=1e38", "stage.weights.coordinates=1e38"]
    done = sft.sft([*told, "steps=4", f"out={tmp_path}"]).training
    assert done.is_done
    assert "norm" not in done.curve[-1].parts
    assert sft.sft([*told, "steps=4", f"out={tmp_path}", "resume=true"]).training.step == 4


def answers_shortly(folder):
    """Write a policy that says little, so that an evaluation takes no time."""
    path = folder / "policy" / "nano.yaml"
    path.parent.mkdir(parents=True)
    shipped = config.choice("policy", "nano")
    path.write_text(json.dumps({**shipped, "dialect": "roborefer", "max_new_tokens": 4}))
    return folder


@pytest.mark.slow
def test_it_is_evaluated_while_it_learns(words, tmp_path):
    told = [*words, *NAMED, "steps=5", "episodes=2", "evaluate_every=2", f"out={tmp_path / 'out'}"]
    seen = []

    def interrupt(point):
        seen.append(written(tmp_path / "out")["validated"])
        if point.step == 5 and len(seen) == 2:
            raise KeyboardInterrupt

    settings = answers_shortly(tmp_path / "configs")
    with pytest.raises(KeyboardInterrupt):
        sft.sft(told, settings, interrupt)
    done = sft.sft([*told, "resume=true"], settings, interrupt)
    assert [v["step"] for v in seen[0]] == [2]
    assert [v.step for v in done.training.validated] == [2, 4, 5]
    for validated in done.training.validated:
        assert set(validated.scores) == {"named"}, "the sources that it learns from"
        assert validated.scores["named"].n == 2
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    made = accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert [e.step for e in made.Scalars("validation/named")] == [2, 4, 5]


@pytest.mark.slow
def test_an_evaluation_that_a_kill_prevented_is_made_up_for(whole, words, tmp_path):
    told = [*words, *NAMED, "steps=2", "episodes=1", f"out={tmp_path / 'out'}"]
    settings = answers_shortly(tmp_path / "configs")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sft, "validate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sft.sft(told, settings)
    assert state(tmp_path / "out")["step"] == 2
    done = sft.sft([*told, "resume=true"], settings).training
    assert [v.step for v in done.validated] == [2]


def broken(folder, kind):
    """A folder that is no model to begin with."""
    if kind == "missing":
        return folder / "absent"
    if kind == "other":
        made = vlm_parts.llava()
        made.save(folder)
        return folder
    taught_parts.save(folder)
    file = folder / "model.safetensors"
    if kind == "damaged":
        file.write_bytes(file.read_bytes()[:1000])
    return folder


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "absent' is no folder"),
        ("other", "is a LlavaForConditionalGeneration; expected a ReferVLM"),
        ("damaged", "is no folder of a model"),
        ("size", "init: that model sees 28 x 28 px, and `model` another size"),
    ],
)
def test_a_bad_model_to_begin_with_is_named_in_one_line(kind, message, words, tmp_path):
    told = [*words, *NAMED, f"out={tmp_path / 'out'}", f"init={broken(tmp_path / 'init', kind)}"]
    with pytest.raises(ConfigError, match=message) as caught:
        sft.sft(told)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / output.RUN).exists(), "so that the mended command can run"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["scene.width=32"], r"scene\.width, scene\.height: the model sees 64 x 64 px"),
        (["data.named.weight=0", *NAMED], "data: expected a source with a weight above 0"),
        (["+data.x={weight: 1, count: null, folder: /absent}"], "/absent: no RefSpatial"),
        (["+data.x={weight: 1, count: null}"], r"task: required"),
        (["data.named.weight=-1"], r"weight: expected >= 0, got -1"),
        (["steps=0"], r"steps: expected >= 1, got 0"),
        (["precision=bf8"], r"precision: expected one of"),
        (["+stage.weights.beauty=1"], r"sft: weights: the loss has no part 'beauty'"),
        (["stage.learns=[nose]"], r"sft: learns: the model has no part 'nose'"),
        (["stage=aligne"], r"stage"),
        (["batchs=3"], r"did you mean batch"),
        (["scene.counts=[2,2]", "data.named.task.steps=[5,5]", *NAMED, "lessons=null"],
         "named: no lesson in 2 groups"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_line(changes, message, words, tmp_path, monkeypatch):
    monkeypatch.setattr("refergym.rollouts.lessons.sources.BARREN", 2)
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        sft.sft([*words, *changes, f"out={tmp_path / 'out'}"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / output.RUN).exists(), "so that the mended command can run"


@pytest.mark.parametrize(
    ("package", "changes"),
    [("torch", []), ("accelerate", []), ("peft", ["lora=2"]), ("tensorboard", [])],
)
def test_a_missing_package_is_named(package, changes, words, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == package else real(name)
    )
    with pytest.raises(ConfigError, match=rf"sft needs {package}, .*EXTRAS=vlm"):
        sft.sft([*words, *changes, f"out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


def test_what_is_not_needed_may_be_missing(whole, words, monkeypatch):
    real = importlib.util.find_spec
    missing = {"peft", "tensorboard"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name in missing else real(name)
    )
    with pytest.raises(OutputError, match="already holds a run"):
        sft.sft([*words, "tensorboard=false", f"out={whole.folder}"])


def test_a_folder_has_one_writer(words, tmp_path):
    refused = []

    def meanwhile(_):
        if not refused:
            with pytest.raises(OutputError, match="another process writes to") as caught:
                sft.sft([*words, f"out={tmp_path}", "resume=true"])
            refused.append(caught.value)

    sft.sft([*words, f"out={tmp_path}"], on_progress=meanwhile)
    assert refused


@pytest.mark.slow
def test_two_processes_learn_what_one_does_with_twice_the_batches(words, tmp_path, monkeypatch):
    monkeypatch.undo()  # the processes have the points as they are
    told = [*words, "steps=4", "save_every=2"]
    one = sft.sft([*told, "accumulate=2", f"out={tmp_path / 'one'}"]).training
    command = ["-m", "refergym.rollouts.cli", "sft", *told, "accumulate=1"]
    ran = spread([*command, f"lessons={tmp_path / 'new'}", f"out={tmp_path / 'two'}"])
    assert [r.returncode for r in ran] == [0, 0], ran
    assert ran[0].stdout.startswith("Wrote checkpoint")
    assert ran[1].stdout == ""
    two = written(tmp_path / "two")
    assert two["is_done"]
    assert two["curve"][-1]["tokens"] == one.curve[-1].tokens
    assert two["curve"][-1]["parts"]["loss"] == pytest.approx(one.curve[-1].parts["loss"], rel=1e-2)
    again = spread([*command, f"lessons={tmp_path / 'new'}", f"out={tmp_path / 'two'}"])
    assert [r.returncode for r in again] == [2, 2]
    assert all("already holds a run" in r.stderr for r in again)
    assert all("Traceback" not in r.stderr for r in (*ran, *again))
