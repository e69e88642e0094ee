import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("accelerate")

from taught_parts import pictures, save, taught  # noqa: E402

from refergym.agents.vlm import load_model  # noqa: E402

LANGUAGE = "language_model."


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return save(tmp_path_factory.mktemp("begun"))


def plain(name):
    return name.replace(".base_layer.", ".")


def weights(made):
    return {plain(n): p.detach().clone() for n, p in made.objective.model.named_parameters()}


def changed(before, after):
    return {n for n in before if not torch.equal(before[n], after[n])}


@pytest.mark.parametrize("learns", [(), ("depth_projector",), ("coordinates", "pointer")])
def test_adapters_and_what_the_stage_names_learn_and_nothing_else(begun, learns):
    made = taught(begun, lora=2, learning={"learns": learns, "weight_decay": 0.05})
    before = weights(made)
    for k in range(3):
        made.learner.learn([pictures(k)])
    moved = changed(before, weights(made))
    adapters = {n for n in before if ".lora_" in n}
    assert adapters
    assert moved >= adapters
    others = moved - adapters
    assert not any(n.startswith(LANGUAGE) for n in others)
    assert others
    assert all(n.startswith(learns) for n in others if learns)
    kinds = {n.split(".")[0] for n in others}
    assert kinds == (set(learns) or {"rgb_tower", "depth_tower", "rgb_projector", "depth_projector",
                                     "coordinates", "pointer"})  # fmt: skip


def test_adapters_do_nothing_at_first_and_follow_from_the_seed(begun):
    one, other, without = taught(begun, lora=2), taught(begun, lora=2), taught(begun)
    assert changed(weights(one), weights(other)) == set()
    assert changed(weights(one), weights(taught(begun, lora=2, seed=4)))
    batch = one.objective.collate(pictures(), with_depth=True)
    assert torch.equal(one.objective(batch)[0], without.objective(batch)[0])


def test_a_checkpoint_is_a_plain_model_that_answers_the_same(begun, tmp_path):
    made = taught(begun, lora=2)
    for k in range(3):
        made.learner.learn([pictures(k)])
    made.learner.save(tmp_path / "kept", made.processor)
    model, _ = load_model(str(tmp_path / "kept"))
    assert model.state_dict().keys() == load_model(str(begun))[0].state_dict().keys()
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    batch = made.objective.collate(pictures(9), with_depth=True)
    made.objective.eval()
    plainly = taught(tmp_path / "kept")
    with torch.inference_mode():
        expected, found = made.objective(batch)[0], plainly.objective.eval()(batch)[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)
    before, after = weights(taught(begun)), weights(plainly)
    merged = {n for n in changed(before, after) if n.startswith(LANGUAGE)}
    assert {n.rsplit(".", 2)[1] for n in merged} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip


def test_going_on_equals_not_stopping_bitwise(begun, tmp_path):
    whole = taught(begun, lora=2)
    for k in range(2):
        whole.learner.learn([pictures(k)])
    whole.learner.save(tmp_path / "kept", whole.processor, {"seen": 2})
    resumed = taught(tmp_path / "kept", lora=2)
    assert resumed.learner.load(tmp_path / "kept") == {"seen": 2}
    assert changed(weights(whole), weights(resumed)) == set()
    for k in range(2, 4):
        told, again = (x.learner.learn([pictures(k)]) for x in (whole, resumed))
        assert told == again
    assert changed(weights(whole), weights(resumed)) == set()
    for made, name in ((whole, "a"), (resumed, "b")):
        made.learner.save(tmp_path / name, made.processor)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(("before", "after"), [(2, 0), (0, 2), (2, 3)])
def test_going_on_with_other_adapters_is_refused(before, after, begun, tmp_path):
    made = taught(begun, lora=before)
    made.learner.save(tmp_path / "kept", made.processor)
    with pytest.raises(ValueError, match="cannot go on from here") as caught:
        taught(tmp_path / "kept", lora=after).learner.load(tmp_path / "kept")
    assert "\n" not in str(caught.value)


def test_a_part_that_is_not_there_is_named(begun):
    with pytest.raises(ValueError, match="learns: the model has no part 'nose'"):
        taught(begun, lora=2, learning={"learns": ("nose",)})
