import json
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from published_parts import SIDE, Published, write  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from refergym.agents.errors import ConversionError  # noqa: E402
from refergym.agents.refervlm import ReferVLMForConditionalGeneration  # noqa: E402
from refergym.agents.refervlm.converting import convert  # noqa: E402
from refergym.agents.refervlm.naming import matched, published_name  # noqa: E402
from refergym.agents.refervlm.sizes import config_of  # noqa: E402
from refergym.agents.vlm import load_model  # noqa: E402
from refergym.rollouts import cli, config  # noqa: E402

KINDS = ("mlp_downsample_3x3_fix", "mlp_downsample")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return Published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def copied(published, tmp_path):
    """A copy to break."""
    shutil.copytree(published.folder, tmp_path / "given")
    return tmp_path / "given"


def refused(source, out):
    with pytest.raises(ConversionError) as caught:
        convert(source, out)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edited(folder, change):
    """Change the weights of a part."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    write(folder, weights, json.loads((folder / "config.json").read_text()))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_arrives_bitwise(kind, tied, tmp_path):
    given = Published(tmp_path / "given", kind, tied=tied)
    assert len(list((given.folder / "llm").glob("*.safetensors"))) > 1
    made = convert(given.folder, tmp_path / "out", shard=50_000)
    assert made.files > 2
    model, _ = load_model(str(made.folder))
    assert made.parameters == sum(p.numel() for p in model.parameters())
    assert model.dtype == torch.bfloat16
    rows = given.llm.config.vocab_size
    for table in ("get_input_embeddings", "get_output_embeddings"):
        ours, theirs = (getattr(m, table)().weight for m in (model, given.llm))
        assert torch.equal(ours[:rows], theirs)
        assert not ours[rows:].any()
        assert len(ours) == rows + 2
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied
    with torch.no_grad():  # what was compared goes, so that the rest can be compared as a whole
        for m in (model, given.llm):
            m.get_input_embeddings().weight = torch.nn.Parameter(torch.zeros(1))
            m.get_output_embeddings().weight = torch.nn.Parameter(torch.zeros(1))
    pairs = [(model.language_model, given.llm),
             (model.rgb_tower, given.towers["vision_tower"]),
             (model.depth_tower, given.towers["depth_tower"]),
             (model.rgb_projector.layers, given.projectors["mm_projector"]),
             (model.depth_projector.layers, given.projectors["depth_projector"])]  # fmt: skip
    for ours, theirs in pairs:
        found, expected = (list(m.state_dict().values()) for m in (ours, theirs))
        assert len(found) == len(expected)
        assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_the_published_modules_do(kind, tmp_path):
    given = Published(tmp_path / "given", kind)
    convert(given.folder, tmp_path / "out")
    model, processor = load_model(str(tmp_path / "out"))
    rng = torch.Generator().manual_seed(0)
    rgb, depth = (torch.rand(1, 3, SIDE, SIDE, generator=rng).bfloat16() for _ in range(2))
    n = model.config.image_tokens
    words = processor.tokenizer("point at the mug", return_tensors="pt").input_ids
    marks = [model.config.image_token_id] * n + [model.config.depth_token_id] * n
    ids = torch.cat([torch.tensor([marks]), words], 1)
    with torch.inference_mode():
        parts = [given.seen(rgb), given.seen(depth, "depth"), given.llm.model.embed_tokens(words)]
        expected = given.llm(inputs_embeds=torch.cat(parts, 1)).logits
        found = model(input_ids=ids, pixel_values=rgb, depth_values=depth).logits
    rows = expected.shape[-1]
    said = [k for k in range(rows) if k not in (model.config.image_token_id,
                                                model.config.depth_token_id)]  # fmt: skip
    assert torch.equal(found[..., said], expected[..., said])
    # marks that have no row of their own are never said
    assert found.softmax(-1)[..., rows:].max() == 0


def test_configuration_tokenizer_and_processor_come_along(published, tmp_path):
    convert(published.folder, tmp_path / "out")
    model, processor = load_model(str(tmp_path / "out"))
    made = model.config
    assert (made.depth, made.downsample, made.scales, made.select_layer) == ("dedicated", 3, 1, -2)
    assert (made.coordinates, made.pointer) == (0, False)
    assert made.text_config.rope_parameters["rope_theta"] == 30000.0
    before, after = published.tokenizer.get_vocab(), processor.tokenizer.get_vocab()
    assert before == after
    assert made.unsaid == [before["<vila/sentinel>"], before["<vila/video>"]]
    assert processor.image_tokens == made.image_tokens == 4
    batch = processor(images=[torch.zeros(9, 9, 3, dtype=torch.uint8).numpy()], text="<image>go")
    assert batch["pixel_values"].shape == (1, 3, SIDE, SIDE)
    with torch.inference_mode():
        out = model.generate(**batch, max_new_tokens=3, do_sample=False)
    assert out.shape[0] == 1


@pytest.mark.parametrize("depth", ["shared", "none"])
def test_depth_is_as_the_published_configuration_says(depth, tmp_path):
    given = Published(tmp_path / "given", depth=depth)
    convert(given.folder, tmp_path / "out")
    model, _ = load_model(str(tmp_path / "out"))
    assert model.config.depth == depth
    assert not hasattr(model, "depth_tower")
    assert hasattr(model, "depth_projector") == (depth == "shared")


def test_a_model_of_several_scales_sees_larger_pictures(tmp_path):
    given = Published(tmp_path / "given", "mlp_downsample", scales=2)
    convert(given.folder, tmp_path / "out")
    model, processor = load_model(str(tmp_path / "out"))
    assert model.config.picture_size == 2 * SIDE
    assert processor.image_tokens == 16
    batch = processor(images=[torch.zeros(9, 9, 3, dtype=torch.uint8).numpy()], text="<image>go")
    with torch.inference_mode():
        assert torch.isfinite(model(**batch).logits).all()


@pytest.mark.parametrize("size", ["2b", "8b"])
def test_each_weight_of_the_large_sizes_has_a_published_name(size, published):
    given = config.choice("model", size)
    del given["vocabulary"], given["tokenizer"]
    with torch.device("meta"):
        model = ReferVLMForConditionalGeneration(config_of(given, published.tokenizer))
    ours = {name: tuple(p.shape) for name, p in model.named_parameters()}
    theirs = {published_name(name): shape for name, shape in ours.items()}
    assert len(theirs) == len(ours)
    assert matched(ours, theirs).keys() == ours.keys()
    wide = {"2b": 1152 * 9, "8b": 3456 * 4}[size]
    for name, shape in {
        "mm_projector/layers.1.weight": (wide,),
        "depth_projector/layers.2.bias": ({"2b": 3456, "8b": 3584}[size],),
        "vision_tower/vision_model.encoder.layers.26.mlp.fc1.weight": (4304, 1152),
        "depth_tower/vision_model.embeddings.position_embedding.weight": (1024, 1152),
        "llm/model.layers.27.self_attn.k_proj.bias": ({"2b": 256, "8b": 512}[size],),
    }.items():
        assert theirs[name] == shape
    assert ("llm/lm_head.weight" in theirs) == (size == "8b")


def test_missing_left_over_and_misshapen_weights_are_named_in_one_line(copied, tmp_path):
    def spoil(weights):
        del weights["layers.7.bias"]
        weights["layers.9.bias"] = torch.zeros(1)
        weights["layers.2.bias"] = torch.zeros(5)

    edited(copied / "mm_projector", spoil)
    said = refused(copied, tmp_path / "out")
    assert said == (
        "weights: 1 missing (mm_projector/layers.7.bias); 1 left over (mm_projector/layers.9.bias);"
        " 1 of another shape (mm_projector/layers.2.bias [5], expected [48])"
    )


def test_a_table_of_another_width_is_refused(copied, tmp_path):
    for file in (copied / "llm").glob("model*"):
        file.unlink()
    write(copied / "llm", {"model.embed_tokens.weight": torch.zeros(7, 5)},
          json.loads((copied / "llm" / "config.json").read_text()))  # fmt: skip
    assert "llm/model.embed_tokens.weight [7, 5], expected" in refused(copied, tmp_path / "out")


def test_what_nothing_reads_is_left_out(copied, tmp_path):
    edited(copied / "vision_tower", lambda w: w.update(
        {"vision_model.head.probe": torch.zeros(1, 1, 16)}))  # fmt: skip
    convert(copied, tmp_path / "out")


def test_an_output_layer_that_is_saved_though_tied_must_be_the_embeddings(published, tmp_path):
    for wrong in (0.0, 1.0):
        folder = tmp_path / f"given {wrong}"
        shutil.copytree(published.folder, folder)
        for file in (folder / "llm").glob("model*"):
            file.unlink()
        weights = {k: v.clone() for k, v in published.llm.state_dict().items()}
        weights["lm_head.weight"] += wrong
        write(folder / "llm", weights, json.loads((folder / "llm" / "config.json").read_text()))
        out = tmp_path / f"out {wrong}"
        if wrong:
            assert "llm/lm_head.weight: differs from the embeddings" in refused(folder, out)
        else:
            assert convert(folder, out).files == 1


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("config.json", "config.json: No such file"),
        ("depth_tower", "depth_tower: missing; expected a folder"),
        ("mm_projector/model.safetensors", "model.safetensors: missing"),
        ("mm_projector/config.json", "config.json: No such file"),
        ("llm/tokenizer.json", "llm: no tokenizer.json or vocab.json"),
        ("vision_tower/preprocessor_config.json", "vision_tower: no processor of pictures"),
    ],
)
def test_a_missing_file_is_named_in_one_line(lost, told, copied, tmp_path):
    path = copied / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert told in refused(copied, tmp_path / "out")


def test_a_missing_shard_is_named_in_one_line(copied, tmp_path):
    sorted((copied / "llm").glob("model-*.safetensors"))[1].unlink()
    assert "llm/model-00002-of-" in refused(copied, tmp_path / "out")


def test_a_damaged_file_is_named_in_one_line(copied, tmp_path):
    (copied / "mm_projector" / "model.safetensors").write_bytes(b"no weights")
    assert "model.safetensors: no safetensors" in refused(copied, tmp_path / "out")
    (copied / "config.json").write_text("[")
    assert "config.json: not JSON" in refused(copied, tmp_path / "out")
    (copied / "config.json").write_text("[]")
    assert "config.json: expected an object" in refused(copied, tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"mm_vision_select_feature": "patch"}, "mm_vision_select_feature: expected cls_patch"),
        ({"dynamic_s2": True, "s2_scales": "28,84"}, "s2_scales: expected multiples of 28 px"),
        ({"dynamic_s2": True, "s2_scales": "28,56", "s2_resize_output_to_scale_idx": 0},
         "s2_scales: expected multiples of 28 px, the features resized to the last"),
        ({"dynamic_s2": True, "s2_scales": "28,56"}, "of another shape"),
    ],
)  # fmt: skip
def test_another_kind_of_model_is_refused(keys, told, copied, tmp_path):
    file = copied / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))
    assert told in refused(copied, tmp_path / "out")


def test_another_projector_is_refused(copied, tmp_path):
    file = copied / "depth_projector" / "config.json"
    file.write_text(json.dumps({"mm_projector_type": "linear"}))
    assert "mm_projector_type: expected one of mlp_downsample" in refused(copied, tmp_path / "out")


def test_the_command_converts_and_refuses_what_is_there(published, tmp_path, capsys):
    words = ["convert", str(published.folder), f"out={tmp_path / 'out'}"]
    assert cli.main(words) == 0
    assert "parameters in 1 files" in " ".join(capsys.readouterr().out.split())
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert "out: exists already" in said.replace("\n", " ")
    assert load_model(str(tmp_path / "out"))
