"""The learner: what a step does to a model, however a batch is cut, and across a restart."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import rft_parts  # noqa: E402
import vlm_parts  # noqa: E402
from rft_parts import learner, samples  # noqa: E402

from refergym.agents.rft.errors import RftError  # noqa: E402
from refergym.agents.rft.learner import parts_of  # noqa: E402


def part():
    return vlm_parts.refervlm()


def weights(made):
    return {n: p.detach().clone() for n, p in made.model.named_parameters()}


def gradient(made, told, monkeypatch):
    """Return the gradient of a batch, and what the learner tells of it; no weight moves."""
    with monkeypatch.context() as patch:
        patch.setattr(made._optimiser, "step", lambda: None)
        patch.setattr(made._optimiser, "zero_grad", lambda: None)
        row = made.learn(told)
    named = made.model.named_parameters()
    return {n: p.grad.clone() for n, p in named if p.grad is not None}, row


def logprob(made, sample):
    """Return the log-probability of an answer now."""
    with torch.no_grad():
        [out] = made._likelihood(made.model, [sample])
    return float(out.logprobs.sum())


def close(one, other, tolerance=1e-6):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=tolerance, msg=name)


def test_what_was_good_becomes_likelier_and_what_was_bad_less():
    model = part()
    made, told = learner(model), samples(model)
    before = [logprob(made, s) for s in told]
    row = made.learn(told)
    moved = [logprob(made, s) - b for s, b in zip(told, before, strict=True)]
    gain = sum(m * s.advantage for m, s in zip(moved, told, strict=True))
    assert gain > 0
    assert row["kl_sampler"] < 1e-6
    assert row["ratio"] == pytest.approx(1.0)
    assert row["tokens"] == sum(len(s.tokens) for s in told)
    assert made.step == 1


@pytest.mark.parametrize("mean", ["tokens", "answers", "length"])
@pytest.mark.parametrize("budget", [1, 60])
def test_a_batch_in_parts_is_the_batch(mean, budget, monkeypatch):
    whole = part()
    told = samples(whole)
    loss = {"mean": mean, "kl": 0.1, "entropy": 0.01}
    assert len(parts_of(told, range(len(told)), budget)) > 1
    one, row = gradient(learner(whole, loss), told, monkeypatch)
    other, cut = gradient(learner(part(), loss, budget=budget), told, monkeypatch)
    for name, value in row.items():
        assert cut[name] == pytest.approx(value, abs=1e-5), name
    close(one, other, 1e-5)


def test_parts_hold_what_fits_and_one_at_least():
    told = samples(part())
    lengths = [s.length for s in told]
    assert parts_of(told, range(6), 10**6) == [[0, 1, 2, 3, 4, 5]]
    assert parts_of(told, range(6), 1) == [[k] for k in range(6)]
    assert parts_of(told, [0, 1, 2], lengths[0] + lengths[1]) == [[0, 1], [2]]


def test_answers_without_worth_teach_nothing_but_count_as_tokens():
    model, doubled = part(), part()
    told = samples(model)
    worthless = [replace(s, advantage=0.0) for s in told]
    made = learner(model)
    before = weights(made)
    made.learn(worthless)
    close(before, weights(made))
    # beside others they halve the mean: the gradient is half as long
    norms = [learner(part()).learn(told)["norm"], learner(doubled).learn(told + worthless)["norm"]]
    assert norms[1] == pytest.approx(norms[0] / 2, rel=1e-3)


def test_the_reference_holds_the_model_back():
    free, held = part(), part()
    told = samples(free)
    made = learner(free), learner(held, {"kl": 5.0})
    for _ in range(4):
        rows = [one.learn(told) for one in made]
    assert "kl_reference" not in rows[0]
    assert rows[1]["kl_reference"] > 0
    away = [sum(abs(logprob(one, s) - sum(s.logprobs)) for s in told) for one in made]
    assert away[1] < away[0]


def test_several_steps_on_a_batch_are_clipped_against_the_first():
    model = part()
    made = learner(model, epochs=6, lr=3e-3)
    row = made.learn(samples(model))
    assert row["clip_high"] + row["clip_low"] > 0
    assert row["ratio"] != pytest.approx(1.0, abs=1e-4)
    assert row["kl_sampler"] < 1e-6, "the sampler's are compared with those before the first step"


def test_minibatches_go_over_every_sample():
    model = part()
    made = learner(model, minibatches=3)
    assert made.learn(samples(model))["tokens"] == sum(len(s.tokens) for s in samples(part()))


def test_parts_that_are_not_to_learn_stay():
    model = part()
    made = learner(model, learns=("language_model",))
    before = weights(made)
    made.learn(samples(model))
    moved = {n for n, v in weights(made).items() if not torch.equal(v, before[n])}
    assert moved
    assert all(n.startswith("language_model.") for n in moved)
    with pytest.raises(RftError, match="the model has no part towers"):
        learner(part(), learns=("towers",))


def test_adapters_learn_and_are_added_to_what_a_policy_takes():
    model, plain = part(), part()
    told = samples(model)
    made = learner(model, lora=4, lr=1e-2)
    close(dict(plain.model.state_dict()), made.weights(), 1e-5)
    for _ in range(3):
        made.learn(told)
    policy = part()
    policy.model.load_state_dict(made.weights())
    for sample in told:
        assert logprob(learner(policy), sample) == pytest.approx(logprob(made, sample), abs=1e-3)
    changed = {
        n for n, v in made.weights().items() if not torch.equal(v, plain.model.state_dict()[n])
    }
    assert changed
    assert all("_proj" in n for n in changed if n.startswith("language_model."))


def test_checkpointing_changes_no_gradient(monkeypatch):
    whole = part()
    told = samples(whole)
    one, _ = gradient(learner(whole), told, monkeypatch)
    other, _ = gradient(learner(part(), checkpointing=True), told, monkeypatch)
    close(one, other, 1e-5)


def test_a_gradient_that_is_not_finite_changes_nothing():
    model = part()
    told = samples(model)
    made = learner(model)
    before = weights(made)
    made.learn([replace(told[0], advantage=float("inf")), *told[1:]])
    close(before, weights(made))
    made.learn(told)
    assert any(not torch.equal(v, before[n]) for n, v in weights(made).items())


def test_going_on_equals_not_stopping_bitwise(tmp_path):
    straight, stopped, again = part(), part(), part()
    told = samples(straight)
    one = learner(straight, minibatches=2, warmup=3)
    for _ in range(4):
        one.learn(told)
    first = learner(stopped, minibatches=2, warmup=3)
    for _ in range(2):
        first.learn(told)
    torch.save({"state": first.state(), "weights": first.weights()}, tmp_path / "kept.pt")
    kept = torch.load(tmp_path / "kept.pt", weights_only=True)
    again.model.load_state_dict(kept["weights"])
    second = learner(again, minibatches=2, warmup=3)
    second.restore(kept["state"])
    for _ in range(2):
        second.learn(told)
    assert second.step == 4
    assert all(torch.equal(v, weights(second)[n]) for n, v in weights(one).items())


def test_to_save_before_the_first_step_changes_nothing():
    one, other = learner(part()), learner(part())
    told = samples(part())
    other.restore(one.state())
    for _ in range(2):
        one.learn(told)
        other.learn(told)
    untouched = learner(part())
    for _ in range(2):
        untouched.learn(told)
    for made in (one, other):
        assert all(torch.equal(v, weights(made)[n]) for n, v in weights(untouched).items())


def test_adapters_go_on_where_they_stopped_bitwise():
    straight, begun = part(), part()
    told = samples(straight)
    words = {"lora": 4, "lr": 1e-2}
    one = learner(straight, {"kl": 0.1}, **words)
    for _ in range(4):
        one.learn(told)
    first = learner(begun, {"kl": 0.1}, **words)
    for _ in range(2):
        first.learn(told)
    again = part()
    again.model.load_state_dict(first.weights())
    second = learner(again, {"kl": 0.1}, reference=part().model, **words)
    second.restore(first.state())
    for _ in range(2):
        second.learn(told)
    assert all(torch.equal(v, weights(second)[n]) for n, v in weights(one).items())


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(RftError, match="none with tokens"):
        learner(part()).learn([])


def test_shards_need_several_processes():
    with pytest.raises(RftError, match="shards needs several processes"):
        rft_parts.learner(part(), spread="shards")
