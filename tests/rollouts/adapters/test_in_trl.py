"""In TRL's environment: a few steps of GRPOTrainer on tiny models, for real."""

import math
import os
from pathlib import Path

import pytest

pytestmark = [pytest.mark.adapters, pytest.mark.slow]
trl = pytest.importorskip("trl", reason="`make adapters` has it")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import tiny  # noqa: E402
import torch  # noqa: E402
from examples import examples  # noqa: E402

from refergym.rollouts.adapters.place import Place  # noqa: E402
from refergym.rollouts.adapters.seeing import seen_size  # noqa: E402
from refergym.rollouts.adapters.trl_environment import (  # noqa: E402
    PointingEnvironment,
    environment_factory,
    environment_rows,
)
from refergym.rollouts.adapters.trl_rewards import prompt_rows, reward_functions  # noqa: E402

QUICK = ("renderer.shadows=false", "renderer.antialias=none")
GROUP = 4


def template(name):
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()


def settings(folder, **changes):
    return trl.GRPOConfig(
        output_dir=str(folder),
        **{
            "per_device_train_batch_size": GROUP, "num_generations": GROUP, "max_steps": 2,
            "max_completion_length": 160, "learning_rate": 1e-3, "logging_steps": 1,
            "report_to": "none", "use_cpu": True, "save_strategy": "no", "bf16": False,
            "temperature": 1.0, "beta": 0.0, "loss_type": "dapo", "seed": 0,
        }
        | changes,
    )  # fmt: skip


def logged(trainer, name):
    return [row[name] for row in trainer.state.log_history if name in row]


def answers(step):
    return [tiny.POINT.format(x, y) for x in range(0, 1000, step) for y in range(0, 1000, step)]


@pytest.fixture(scope="module")
def place():
    return Place(
        task="pick_place", backend="kinematic", dialect="qwen3_vl", reward="near", overrides=QUICK
    )


def test_grpo_learns_from_episodes_of_the_environment(place, tmp_path):
    model, processor = tiny.model("qwen3_vl", template("qwen3_vl"))
    rows = environment_rows(place, 2)
    assert rows.column_names == ["prompt", "start", "index"]
    probe = PointingEnvironment(place)
    chats = []
    for row in rows:
        content = [{"type": "text", "text": row["prompt"][0]["content"]}]
        chats.append([{"role": "user", "content": content + probe.reset(**row)}])
    calls = [tiny.CALL.format(a) for a in answers(125)]
    tiny.taught(model, processor, chats, [calls] * 2, steps=80, tools=[probe.answer])
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    played = []

    class Watched(PointingEnvironment):
        def get_reward(self):
            played.append(self._playing)
            return super().get_reward()

    trainer = trl.GRPOTrainer(
        model=model, processing_class=processor, train_dataset=rows, args=settings(tmp_path),
        environment_factory=lambda: Watched(place),
    )  # fmt: skip
    trainer.train()
    assert trainer.state.global_step == 2
    assert max(logged(trainer, "tools/call_frequency")) > 0, "no answer reached the environment"
    assert {p.start.digest for p in played[:GROUP]} == {played[0].start.digest}
    assert max(logged(trainer, "rewards/Watched/mean")) > 0
    assert max(logged(trainer, "reward_std")) > 0, "a group without differences teaches nothing"
    assert all(math.isfinite(x) for x in logged(trainer, "loss"))
    moved = [k for k, v in model.named_parameters() if not torch.equal(v.detach(), before[k])]
    assert any("visual" in k for k in moved), "pictures have no part in it"
    assert any("lm_head" in k for k in moved)


def test_rows_without_a_start_are_refused(place, tmp_path):
    model, processor = tiny.model("qwen3_vl", template("qwen3_vl"))
    trainer = trl.GRPOTrainer(
        model=model, processing_class=processor, args=settings(tmp_path),
        environment_factory=environment_factory(place),
    )  # fmt: skip
    with pytest.raises(ValueError, match="start: required, but missing"):
        trainer.train()


def test_grpo_learns_from_reward_functions(tmp_path):
    model, processor = tiny.model("qwen2_5_vl", template("qwen2_5_vl"))
    place = Place(
        task="point_at_object", backend="kinematic", dialect="qwen2_5_vl", reward="roborefer",
        overrides=QUICK, seen_size=seen_size(processor, (224, 224)),
    )  # fmt: skip
    assert place.seen_size == (112, 112)
    rows = prompt_rows(place, 2)
    assert rows[0]["images"][0].size == (224, 224)
    chats = [
        [{"role": "user", "content": [
            {"type": "image", "image": r["images"][0]},
            {"type": "text", "text": r["prompt"][0]["content"]},
        ]}]
        for r in rows
    ]  # fmt: skip
    forms = ["{}", "<think>so</think><answer>{}</answer>"]
    said = [
        form.format(f'[{{"point_2d": [{x}, {y}], "label": "it"}}]')
        for form in forms
        for x in range(4, 112, 16)
        for y in range(4, 112, 16)
    ]
    tiny.taught(model, processor, chats, [said] * 2, steps=80)
    trainer = trl.GRPOTrainer(
        model=model, processing_class=processor, train_dataset=rows,
        args=settings(tmp_path, max_completion_length=80), reward_funcs=reward_functions(place),
    )  # fmt: skip
    trainer.train()
    names = ("outcome_format", "point", "process_format", "process_accuracy")
    means = {n: logged(trainer, f"rewards/roborefer_{n}/mean") for n in names}
    assert all(len(m) == 2 for m in means.values())
    total = [sum(m[k] for m in means.values()) for k in range(2)]
    assert logged(trainer, "reward") == pytest.approx(total)
    assert max(means["outcome_format"]) > 0
    assert max(logged(trainer, "reward_std")) > 0
    assert max(logged(trainer, "grad_norm")) > 0


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin, pixels = examples("")
    (episodes,) = examples("TRL: an environment with several turns")
    (functions,) = examples("TRL: reward functions, one answer")
    for kind, code in (("qwen3_vl", begin + episodes), ("qwen2_5_vl", begin + pixels + functions)):
        model, processor = tiny.model(kind, template(kind))
        names = {"model": model, "processor": processor}
        exec(code, names)
        assert names["trainer"].state.global_step == 2


def test_a_model_without_tools_in_its_chat_is_refused_by_trl(place, tmp_path):
    model, processor = tiny.model("qwen2_5_vl", template("qwen2_5_vl"))
    with pytest.raises(ValueError, match="does not support tool calling"):
        trl.GRPOTrainer(
            model=model, processing_class=processor, args=settings(tmp_path),
            environment_factory=environment_factory(place),
            train_dataset=environment_rows(place, 1),
        )  # fmt: skip
