"""Texts behind a picture that is run once: the same as each behind a picture of its own."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402

from refergym.agents.refervlm.modeling import IGNORED  # noqa: E402
from refergym.agents.refervlm.sharing import Text, look, rows_of, say  # noqa: E402

TEXTS = [
    Text(picture=0, asked=[20, 21, 22], answered=[30, 400, 31, 500, 3]),
    Text(picture=1, asked=[23], answered=[32, 3]),
    Text(picture=0, asked=[24, 25], answered=[33, 34, 35, 36, 37, 38, 3]),
    Text(picture=1, asked=[26, 27, 28, 29], answered=[3]),
]


@pytest.fixture(scope="module", params=["dedicated", "none"])
def part(request):
    return vlm_parts.refervlm(depth=request.param)


def batch(part):
    rng = np.random.default_rng(0)
    config = part.model.config
    size = config.vision_config.image_size
    pictures = torch.from_numpy(rng.normal(size=(2, 3, size, size)).astype(np.float32))
    depths = torch.from_numpy(rng.normal(size=(2, 3, size, size)).astype(np.float32))
    marks = [config.image_token_id] * config.image_tokens
    if config.depth == "none":
        return torch.tensor([marks] * 2), pictures, None
    marks += [config.depth_token_id] * config.image_tokens
    return torch.tensor([marks] * 2), pictures, depths


def alone(part, text):
    """Return the logits that say a text's answer, without any sharing."""
    marks, pictures, depths = batch(part)
    k = text.picture
    ids = torch.tensor([[*marks[k].tolist(), *text.asked, *text.answered[:-1]]])
    out = part.model(
        input_ids=ids, pixel_values=pictures[k : k + 1],
        depth_values=None if depths is None else depths[k : k + 1], use_cache=False,
    )  # fmt: skip
    return out.logits[0, marks.shape[1] + len(text.asked) - 1 :]


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_each_text_is_said_as_if_it_were_alone(part, chunks):
    with torch.no_grad():
        prefix = look(part.model, *batch(part))
        met = []
        for rows, out in say(part.model, prefix, rows_of(TEXTS, chunks=chunks)):
            for row, number in enumerate(rows.texts):
                text = TEXTS[number]
                met.append(number)
                count = len(text.answered)
                assert rows.targets[row, :count].tolist() == list(text.answered)
                assert (rows.targets[row, count:] == IGNORED).all()
                torch.testing.assert_close(
                    out.logits[row, :count], alone(part, text), rtol=1e-4, atol=1e-4
                )
    assert sorted(met) == [0, 1, 2, 3]


def test_gradients_are_the_sums_of_those_of_single_texts(part):
    def gradients(losses):
        part.model.zero_grad()
        sum(losses).backward()
        return {n: p.grad.clone() for n, p in part.model.named_parameters() if p.grad is not None}

    def loss(logits, targets):
        return torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum")

    prefix = look(part.model, *batch(part))
    together = gradients(
        loss(out.logits[row, : len(TEXTS[n].answered)], TEXTS[n].answered)
        for rows, out in say(part.model, prefix, rows_of(TEXTS))
        for row, n in enumerate(rows.texts)
    )
    single = gradients(loss(alone(part, t), t.answered) for t in TEXTS)
    assert together.keys() == single.keys()
    largest = max(float(value.abs().max()) for value in single.values())
    for name, value in single.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-5 * largest, msg=name)


@pytest.mark.parametrize(("asked", "answered"), [([], [1]), ([1], [])])
def test_a_text_without_a_question_or_an_answer_is_refused(asked, answered):
    with pytest.raises(ValueError, match="tokens that are asked and tokens that are answered"):
        rows_of([Text(picture=0, asked=asked, answered=answered)])


def seen(picture, words):
    rng = np.random.default_rng(picture)
    return {
        "rgb": rng.integers(0, 256, (28, 28, 3), np.uint8),
        "depth": rng.uniform(0.5, 2, (28, 28)).astype(np.float32),
        "instruction": words,
        "event": 0,
    }


def test_answers_about_a_shared_picture_are_those_of_generate_about_single_ones(part, monkeypatch):
    asked = [(0, "point at the red mug"), (0, "pick"), (1, "point at it"), (0, "pick")]
    observations = [seen(*a) for a in asked]
    policy = part.policy(temperature=1.0)
    pictures = []
    see = part.model.see
    with monkeypatch.context() as patch:
        patch.setattr(part.model, "see", lambda p: pictures.append(len(p)) or see(p))
        patch.setattr(part.model, "generate", None)
        shared = policy.act(observations, seeds=[1, 2, 3, 4])
    assert pictures == [2]
    monkeypatch.setattr(part.model, "answer", lambda *args, **kwargs: False)
    for k, one in enumerate(observations):
        [single] = policy.act([one], seeds=[k + 1])
        assert single.tokens == shared[k].tokens
        assert single.prompt_tokens == shared[k].prompt_tokens
        np.testing.assert_allclose(single.logprobs, shared[k].logprobs, atol=1e-4)


def test_rows_that_ended_are_left_and_the_others_go_on(part, monkeypatch):
    observations = [seen(k // 3, "pick") for k in range(12)]
    policy = part.policy(temperature=1.0, max_new_tokens=24)
    # every eighth token ends an answer, so that rows end one after the other
    policy._ends = list(range(0, part.model.config.text_config.vocab_size, 8))
    widths = []
    forward = part.model.forward

    def counted(**given):
        widths.append(len(given["input_ids"]))
        return forward(**given)

    with monkeypatch.context() as patch:
        patch.setattr(part.model, "forward", counted)
        together = policy.act(observations, seeds=range(12))
    assert widths[-1] < 12
    assert len({len(a.tokens) for a in together}) > 3
    monkeypatch.setattr(part.model, "answer", lambda *args, **kwargs: False)
    plain = policy.act(observations, seeds=range(12))
    assert [a.tokens for a in plain] == [a.tokens for a in together]
    for one, other in zip(plain, together, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)


def test_pictures_of_another_depth_are_not_shared(part):
    if part.model.config.depth == "none":
        pytest.skip("sees no depth")
    one, other = seen(0, "pick"), seen(0, "pick")
    other["depth"] = other["depth"][::-1].copy()
    policy = part.policy()
    together = policy.act([one, other], seeds=[0, 0])
    assert [policy.act([o], seeds=[0])[0].tokens for o in (one, other)] == [
        a.tokens for a in together
    ]
