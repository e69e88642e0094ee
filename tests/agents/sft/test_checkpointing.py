import copy

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import vlm_parts  # noqa: E402
from taught_parts import pictures, save, taught  # noqa: E402

from refergym.agents.refervlm.packing import share  # noqa: E402
from refergym.agents.refervlm.sharing import look  # noqa: E402
from refergym.agents.sft.objective import Objective  # noqa: E402


def batch_of(objective, side, with_depth=True):
    return objective.collate(pictures(side=side), with_depth)


def learned(objective, batch):
    """Return loss, its parts and the gradients."""
    objective.zero_grad()
    loss, parts = objective(batch)
    loss.backward()
    grads = {n: p.grad.clone() for n, p in objective.named_parameters() if p.grad is not None}
    return loss, parts, grads


@pytest.fixture(scope="module", params=["siglip", "conv"])
def begun(request, tmp_path_factory):
    side = {"siglip": vlm_parts.SIDE, "conv": 32}[request.param]
    return save(tmp_path_factory.mktemp(request.param), tower=request.param), side


@pytest.mark.parametrize("lora", [0, 2])
@pytest.mark.parametrize("with_depth", [True, False])
def test_loss_and_gradients_are_those_without(begun, with_depth, lora):
    if lora:
        pytest.importorskip("peft")
    folder, side = begun
    off, on = (
        taught(folder, checkpointing=c, lora=lora).objective.train() for c in (False, True)
    )  # fmt: skip
    batch = batch_of(off, side, with_depth)
    one, other = learned(off, batch), learned(on, batch)
    torch.testing.assert_close(other[0], one[0], atol=1e-5, rtol=1e-5)
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        torch.testing.assert_close(other[1][name], value, atol=1e-4, rtol=1e-4, msg=name)
    assert one[2].keys() == other[2].keys()
    for name, value in one[2].items():
        torch.testing.assert_close(other[2][name], value, atol=2e-4, rtol=2e-3, msg=name)


def test_it_is_on_in_training_and_layers_run_twice(begun):
    folder, side = begun
    made = taught(folder, checkpointing=True)
    layer = made.objective.model.language_model.model.layers[0]
    runs = []
    layer.self_attn.register_forward_hook(lambda *a: runs.append(1))
    batch = batch_of(made.objective, side)
    learned(made.objective.train(), batch)
    assert len(runs) == 2  # once forward, once in the backward pass: all texts share them


def test_without_training_pictures_are_shared_by_the_cache(begun):
    folder, side = begun
    objective: Objective = taught(folder, checkpointing=True).objective.eval()
    plain = taught(folder).objective.eval()
    batch = batch_of(objective, side)
    with torch.inference_mode():
        assert torch.equal(objective(batch)[0], plain(batch)[0])


def test_each_text_is_told_apart(begun):
    # another text about the same picture changes nothing
    folder, side = begun
    model = taught(folder, checkpointing=True).objective.model.train()
    n, marks = model.config.image_tokens, model.config.image_token_id
    pixels = torch.rand(1, 3, side, side) * 2 - 1
    ids = torch.full((1, n), marks)

    def logits(*texts):
        from refergym.agents.refervlm.sharing import Text, rows_of

        rows = rows_of([Text(picture=0, asked=a, answered=[50, 51]) for a in texts], chunks=1)
        (found,) = share(model, ids, pixels, None, rows).answers
        return found[1].logits[found[0].texts.index(0)]

    one, other = logits([60, 61], [70, 71, 72]), logits([60, 61], [80, 81, 82])
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(one, logits([60, 61]), atol=1e-4, rtol=1e-3)


def test_a_cache_that_is_not_kept_is_named():
    model = copy.deepcopy(vlm_parts.refervlm().model).train()
    model.activation_checkpointing_enable()
    ids = torch.full((1, model.config.image_tokens), model.config.image_token_id)
    with pytest.raises(ValueError, match="look: gradient checkpointing leaves no cache"):
        look(model, ids, torch.zeros(1, 3, 28, 28))
