import copy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402
from huggingface_hub.errors import StrictDataclassError  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from refergym.agents.refervlm import (  # noqa: E402
    ReferVLMConfig,
    ReferVLMForConditionalGeneration,
    ReferVLMProcessor,
)
from refergym.agents.refervlm.modeling import IGNORED  # noqa: E402
from refergym.agents.refervlm.towers import space_to_depth  # noqa: E402

DEPTHS = ("dedicated", "shared", "none")
TOWERS = ("siglip", "conv")


@pytest.fixture(scope="module")
def part():
    return vlm_parts.refervlm()


@pytest.fixture(params=[(d, t) for d in DEPTHS for t in TOWERS], ids="-".join, scope="module")
def kind(request):
    depth, tower = request.param
    return vlm_parts.refervlm(depth=depth, tower=tower)


def picture(seed, width=30):
    return np.random.default_rng(seed).integers(0, 256, (40, width, 3), np.uint8)


def inputs(part, texts, *, depth=None, first=0):
    """Make a batch of texts, a picture of its own for each mark in them."""
    depth = part.model.config.depth != "none" if depth is None else depth
    texts = [t.replace("@", "<image><depth>" if depth else "<image>") for t in texts]
    count = sum(t.count("<image>") for t in texts)
    pictures = [picture(first + k) for k in range(count)]
    depths = [picture(100 + first + k) for k in range(count)] if depth else None
    return part.processor(images=pictures, text=texts, depths=depths)


def logits(part, batch):
    with torch.inference_mode():
        return part.model(**batch).logits


def generated(part, batch, **kwargs):
    with torch.inference_mode():
        return part.model.generate(
            **batch, max_new_tokens=8, do_sample=False, output_logits=True,
            return_dict_in_generate=True, **kwargs,
        )  # fmt: skip


def labelled(batch, asked=2):
    """Label the last tokens, as an answer."""
    labels = batch["input_ids"].clone()
    labels[:, :-asked] = IGNORED
    return {**batch, "labels": labels}


def test_it_is_saved_and_loaded_bitwise(kind, tmp_path):
    kind.save(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(config, ReferVLMConfig)
    assert isinstance(model, ReferVLMForConditionalGeneration)
    assert isinstance(processor, ReferVLMProcessor)
    assert config.to_dict() == kind.model.config.to_dict() | {
        k: config.to_dict()[k] for k in ("transformers_version", "_name_or_path", "architectures")
        if k in config.to_dict()
    }  # fmt: skip
    assert processor.image_tokens == kind.processor.image_tokens
    before, after = kind.model.state_dict(), model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    loaded = replace(kind, model=model.eval(), processor=processor)
    texts = ["@point at the cup", "@pick"]
    assert torch.equal(logits(loaded, inputs(loaded, texts)), logits(kind, inputs(kind, texts)))
    assert (tmp_path / "model.safetensors").is_file()


def test_the_output_layer_stays_tied_to_the_embeddings(part, tmp_path):
    part.model.save_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    for made in (part.model, model):
        assert made.get_output_embeddings().weight is made.get_input_embeddings().weight


def test_generating_with_the_cache_equals_without(kind):
    batch = inputs(kind, ["@point at the cup", "@what is left of the red mug"])
    quick = generated(kind, batch, use_cache=True)
    slow = generated(kind, batch, use_cache=False)
    assert torch.equal(quick.sequences, slow.sequences)
    for one, other in zip(quick.logits, slow.logits, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


def test_generating_equals_one_pass_over_the_whole(kind):
    batch = inputs(kind, ["@point at the cup"])
    out = generated(kind, batch)
    asked = batch["input_ids"].shape[1]
    whole = {**batch, "input_ids": out.sequences, "attention_mask": torch.ones_like(out.sequences)}
    expected = logits(kind, whole)[0, asked - 1 : -1]
    torch.testing.assert_close(torch.cat(out.logits), expected, atol=2e-4, rtol=1e-4)


def test_a_text_gets_the_same_logits_alone_and_in_a_batch(kind):
    texts = ["@cup", "@what is left of the red mug", "@pick it up"]
    together = logits(kind, inputs(kind, texts))
    for k, text in enumerate(texts):
        alone = logits(kind, inputs(kind, [text], first=k))[0]
        torch.testing.assert_close(together[k, -len(alone) :], alone, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("depth", ["dedicated", "shared"])
def test_it_works_on_rgb_alone_without_depth_tokens(depth):
    made = vlm_parts.refervlm(depth=depth)
    batch = inputs(made, ["@point at the cup"], depth=False)
    assert "depth_values" not in batch
    assert not (batch["input_ids"] == made.model.config.depth_token_id).any()
    assert generated(made, batch).sequences.shape[1] > batch["input_ids"].shape[1]


def test_rgb_alone_is_the_same_whether_or_not_there_is_a_depth_tower():
    with_depth = vlm_parts.refervlm(depth="dedicated")
    without = vlm_parts.refervlm(depth="none")
    without.model.load_state_dict(with_depth.model.state_dict(), strict=False)
    texts = ["@point at the cup"]
    one = logits(with_depth, inputs(with_depth, texts, depth=False))
    assert torch.equal(one, logits(without, inputs(without, texts)))


def test_towers_and_projectors_are_those_that_the_switch_says():
    parts = {depth: vlm_parts.refervlm(depth=depth).model for depth in DEPTHS}
    names = {d: {n for n, _ in m.named_children()} for d, m in parts.items()}
    assert names["dedicated"] - names["shared"] == {"depth_tower"}
    assert names["shared"] - names["none"] == {"depth_projector"}


def test_a_shared_tower_sees_both_and_a_dedicated_one_its_own():
    for depth in ("dedicated", "shared"):
        made = vlm_parts.refervlm(depth=depth)
        batch = inputs(made, ["@cup"])
        rgb = made.model.rgb_tower.get_input_embeddings()
        before = logits(made, batch)
        with torch.no_grad():
            made.model.depth_projector.layers[-1].weight.add_(0.1)
        assert not torch.equal(before, logits(made, batch))
        assert rgb is not None
        loss = made.model(**labelled(batch)).loss
        loss.backward()
        used = {n.split(".")[0] for n, p in made.model.named_parameters() if p.grad is not None}
        assert ("depth_tower" in used) == (depth == "dedicated")


def test_the_depth_tower_begins_as_the_rgb_tower():
    model = vlm_parts.refervlm().model
    model.init_depth_from_rgb()
    rgb, depth = model.rgb_tower.state_dict(), model.depth_tower.state_dict()
    assert all(torch.equal(rgb[k], depth[k]) for k in rgb)
    assert rgb["embeddings.position_embedding.weight"].data_ptr() != (
        depth["embeddings.position_embedding.weight"].data_ptr()
    )


def test_depth_changes_what_is_said(part):
    batch = inputs(part, ["@point at the cup"])
    changed = {**batch, "depth_values": -batch["depth_values"]}
    assert not torch.allclose(logits(part, batch)[0, -1], logits(part, changed)[0, -1], atol=1e-3)


@pytest.mark.parametrize("tower", TOWERS)
def test_several_pictures_stand_in_one_context(tower):
    made = vlm_parts.refervlm(tower=tower)
    batch = inputs(made, ["@first@then", "@one alone"])
    assert batch["pixel_values"].shape[0] == 3
    before = logits(made, batch)[:, -1]
    for k, row in ((0, 0), (1, 0), (2, 1)):
        pixels = batch["pixel_values"].clone()
        pixels[k] = -pixels[k]
        after = logits(made, {**batch, "pixel_values": pixels})[:, -1]
        moved = (before - after).abs().amax(-1) > 1e-3
        assert moved.tolist() == [row == 0, row == 1]
    assert generated(made, batch).sequences.shape[0] == 2


def test_the_pointer_points_into_the_last_picture(part):
    batch = inputs(part, ["@first@then", "@one alone"])
    seen = []
    keep = part.model.language_model.model.register_forward_hook(
        lambda module, args, out: seen.append(out.last_hidden_state)
    )
    with torch.inference_mode():
        out = part.model(**batch)
    keep.remove()
    n = part.model.config.image_tokens
    for row, ids in enumerate(batch["input_ids"]):
        last = (ids == part.model.config.image_token_id).nonzero()[-n:, 0]
        expected = part.model.pointer.over(seen[0][row : row + 1, last])
        assert torch.allclose(out.pointed.keys[row], expected.keys[0], atol=1e-6)
        assert torch.allclose(out.pointed.near[row], expected.near[0], atol=1e-6)
    assert out.scores.shape == (2, batch["input_ids"].shape[1], n)


def test_a_sharp_pointer_makes_the_coordinates_of_its_cell_likely(part):
    from refergym.agents.refervlm.coordinates import Pointer

    pointer = Pointer(1000, 4, 8)
    with torch.no_grad():
        for weight in pointer.parameters():
            weight.zero_()
        pointer.query.weight.copy_(torch.eye(8) * 100)
        pointer.key.weight.copy_(torch.eye(8))
        pointer.gate.bias.fill_(2.0)
        pointer.narrow.fill_(-6.0)
    seen = torch.zeros(1, 16, 8)
    seen[0, 5, 0] = 1.0  # row 1, column 1 of 4: (0.375, 0.375)
    states = torch.zeros(1, 1, 8)
    states[..., 0] = 1.0
    logits, scores = pointer(states, pointer.over(seen))
    assert scores.argmax() == 5
    assert abs(int(logits.argmax()) - 375) <= 1


def test_marks_of_pictures_are_never_said(kind):
    found = logits(kind, inputs(kind, ["@cup"])).softmax(-1)
    config = kind.model.config
    assert found[..., [config.image_token_id, config.depth_token_id]].max() == 0


def test_the_loss_is_of_the_labels_alone(part):
    batch = labelled(inputs(part, ["@cup", "@what is left of the red mug"]))
    with torch.inference_mode():
        out = part.model(**batch)
    likely = out.logits[:, :-1].log_softmax(-1)
    said = batch["labels"][:, 1:]
    picked = likely.gather(-1, said.clamp_min(0)[..., None])[..., 0][said != IGNORED]
    torch.testing.assert_close(out.loss, -picked.mean())


def test_gradient_checkpointing_gives_the_same_gradients(kind):
    def gradients(on):
        model = copy.deepcopy(kind.model).train()
        if on:
            model.activation_checkpointing_enable()
            assert model.is_activation_checkpointing
        model(**labelled(inputs(kind, ["@cup", "@pick it up"]))).loss.backward()
        return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    off, on = gradients(False), gradients(True)
    assert off.keys() == on.keys()
    for name in off:
        torch.testing.assert_close(on[name], off[name], atol=1e-4, rtol=1e-3, msg=name)


def test_all_that_is_trained_has_a_gradient(kind):
    kind.model.zero_grad()
    batch = inputs(kind, ["@point at (0.250, 0.500)"])
    kind.model(**labelled(batch, asked=12)).loss.backward()
    without = [n for n, p in kind.model.named_parameters() if p.grad is None]
    kind.model.zero_grad()
    assert without == []


def test_bfloat16_runs_forward_backward_and_generates(kind):
    made = replace(kind, model=copy.deepcopy(kind.model).bfloat16())
    batch = inputs(made, ["@point at the cup", "@pick"])
    out = made.model(**labelled(batch))
    out.loss.backward()
    assert out.logits.dtype == torch.bfloat16
    assert torch.isfinite(out.loss)
    assert out.loss.item() == pytest.approx(kind.model(**labelled(batch)).loss.item(), rel=0.1)
    assert generated(made, batch).sequences.shape[0] == 2


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's call
def test_lora_trains_a_step_and_changes_the_adapters_alone():
    peft = pytest.importorskip("peft")
    made = vlm_parts.refervlm()
    before = {n: p.clone() for n, p in made.model.named_parameters()}
    wanted = peft.LoraConfig(
        r=2, target_modules=r"language_model\..*\.(q_proj|v_proj)",
        modules_to_save=["depth_projector"],
    )  # fmt: skip
    model = peft.get_peft_model(made.model, wanted)
    batch = labelled(inputs(made, ["@cup", "@pick it up"]))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.02)
    losses = []
    for _ in range(4):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = {
        n.removeprefix("base_model.model.").replace(".base_layer", "").replace(
            ".original_module", ""
        ): p
        for n, p in model.named_parameters()
    }  # fmt: skip
    assert all(torch.equal(before[n], after[n]) for n in before)
    with torch.inference_mode():
        plain = {k: v for k, v in batch.items() if k != "labels"}
        assert model.generate(**plain, max_new_tokens=3).shape[0] == 2


def test_tiny_training_overfits_an_answer():
    made = vlm_parts.refervlm(tower="conv")
    batch = labelled(inputs(made, ["@cup (0.250, 0.500)", "@mug (0.750, 0.125)"]), asked=7)
    optimizer = torch.optim.AdamW(made.model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = made.model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


@pytest.mark.parametrize("side", [6, 7, 8])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_space_to_depth_keeps_every_value_at_its_place(side, factor):
    tokens = torch.arange(side * side * 2, dtype=torch.float32).view(1, side * side, 2) + 1
    found = space_to_depth(tokens, factor)
    small = -(-side // factor)
    assert found.shape == (1, small * small, 2 * factor * factor)
    grid = tokens.view(side, side, 2)
    for row in range(small):
        for column in range(small):
            square = grid[
                row * factor : (row + 1) * factor, column * factor : (column + 1) * factor
            ]
            got = found[0, row * small + column]
            assert set(got.tolist()) - {0.0} == set(square.flatten().tolist())


@pytest.mark.parametrize("downsample", [1, 2, 3])
def test_each_downsampling_has_its_count_of_tokens(downsample):
    made = vlm_parts.refervlm(downsample=downsample)
    assert made.model.config.image_tokens == {1: 16, 2: 4, 3: 4}[downsample]
    assert torch.isfinite(logits(made, inputs(made, ["@cup"]))).all()


def test_the_wrong_is_named_in_one_line(part):
    none = vlm_parts.refervlm(depth="none")
    batch = inputs(part, ["@cup"])
    few = {**batch, "input_ids": batch["input_ids"][:, 1:]}
    few["attention_mask"] = batch["attention_mask"][:, 1:]
    vision = {"model_type": "siglip_vision_model", **vlm_parts.VISION}
    cases = [
        ("text: <image> stands there 2 times, for 1 pictures",
         lambda: part.processor(images=[picture(0)], text="<image><image>a")),
        ("text: <depth> stands there 1 times, for 0 pictures",
         lambda: part.processor(images=[picture(0)], text="<image><depth>a")),
        ("depth_values: this model has no depth tower",
         lambda: none.model(**inputs(none, ["@cup"]), depth_values=batch["depth_values"])),
        ("input_ids: 3 image tokens for 1 pictures of 4", lambda: part.model(**few)),
        ("input_ids: 4 image tokens for 0 pictures",
         lambda: part.model(input_ids=batch["input_ids"])),
        ("input_ids: expected a tensor", lambda: part.model()),
        ("depth: expected 'dedicated', got 'none'", none.model.init_depth_from_rgb),
        ("downsample: expected 1, 2 or 3, got 4", lambda: ReferVLMConfig(downsample=4)),
        ("pointer: needs coordinates", lambda: ReferVLMConfig(pointer=True)),
        ("pixel_values: expected pictures of 28 x 28 px, got 32 x 32",
         lambda: part.model(**{**batch, "pixel_values": torch.zeros(1, 3, 32, 32)})),
        ("'depth' expected one of", lambda: ReferVLMConfig(depth="deep")),
        ("coordinates: tokens 1400 to 2399 are not in a vocabulary of 1280",
         lambda: ReferVLMForConditionalGeneration(ReferVLMConfig(
             vision_config=vision, coordinates=1000, coordinate_token_id=1400,
             text_config={"model_type": "qwen2", **vlm_parts.TEXT, "vocab_size": 1280}))),
    ]  # fmt: skip
    for message, call in cases:
        with pytest.raises((ValueError, StrictDataclassError)) as caught:
            pytest.fail(f"{message}: {call()}")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value) or caught.type is not ValueError
