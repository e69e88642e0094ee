"""A tiny Qwen2.5-VL on vLLM itself, against transformers; wherever vLLM is installed."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("vllm", reason="needs vLLM, in an environment of its own (docs/engines.md)")

import vlm_parts  # noqa: E402

from refergym.agents.errors import EngineError  # noqa: E402
from refergym.agents.policy import ContinuingPolicy  # noqa: E402
from refergym.agents.vlm import load_processor  # noqa: E402
from refergym.rollouts import config  # noqa: E402
from refergym.rollouts.plan import with_dialect  # noqa: E402

# of vLLM's own and its packages' imports; that engines outlive tests
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1500)]
SEEDS = [11, 12, 2**63 - 1]
TOLERANCE = 1e-3
"""between the log-probabilities of two engines in float32"""


@pytest.fixture(scope="module")
def made():
    return vlm_parts.qwen2_5_vl(head=32)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    made.save(path)
    return path


@pytest.fixture(scope="module")
def part(made, folder):
    """The processor as it is loaded: with torchvision it resizes pictures otherwise than with PIL,
    which moves log-probabilities by tenths."""
    return replace(made, processor=load_processor(str(folder)))


def node(folder, **changes):
    chosen = config.choice("policy", "vlm")
    chosen |= {"path": str(folder), "engine": "vllm", "dtype": "float32", "max_new_tokens": 8}
    chosen["vllm"] = {
        **chosen["vllm"], "max_model_len": 512, "kv_cache_gib": 0.25, "enforce_eager": True,
        "gpu_memory_utilization": 0.2,
    }  # fmt: skip
    return with_dialect({**chosen, "temperature": 1.0, **changes})


@pytest.fixture(scope="module")
def policy(folder):
    """One engine for all tests: it takes long to start."""
    return config.instantiate(node(folder), "policy")


@pytest.fixture(scope="module")
def seen():
    return vlm_parts.observations(3)


def likely(part, observation, answer, begin=""):
    """Log-probabilities of an answer's tokens by one pass of transformers over the whole."""
    prompt = part.prompter(observation, part.dialect, part.processor)
    inputs = dict(part.processor(text=[prompt.text], images=prompt.images, return_tensors="pt"))
    begun = part.processor.tokenizer.encode(begin, add_special_tokens=False)
    said = torch.tensor([[*begun, *answer.tokens]])
    assert (*inputs["input_ids"][0].tolist(), *begun) == answer.prompt_tokens
    for key in ("attention_mask", "mm_token_type_ids"):
        if key in inputs:
            filled = torch.full_like(said, int(key == "attention_mask"))
            inputs[key] = torch.cat([inputs[key], filled], -1)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], said], -1)
    with torch.inference_mode():
        logits = part.model(**inputs).logits[0, len(answer.prompt_tokens) - 1 : -1].float()
    tokens = torch.tensor(answer.tokens)
    return logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0].numpy()


def test_it_answers_by_the_contract(policy, part, seen):
    assert isinstance(policy, ContinuingPolicy)
    answers = policy.act(seen, seeds=SEEDS)
    assert len({a.tokens for a in answers}) == 3
    theirs = part.policy(temperature=1.0).act(seen, seeds=SEEDS)
    for answer, other in zip(answers, theirs, strict=True):
        assert answer.prompt_tokens == other.prompt_tokens
        assert answer.image_size == other.image_size
        assert len(answer.tokens) == len(answer.logprobs) == 8
        kept = [t for t in answer.tokens if t not in part.processor.tokenizer.all_special_ids]
        assert answer.text == part.processor.tokenizer.decode(kept)
    assert policy.act([], seeds=[]) == []


def test_log_probabilities_are_those_of_transformers(policy, part, seen):
    for observation, answer in zip(seen * 2, policy.act(seen * 2, seeds=range(6)), strict=True):
        expected = likely(part, observation, answer)
        np.testing.assert_allclose(answer.logprobs, expected, atol=TOLERANCE)


def test_a_seed_gives_the_same_answer_in_every_batch(policy, seen):
    together = policy.act(seen, seeds=SEEDS)
    turned = policy.act(seen[::-1], seeds=SEEDS[::-1])[::-1]
    alone = [policy.act([o], seeds=[s])[0] for o, s in zip(seen, SEEDS, strict=True)]
    for others in (turned, alone):
        assert [a.tokens for a in others] == [a.tokens for a in together]
    # seeds that differ above the lower 32 bits alone
    drawn = policy.act(seen[:1] * 4, seeds=[5, 5 + 2**32, 5 + 2**40, 5])
    assert len({a.tokens for a in drawn}) == 3
    assert drawn[0].tokens == drawn[3].tokens


def test_it_goes_on_from_a_begin(policy, part, seen):
    begins = ["point", "", "the red mug"]
    answers = policy.continue_from(seen, begins, seeds=SEEDS)
    for observation, begin, answer in zip(seen, begins, answers, strict=True):
        assert answer.text.startswith(begin)
        expected = likely(part, observation, answer, begin)
        np.testing.assert_allclose(answer.logprobs, expected, atol=TOLERANCE)


def test_an_answer_ends_with_its_end_token(policy, seen, monkeypatch):
    whole = policy.act(seen, seeds=SEEDS)
    monkeypatch.setattr(policy, "_ends", [whole[0].tokens[2]])
    ended = policy.act(seen[:1], seeds=SEEDS[:1])[0]
    first = whole[0].tokens.index(whole[0].tokens[2])
    assert ended.tokens == whole[0].tokens[: first + 1]
    assert len(ended.logprobs) == first + 1


def test_new_weights_are_those_that_answer(policy, part, folder, seen):
    """Of both the picture's tower and the language model; then back again."""
    before = policy.act(seen, seeds=SEEDS)
    old = {k: v.clone() for k, v in part.model.state_dict().items()}
    for version, touched in enumerate(("visual", "language_model"), 1):
        torch.manual_seed(version)
        with torch.no_grad():
            for name, weight in part.model.named_parameters():
                if touched in name and weight.ndim > 1:
                    weight.add_(0.1 * torch.randn_like(weight))
        policy.update_weights(part.model.state_dict(), version=version)
        assert policy.version == version
        after = policy.act(seen, seeds=SEEDS)
        assert after[0].logprobs != pytest.approx(before[0].logprobs, abs=0.05)
        for observation, answer in zip(seen, after, strict=True):
            expected = likely(part, observation, answer)
            np.testing.assert_allclose(answer.logprobs, expected, atol=TOLERANCE)
    part.model.load_state_dict(old)
    policy.update_weights(old, version=3)
    again = policy.act(seen, seeds=SEEDS)
    assert [a.tokens for a in again] == [a.tokens for a in before]


def test_weights_that_do_not_fit_change_nothing(policy, part, seen):
    before, version = policy.act(seen, seeds=SEEDS), policy.version
    fine = part.model.state_dict()
    name = "lm_head.weight"
    for wrong, text in (
        ({k: v for k, v in fine.items() if k != name}, f"weights: missing: {name}"),
        ({**fine, "more": fine[name]}, "weights: unknown: more"),
        ({**fine, name: fine[name][1:]}, f"weights: of another shape: {name}"),
    ):
        with pytest.raises(EngineError, match=text):
            policy.update_weights(wrong, version=version + 1)
    with pytest.raises(EngineError, match=f"version: expected > {version}, got {version}"):
        policy.update_weights(fine, version=version)
    assert policy.version == version
    assert policy.act(seen, seeds=SEEDS) == before
