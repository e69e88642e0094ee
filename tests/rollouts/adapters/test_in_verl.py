"""In verl's environment: its agent loop worker plays episodes with a tiny model, for real."""

import asyncio
import types

import numpy as np
import pytest

pytestmark = [pytest.mark.adapters, pytest.mark.slow]
pytest.importorskip("verl", reason="`make adapters` has it")

import hydra  # noqa: E402
import tiny  # noqa: E402
import torch  # noqa: E402
from examples import examples  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from transformers import Qwen2_5_VLModel  # noqa: E402
from verl.experimental.agent_loop.agent_loop import (  # noqa: E402
    AgentLoopWorker,
    _agent_loop_registry,
)
from verl.protocol import DataProto  # noqa: E402
from verl.utils.dataset.rl_dataset import RLHFDataset  # noqa: E402
from verl.utils.rollout_trace import RolloutTraceConfig  # noqa: E402
from verl.workers.rollout.llm_server import LLMServerClient  # noqa: E402
from verl.workers.rollout.replica import TokenOutput  # noqa: E402

from refergym.rollouts.adapters.place import Place, place_of  # noqa: E402
from refergym.rollouts.adapters.playing import Playing  # noqa: E402
from refergym.rollouts.adapters.verl_rows import rows, write_rows  # noqa: E402

PLACE = {
    "task": "pick_place", "backend": "kinematic", "dialect": "qwen2_5_vl", "reward": "sim",
    "overrides": ["renderer.shadows=false", "renderer.antialias=none", "max_steps=3"],
}  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for c in m.content %}{% if c.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in c %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""as Qwen2.5-VL's, in short"""


class OwnServer(LLMServerClient):
    """verl's client, whose server is a model in this process."""

    def __init__(self, config, model, processor):
        super().__init__(config)
        self.model, self.own, self.asked = model, processor, []

    async def generate(self, request_id, *, prompt_ids, sampling_params, image_data=None, **kwargs):
        self.asked.append((request_id, list(prompt_ids), len(image_data)))
        seen = self.own.image_processor(images=image_data, return_tensors="pt")
        ids = torch.tensor([prompt_ids])
        kinds = (ids == self.own.image_token_id).long()
        made = self.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds,
            **seen, max_new_tokens=40, do_sample=True, top_k=0,
            temperature=sampling_params["temperature"], return_dict_in_generate=True,
            output_scores=True,
        )  # fmt: skip
        tokens = made.sequences[0, len(prompt_ids) :]
        logits = torch.stack(made.scores)[:, 0]
        likely = logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
        return TokenOutput(token_ids=tokens.tolist(), log_probs=likely.tolist())


@pytest.fixture(scope="module")
def parts():
    """A model that answers points, and its processor as verl's `hf_processor` leaves it."""
    model, processor = tiny.model("qwen2_5_vl", CHAT)
    processor.tokenizer.chat_template = CHAT
    processor.config = model.config
    for name in ("get_rope_index", "get_vision_position_ids"):
        if hasattr(Qwen2_5_VLModel, name):
            bound = types.MethodType(getattr(Qwen2_5_VLModel, name), processor)
            setattr(processor, name, bound)
    chats = [
        [{"role": "user", "content": [{"type": "image", "image": tiny.picture(224, 224)}]}],
        [{"role": "user", "content": [{"type": "image", "image": tiny.picture(224, 224)},
                                      {"type": "text", "text": "Something was picked up."}]}],
    ]  # fmt: skip
    said = [f'[{{"point_2d": [{x}, {y}]}}]' for x in range(4, 112, 9) for y in range(4, 112, 9)]
    tiny.taught(model, processor, chats, [said] * 2, steps=100)
    torch.manual_seed(0)
    return model, processor


def worker(parts, length=600):
    model, processor = parts
    config = OmegaConf.create(
        {
            "actor_rollout_ref": {
                "rollout": {
                    "prompt_length": 1024, "response_length": length, "temperature": 1.0,
                    "top_p": 1.0, "top_k": -1, "calculate_log_probs": True, "name": "vllm",
                    "agent": {"default_agent_loop": "refergym"},
                    "val_kwargs": {"top_p": 1.0, "top_k": -1, "temperature": 1.0},
                },
            },
            "data": {"apply_chat_template_kwargs": {}, "mm_processor_kwargs": {}},
        }
    )  # fmt: skip
    # without its constructor, which loads a published model's folder; all that follows is verl's
    made = object.__new__(AgentLoopWorker)
    made.config, made.rollout_config = config, config.actor_rollout_ref.rollout
    made.tokenizer, made.processor = processor.tokenizer, processor
    made.llm_client = OwnServer(config, model, processor)
    made.hf_model_type, made.dataset_cls, made.tools = "qwen2_5_vl", RLHFDataset, []
    made.mm_processor_kwargs, made.distillation_enabled = {}, False
    made.teacher_client = made.reward_loop_worker_handles = None
    RolloutTraceConfig.init("refergym", "test", None)
    (loop,) = OmegaConf.create(
        [
            {
                "name": "refergym", "place": PLACE,
                "_target_": "refergym.rollouts.adapters.verl_loop.EpisodeLoop",
            }
        ]
    )  # fmt: skip
    _agent_loop_registry["refergym"] = loop
    return made


def batch(made, repeats):
    table = [row for row in made for _ in range(repeats)]
    return DataProto(
        non_tensor_batch={
            "raw_prompt": np.array([r["prompt"] for r in table] + [None], object)[:-1],
            "extra_info": np.array([r["extra_info"] for r in table] + [None], object)[:-1],
            "agent_name": np.array([r["agent_name"] for r in table], object),
            "index": np.array([r["extra_info"]["index"] for r in table]),
        },
        meta_info={"global_steps": 0},
    )


@pytest.fixture(scope="module")
def made_rows():
    return rows(place_of(PLACE), 2, seed=1, system="Point.")


def test_verls_worker_plays_groups_of_episodes(parts, made_rows):
    made = worker(parts)
    out = asyncio.run(made.generate_sequences(batch(made_rows, 3)))
    assert out.batch["responses"].shape == (6, 600)
    mask, scores = out.batch["response_mask"], out.batch["rm_scores"]
    attended = out.batch["attention_mask"][:, -600:]
    assert (mask <= attended).all()
    assert torch.equal((scores != 0).sum(-1), (scores.sum(-1) != 0).long()), "one score a row"
    turns = out.non_tensor_batch["__num_turns__"]
    assert set(turns.tolist()) <= {2, 4, 6}
    assert turns.max() > 2
    tokenizer = made.tokenizer
    playing = Playing(place_of(PLACE))
    for k in range(6):
        # what counts as the model's is what it said, turn by turn: played again it earns the same
        said, likely = [[]], out.batch["rollout_log_probs"][k]
        for token, own in zip(out.batch["responses"][k].tolist(), mask[k].tolist(), strict=True):
            if own:
                said[-1].append(token)
            elif said[-1]:
                said.append([])
        texts = [tokenizer.decode(s, skip_special_tokens=True) for s in said if s]
        assert 2 * len(texts) == turns[k]
        playing.begin(start=made_rows[k // 3]["extra_info"]["start"])
        for text in texts:
            playing.answer(text, (112, 112))
        assert playing.is_over
        assert playing.total == pytest.approx(float(scores[k].sum()), abs=1e-6)
        assert (likely[mask[k].bool()] < 0).all()
        assert (likely[~mask[k].bool()] == 0).all()
    playing.close()
    assert len({tuple(t) for _, t, n in made.llm_client.asked if n == 1}) == 2, "alike in a group"
    assert {n for _, _, n in made.llm_client.asked} == set(range(1, int(turns.max()) // 2 + 1))
    pictures = out.non_tensor_batch["multi_modal_inputs"]
    assert [len(p["image_grid_thw"]) for p in pictures] == (turns // 2).tolist()


def test_every_turn_goes_on_from_the_very_tokens(parts, made_rows):
    made = worker(parts)
    asyncio.run(made.generate_sequences(batch(made_rows, 1)))
    by_request = {}
    for request, tokens, _ in made.llm_client.asked:
        before = by_request.get(request, [])
        assert tokens[: len(before)] == before
        by_request[request] = tokens
    assert len(by_request) == 2


def test_an_episode_that_finds_no_room_ends_at_a_whole_turn(parts, made_rows):
    out = asyncio.run(worker(parts, length=60).generate_sequences(batch(made_rows, 1)))
    assert out.non_tensor_batch["__num_turns__"].tolist() == [2, 2]
    assert out.batch["response_mask"].sum() > 0


def test_rows_without_a_start_are_refused(parts, made_rows):
    wrong = [{**r, "extra_info": {"index": 0}} for r in made_rows]
    with pytest.raises(ValueError, match=r"extra_info.start: required"):
        asyncio.run(worker(parts).generate_sequences(batch(wrong, 1)))


def test_rows_are_read_by_verls_own_data_set(parts, tmp_path):
    path = tmp_path / "rows.parquet"
    made = rows(
        Place(task="point_at_object", backend="kinematic", dialect="qwen2_5_vl"), 2, pictures=True
    )
    write_rows(path, made)
    config = OmegaConf.create({"max_prompt_length": 1024, "filter_overlong_prompts": False})
    _, processor = parts
    read = RLHFDataset(str(path), processor.tokenizer, config, processor=processor)
    assert len(read) == 2
    row = read[0]
    assert row["extra_info"]["start"] == made[0]["extra_info"]["start"]
    kinds = [part["type"] for part in row["raw_prompt"][0]["content"]]
    assert kinds == ["image", "text"]


def test_the_examples_of_the_page_run(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = examples("verl")
    exec(code, {})
    _, processor = parts
    config = OmegaConf.create({"max_prompt_length": 1024, "filter_overlong_prompts": False})
    assert len(RLHFDataset("train.parquet", processor.tokenizer, config, processor=processor)) == 4
    (loop,) = examples("verl", "yaml")
    (found,) = OmegaConf.create(loop)
    assert hydra.utils.get_class(found._target_).__name__ == "EpisodeLoop"
    assert place_of(found.place).dialect == "qwen2_5_vl"
