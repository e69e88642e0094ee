import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402

from refergym.agents.continuing import begun  # noqa: E402
from refergym.agents.policy import ContinuingPolicy  # noqa: E402
from refergym.agents.prompts import joined  # noqa: E402

# of PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
BEGINS = ["", "Step 1: [Position] [the mug]: [(0.250, 0.500)]</think><answer>", "pick"]
SEEDS = [11, 12, 13]


@pytest.fixture(scope="module", params=list(vlm_parts.KINDS))
def part(request):
    return vlm_parts.KINDS[request.param]()


@pytest.fixture(scope="module")
def seen():
    return vlm_parts.observations(3)


def by_hand(part, observation, begin, count):
    """Likeliest tokens behind a begin, each by a pass over all before it, alone, without cache."""
    prompt = part.prompter(observation, part.dialect, part.processor)
    inputs = dict(part.processor(**joined([prompt]), return_tensors="pt"))
    inputs.pop("labels", None)
    said = part.processor.tokenizer.encode(begin, add_special_tokens=False)
    fill = {"attention_mask": 1, "token_type_ids": 1, "mm_token_type_ids": 0}
    for _ in range(count):
        behind = torch.tensor([said], dtype=torch.long)
        whole = dict(inputs)
        whole["input_ids"] = torch.cat([inputs["input_ids"], behind], -1)
        for key, value in fill.items():
            if key in inputs:
                whole[key] = torch.cat([inputs[key], torch.full_like(behind, value)], -1)
        with torch.inference_mode():
            said.append(int(part.model(**whole).logits[0, -1].argmax()))
    return said[-count:]


def test_it_goes_on_as_a_model_does_that_wrote_the_begin_itself(part, seen):
    policy = part.policy(max_new_tokens=4)
    answers = policy.continue_from(seen, BEGINS, seeds=SEEDS)
    decode = part.processor.tokenizer.decode
    for observation, begin, answer in zip(seen, BEGINS, answers, strict=True):
        expected = by_hand(part, observation, begin, 4)
        assert list(answer.tokens) == expected[: len(answer.tokens)]
        assert answer.text == begin + decode(answer.tokens, skip_special_tokens=True)
        said = part.processor.tokenizer.encode(begin, add_special_tokens=False)
        assert list(answer.prompt_tokens[len(answer.prompt_tokens) - len(said) :]) == said


def test_behind_an_empty_begin_it_answers_as_ever(part, seen):
    policy = part.policy(temperature=1.0)
    free = policy.act(seen, seeds=SEEDS)
    forced = policy.continue_from(seen, [""] * 3, seeds=SEEDS)
    assert [(a.text, a.tokens) for a in free] == [(a.text, a.tokens) for a in forced]


@pytest.mark.parametrize("copies", [1, 3])
def test_behind_the_begin_of_its_own_answer_it_says_the_rest_of_it(copies):
    """Three copies share the pass over their picture, one does not."""
    part = vlm_parts.refervlm()
    tokenizer = part.processor.tokenizer
    # it may only say numbers: each is a token, so that words give back the tokens they are made of
    numbers = tokenizer.convert_tokens_to_ids([f"{k / 1000:.3f}" for k in range(1000)])
    part.model.config.unsaid = sorted(set(range(len(tokenizer))) - {*numbers})
    policy = part.policy(max_new_tokens=8)
    for observation in vlm_parts.observations(4, seed=5):
        (free,) = policy.act([observation], seeds=[0])
        begin = tokenizer.decode(free.tokens[:3])
        forced = policy.continue_from([observation] * copies, [begin] * copies, seeds=[0] * copies)
        for answer in forced:
            assert answer.tokens[:5] == free.tokens[3:]
            assert answer.logprobs[:5] == pytest.approx(free.logprobs[3:], abs=1e-4)
            assert answer.text.startswith(free.text)


def test_another_begin_leads_elsewhere(seen):
    policy = vlm_parts.refervlm().policy(max_new_tokens=1)
    one, other = policy.continue_from(seen[:1] * 2, ["[(0.100, ", "[(0.900, "], seeds=[0, 0])
    assert one.logprobs != pytest.approx(other.logprobs, abs=1e-3)


def test_no_observations_are_no_answers():
    policy = vlm_parts.refervlm().policy()
    assert isinstance(policy, ContinuingPolicy)
    assert policy.continue_from([], [], seeds=[]) == []


def test_only_what_stands_for_tokens_grows_and_it_is_filled_up_at_the_left():
    inputs = {
        "input_ids": torch.tensor([[0, 5, 6], [7, 8, 9]]),
        "attention_mask": torch.tensor([[0, 1, 1], [1, 1, 1]]),
        "token_type_ids": torch.tensor([[0, 1, 0], [1, 0, 0]]),
        "pixel_values": torch.ones(2, 3, 4, 4),
    }
    made = begun(inputs, [[1, 2, 3], []], pad=99)
    assert made["input_ids"].tolist() == [[5, 6, 1, 2, 3], [99, 99, 7, 8, 9]]
    assert made["attention_mask"].tolist() == [[1] * 5, [0, 0, 1, 1, 1]]
    assert made["token_type_ids"].tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert made["pixel_values"] is inputs["pixel_values"]
