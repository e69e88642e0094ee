import inspect
from importlib.util import find_spec
from typing import get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402
from transformers import GenerationConfig  # noqa: E402

from refergym.agents import vlm  # noqa: E402
from refergym.agents.policy import Policy  # noqa: E402
from refergym.agents.prompts import ChatPrompter, PlainPrompter, joined  # noqa: E402
from refergym.agents.sampling import SeededSampler  # noqa: E402
from refergym.agents.vlm import TransformersPolicy  # noqa: E402
from refergym.envs.answers import AnswerReader  # noqa: E402
from refergym.envs.dialects.base import PointSeen  # noqa: E402
from refergym.envs.dialects.qwen2_5_vl import Qwen25VL  # noqa: E402
from refergym.envs.errors import AnswerFault  # noqa: E402
from refergym.envs.registration import make_text_env  # noqa: E402
from refergym.rollouts import config  # noqa: E402
from refergym.rollouts.errors import ConfigError  # noqa: E402
from refergym.rollouts.plan import with_dialect  # noqa: E402

# of PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
SEEDS = [11, 12, 2**63 - 1]


@pytest.fixture(scope="module", params=list(vlm_parts.KINDS))
def part(request):
    return vlm_parts.KINDS[request.param]()


@pytest.fixture(scope="module")
def ours():
    return vlm_parts.refervlm()


@pytest.fixture(scope="module")
def seen():
    return vlm_parts.observations(3)


def recomputed(part, observation, answer, temperature=1.0):
    """Log-probabilities of an answer's tokens by one pass over prompt and answer, without cache."""
    prompt = part.prompter(observation, part.dialect, part.processor)
    inputs = dict(part.processor(**joined([prompt]), return_tensors="pt"))
    inputs.pop("labels", None)
    asked = inputs["input_ids"].shape[1]
    assert tuple(inputs["input_ids"][0].tolist()) == answer.prompt_tokens
    said = torch.tensor([answer.tokens])
    # of PaliGemma's 0 is the prompt, which it reads in both directions, and 1 what is said
    fill = {"attention_mask": 1, "token_type_ids": 1, "mm_token_type_ids": 0}
    for key, value in fill.items():
        if key in inputs:
            inputs[key] = torch.cat([inputs[key], torch.full_like(said, value)], -1)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], said], -1)
    with torch.inference_mode():
        logits = part.model(**inputs).logits[0, asked - 1 : -1].float() / temperature
    return logits.log_softmax(-1).gather(-1, said[0, :, None])[:, 0]


def test_it_fits_the_protocol(ours):
    assert isinstance(ours.policy(), Policy)
    assert not ours.policy().privileged


# Sums are rounded otherwise in other batches, by about 1e-6: tokens can only differ where two are
# as likely as that, or a draw falls as near to the edge between two.
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_is_the_same_alone_and_in_every_batch(part, seen, temperature):
    policy = part.policy(temperature=temperature)
    together = policy.act(seen, seeds=SEEDS)
    turned = policy.act(seen[::-1], seeds=SEEDS[::-1])[::-1]
    in_twos = part.policy(temperature=temperature, batch=2).act(seen, seeds=SEEDS)
    alone = [policy.act([o], seeds=[s])[0] for o, s in zip(seen, SEEDS, strict=True)]
    assert len({a.tokens for a in together}) == len(seen)
    for others in (turned, in_twos, alone):
        for one, other in zip(together, others, strict=True):
            assert (one.tokens, one.text, one.prompt_tokens, one.image_size) == (
                other.tokens, other.text, other.prompt_tokens, other.image_size,
            )  # fmt: skip
            np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_log_probabilities_are_those_of_a_pass_over_the_whole(part, seen, temperature):
    answers = part.policy(temperature=temperature, top_p=0.95).act(seen, seeds=SEEDS)
    for observation, answer in zip(seen, answers, strict=True):
        assert len(answer.tokens) == len(answer.logprobs) > 0
        expected = recomputed(part, observation, answer, temperature or 1.0)
        np.testing.assert_allclose(answer.logprobs, expected, atol=1e-4)


def test_an_answer_depends_on_picture_words_and_feedback(part, seen):
    policy = part.policy(max_new_tokens=1)
    (before,) = policy.act(seen[:1], seeds=[0])
    for change in (
        {"rgb": 255 - seen[0]["rgb"]},
        {"instruction": "pick it up"},
        {"feedback": "The gripper holds nothing."},
    ):
        (after,) = policy.act([{**seen[0], **change}], seeds=[0])
        assert after.logprobs != pytest.approx(before.logprobs, abs=1e-3), change


def test_an_answer_of_ours_depends_on_depth_too(ours, seen):
    policy = ours.policy(max_new_tokens=1)
    (before,) = policy.act(seen[:1], seeds=[0])
    (after,) = policy.act([{**seen[0], "depth": seen[0]["depth"][::-1]}], seeds=[0])
    assert after.logprobs != pytest.approx(before.logprobs, abs=1e-3)


def test_a_model_without_a_depth_tower_is_shown_none(tmp_path, seen):
    part = vlm_parts.refervlm(depth="none")
    part.save(tmp_path)
    # though the config's prompter has a place for it
    (answer,) = configured(tmp_path).act(seen[:1], seeds=SEEDS[:1])
    marks = part.model.config
    assert marks.image_token_id in answer.prompt_tokens
    assert marks.depth_token_id not in answer.prompt_tokens


def test_seeds_matter_above_temperature_zero_alone(part, seen):
    same = seen[:1] * 4
    greedy = part.policy(temperature=0.0).act(same, seeds=range(4))
    warm = part.policy(temperature=1.0).act(same, seeds=range(4))
    assert len({a.tokens for a in greedy}) == 1
    assert len({a.tokens for a in warm}) == 4
    narrow = part.policy(temperature=1.0, top_p=1e-6).act(same, seeds=range(4))
    assert {a.tokens for a in narrow} == {greedy[0].tokens}


def test_colder_answers_are_likelier(ours, seen):
    def mean(temperature):
        answers = ours.policy(temperature=temperature).act(seen[:1] * 16, seeds=range(16))
        return np.mean([recomputed(ours, seen[0], a).mean() for a in answers])

    assert mean(0.2) > mean(1.0) + 0.5 > mean(3.0) + 1.0


def test_the_words_are_those_of_the_tokens(part, seen):
    tokenizer = part.processor.tokenizer
    for answer in part.policy(temperature=1.0).act(seen, seeds=SEEDS):
        special = set(tokenizer.all_special_ids)
        kept = [t for t in answer.tokens if t not in special]
        assert answer.text == tokenizer.decode(kept, clean_up_tokenization_spaces=False)


def steered(part, monkeypatch, texts):
    """Make a model say texts, one each row, whatever it sees."""
    tokenizer = part.processor.tokenizer
    said = [tokenizer.encode(t, add_special_tokens=False) for t in texts]

    class Steered(SeededSampler):
        def __call__(self, input_ids, scores):
            k, scores = len(self._drawn), torch.zeros_like(scores)
            for place, row in enumerate(self._rows):
                token = said[row][k] if k < len(said[row]) else tokenizer.eos_token_id
                scores[place, token] = 100.0
            return super().__call__(input_ids, scores)

    monkeypatch.setattr(vlm, "SeededSampler", Steered)


def test_what_a_model_says_in_its_dialect_is_read_as_the_point(part, seen, monkeypatch):
    policy = part.policy(max_new_tokens=80)
    size = policy.act(seen[:1], seeds=[0])[0].image_size
    points = [(0.25, 0.5), (0.75, 0.125), (0.0, 0.875)]
    texts = [part.dialect.format((PointSeen(u=u, v=v),), size) for u, v in points]
    steered(part, monkeypatch, texts)
    answers = policy.act(seen, seeds=SEEDS)
    reader = AnswerReader(dialect=policy.dialect, several=policy.several)
    end = part.processor.tokenizer.eos_token_id
    for answer, text, point in zip(answers, texts, points, strict=True):
        assert answer.text == text
        assert answer.tokens[-1] == end
        assert answer.tokens.count(end) == 1
        assert reader.read(answer.text, answer.image_size).point_uv == pytest.approx(
            point, abs=0.02
        )


def test_an_answer_ends_with_its_end_token_while_others_go_on(ours, seen, monkeypatch):
    steered(ours, monkeypatch, ["a", "a longer one", ""])
    answers = ours.policy(max_new_tokens=30).act(seen, seeds=SEEDS)
    assert [a.text for a in answers] == ["a", "a longer one", ""]
    end = ours.processor.tokenizer.eos_token_id
    assert [a.tokens[-1] for a in answers] == [end] * 3
    assert [len(a.tokens) == len(a.logprobs) for a in answers] == [True] * 3
    assert answers[2].tokens == (end,)


def test_end_tokens_of_the_checkpoint_end_an_answer_too(ours, seen, monkeypatch):
    other = ours.processor.tokenizer.convert_tokens_to_ids("</answer>")
    monkeypatch.setattr(ours.model, "generation_config", GenerationConfig(eos_token_id=[other]))
    steered(ours, monkeypatch, ["ab</answer>cd"])
    (answer,) = ours.policy(max_new_tokens=30).act(seen[:1], seeds=[0])
    assert answer.tokens[-1] == other
    assert answer.text.startswith("ab")
    assert "cd" not in answer.text


def test_an_answer_is_cut_at_its_limit(ours, seen, monkeypatch):
    steered(ours, monkeypatch, ["[(0.250, 0.500)]"])
    policy = ours.policy(max_new_tokens=3)
    (answer,) = policy.act(seen[:1], seeds=[0])
    assert len(answer.tokens) == 3
    assert AnswerReader(dialect=policy.dialect).read(answer.text, (48, 40)).problem == "malformed"


def test_what_a_checkpoint_recommends_for_sampling_changes_nothing(ours, seen, monkeypatch):
    policy = ours.policy(temperature=1.0)
    before = policy.act(seen, seeds=SEEDS)
    recommended = GenerationConfig(
        do_sample=True, temperature=0.1, top_k=1, top_p=0.1, repetition_penalty=5.0,
        eos_token_id=ours.model.generation_config.eos_token_id,
    )  # fmt: skip
    monkeypatch.setattr(ours.model, "generation_config", recommended)
    assert policy.act(seen, seeds=SEEDS) == before


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("qwen2_5_vl", (48, 40), (42, 42)),
        ("qwen2_5_vl", (160, 80), (70, 28)),
        ("paligemma", (48, 40), (28, 28)),
        ("llava", (48, 40), (28, 28)),
        ("idefics3", (48, 40), (48, 40)),
        ("refervlm", (48, 40), (28, 28)),
    ],
)
def test_the_picture_has_the_size_that_the_processor_gave_it(kind, size, expected):
    policy = vlm_parts.KINDS[kind]().policy(max_new_tokens=1)
    (answer,) = policy.act(vlm_parts.observations(1, size=size), seeds=[0])
    assert answer.image_size == expected


def test_pixels_are_of_the_resized_picture():
    """160 x 80 px become 70 x 28: 35 px from the left is the middle."""
    policy = vlm_parts.qwen2_5_vl().policy(max_new_tokens=1)
    (answer,) = policy.act(vlm_parts.observations(1, size=(160, 80)), seeds=[0])
    read = AnswerReader(dialect=Qwen25VL()).read('[{"point_2d": [35, 14]}]', answer.image_size)
    assert read.point_uv == pytest.approx((0.5, 0.5), abs=0.02)


def test_pictures_of_several_sizes_go_into_one_batch(part):
    seen = [vlm_parts.observations(1, seed=k, size=(40 + 30 * k, 40))[0] for k in range(3)]
    together = part.policy().act(seen, seeds=SEEDS)
    alone = [part.policy().act([o], seeds=[s])[0] for o, s in zip(seen, SEEDS, strict=True)]
    assert [(a.tokens, a.image_size) for a in together] == [(a.tokens, a.image_size) for a in alone]


def test_a_declared_size_is_taken(ours, seen):
    answer = ours.policy(seen_size=(1000, 1000), max_new_tokens=1).act(seen[:1], seeds=[0])[0]
    assert answer.image_size == (1000, 1000)


def test_a_processor_that_cuts_pictures_is_made_to_show_all(caplog):
    part = vlm_parts.llava()
    policy = part.policy(max_new_tokens=1)
    assert "cuts pictures at the edges" in caplog.text
    (wide,) = vlm_parts.observations(1, size=(120, 40))
    before = policy.act([wide], seeds=[0])[0].logprobs
    edge = wide["rgb"].copy()
    edge[:, :20] = 255
    after = policy.act([{**wide, "rgb": edge}], seeds=[0])[0].logprobs
    assert after != pytest.approx(before, abs=1e-3)


def test_no_observations_are_no_answers(ours):
    assert ours.policy().act([], seeds=[]) == []


def test_garbage_is_a_step_without_a_point():
    env = make_text_env("point_at_object", "kinematic", renderer="embree")
    try:
        seen, _ = env.reset(seed=3)
        for kind in vlm_parts.KINDS.values():
            policy = kind().policy(temperature=2.0)
            (answer,) = policy.act([seen], seeds=[5])
            assert answer.text
            reader = AnswerReader(dialect=policy.dialect)
            seen, _, terminated, truncated, info = env.answer(
                answer.text, reader=reader, image_size=answer.image_size
            )
            assert info["problem"] in get_args(AnswerFault)
            if terminated or truncated:
                seen, _ = env.reset()
    finally:
        env.close()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": -1}, "temperature: expected >= 0"),
        ({"top_p": 2}, "top_p: expected in"),
        ({"max_new_tokens": 0}, "max_new_tokens: expected >= 1, got 0"),
        ({"batch": 0}, "batch: expected >= 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_named(ours, kwargs, message):
    with pytest.raises(ValueError, match=message):
        ours.policy(**kwargs)


@pytest.fixture(scope="module")
def saved(ours, tmp_path_factory):
    return ours.save(tmp_path_factory.mktemp("checkpoint"))


def configured(folder, *changes):
    node = config.choice("policy", "vlm")
    node |= {"path": str(folder), "max_new_tokens": 8, "temperature": 1.0}
    node["prompter"] = {
        "_target_": "refergym.agents.prompts.PlainPrompter", "depth": True,
        "template": "<image><depth>{words}\n",
    }  # fmt: skip
    for change in changes:
        node |= change
    return config.instantiate(with_dialect({**node, "dialect": "roborefer"}), "policy")


def test_the_config_loads_a_checkpoint(ours, saved, seen):
    made = configured(saved)
    assert isinstance(made, TransformersPolicy)
    assert made.act(seen, seeds=SEEDS) == ours.policy(temperature=1.0).act(seen, seeds=SEEDS)


def test_every_default_stands_in_the_config():
    node = config.choice("policy", "vlm")
    parameters = inspect.signature(TransformersPolicy.__init__).parameters
    known = {*parameters, "path", "device", "dtype", "engine", "vllm"}
    known -= {"self", "model", "processor"}
    assert set(node) - {"_target_"} == known
    assert node["prompter"]["_target_"].endswith("ChatPrompter")


@pytest.mark.parametrize("kind", ["idefics3", "paligemma", "llava"])
def test_a_stock_checkpoint_loads(kind, tmp_path, seen):
    part = vlm_parts.KINDS[kind]()
    part.save(tmp_path)
    loaded = TransformersPolicy.load(
        str(tmp_path), prompter=part.prompter, dialect=part.dialect, max_new_tokens=8
    )
    assert loaded.act(seen, seeds=SEEDS) == part.policy().act(seen, seeds=SEEDS)


def test_a_checkpoint_in_bfloat16_answers(saved, seen):
    answers = configured(saved, {"dtype": "bfloat16"}).act(seen, seeds=SEEDS)
    assert all(len(a.logprobs) == len(a.tokens) > 0 for a in answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "/nowhere/at/all"}, "policy: path: '/nowhere/at/all' is no folder"),
        ({"dtype": "float13"}, "policy: dtype: expected one of auto, float32, bfloat16, float16"),
        ({"device": "nonsense"}, "policy: device: 'nonsense' cannot be used: "),
        ({"temperature": -1.0}, "policy: temperature: expected >= 0, got -1.0"),
    ],
)
def test_what_cannot_be_loaded_is_named_in_one_line(saved, change, message):
    with pytest.raises(ConfigError) as caught:
        configured(saved, change)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_no_model_is_named_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^policy: path: '.*' is no folder of a model: .+$"):
        configured(tmp_path)


def test_a_checkpoint_whose_config_is_wrong_is_named_in_one_line(saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    described = tmp_path / "config.json"
    described.write_text(described.read_text().replace('"dedicated"', '"deep"'))
    with pytest.raises(ConfigError, match=r"^policy: path: '.*' is no folder of .*depth.*$"):
        configured(tmp_path)


def test_a_damaged_checkpoint_is_named_in_one_line(saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"^policy: path: '.*' is no folder of a model: .+$"):
        configured(tmp_path)


def test_a_checkpoint_without_a_processor_of_pictures_is_refused(ours, tmp_path):
    ours.model.save_pretrained(tmp_path)
    ours.processor.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"^policy: path: '.*' (has no processor|is no folder)"):
        configured(tmp_path)


def test_a_processor_that_needs_torchvision_says_so(tmp_path):
    if find_spec("torchvision"):
        pytest.skip("it is installed")
    part = vlm_parts.qwen2_5_vl()
    part.save(tmp_path)
    with pytest.raises(ConfigError, match=r"^policy: path: '.*' .*torchvision"):
        configured(tmp_path)


def test_a_model_without_a_chat_template_needs_a_plain_prompter(ours, seen):
    with pytest.raises(ValueError, match=r"^prompter: .* has no chat template; use PlainPrompter"):
        ours.policy(prompter=ChatPrompter()).act(seen, seeds=SEEDS)


def test_prompts_say_what_is_asked_what_happened_and_the_form(ours, seen):
    observation = {**seen[0], "feedback": "The gripper closed on nothing."}
    suffix = ours.dialect.suffix
    chat = vlm_parts.llava()
    prompt = ChatPrompter(system="Be brief.")(observation, chat.dialect, chat.processor)
    said = f"{observation['instruction']} {observation['feedback']} {suffix}"
    assert prompt.text == f"system: Be brief.\nuser: <image>\n{said}\nassistant:"
    plain = PlainPrompter(template="Q {words} A", suffix=False)(observation, ours.dialect, None)
    assert plain.text == f"Q {observation['instruction']} {observation['feedback']} A"
    assert len(plain.images) == 1
    assert plain.depths == []
