import copy
import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import vlm_parts  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from taught_parts import pictures, save, taught  # noqa: E402

from refergym.agents.vlm import load_model  # noqa: E402


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return save(tmp_path_factory.mktemp("begun"))


@pytest.fixture
def anew():
    """Let accelerate forget the precision that a process has had before, and after."""
    yield AcceleratorState._reset_state
    AcceleratorState._reset_state(True)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_bf16_teaches_in_mixed_precision_near_to_float32(begun, checkpointing, anew):
    told = {}
    for precision in ("no", "bf16"):
        anew(True)
        made = taught(begun, checkpointing=checkpointing, learning={"precision": precision})
        told[precision] = [made.learner.learn([pictures(k)]) for k in range(3)]
        assert {p.dtype for p in made.objective.parameters()} == {torch.float32}
    for one, other in zip(told["no"], told["bf16"], strict=True):
        assert math.isfinite(other["norm"])
        assert other["loss"] == pytest.approx(one["loss"], rel=0.1)
    assert told["no"][0]["loss"] != told["bf16"][0]["loss"]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_model_in_bfloat16_has_a_loss_near_to_float32(begun, checkpointing):
    made = taught(begun, checkpointing=checkpointing)
    batch = made.objective.collate(pictures(), with_depth=True)
    half = copy.deepcopy(made.objective).train()
    half.model.bfloat16()
    half.rgb_head.bfloat16()
    half.depth_head.bfloat16()
    loss, expected = half(batch)[0], made.objective(batch)[0]
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.item() == pytest.approx(expected.item(), rel=0.1)
    assert all(torch.isfinite(p.grad).all() for p in half.parameters() if p.grad is not None)


def test_a_model_is_saved_and_loaded_in_bfloat16(begun, tmp_path):
    half = vlm_parts.refervlm().model.bfloat16()
    half.save_pretrained(tmp_path)
    vlm_parts.refervlm().processor.save_pretrained(tmp_path)
    for dtype, expected in (("auto", torch.bfloat16), ("float32", torch.float32)):
        model, _ = load_model(str(tmp_path), dtype)
        assert model.dtype == expected
        after = model.state_dict()
        assert all(torch.equal(v.to(expected), after[k]) for k, v in half.state_dict().items())
