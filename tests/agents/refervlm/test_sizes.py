"""Sizes against what was published; docs/models.md names each source."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402

from refergym.agents.refervlm import ReferVLMForConditionalGeneration  # noqa: E402
from refergym.agents.refervlm.sizes import config_of  # noqa: E402
from refergym.agents.refervlm.towers import Projector, see  # noqa: E402
from refergym.rollouts import config  # noqa: E402

BYTES = 2
"""of a number in bfloat16, as the weights were published"""


class Tokens:
    """As much of Qwen2's tokenizer as a configuration asks: 151646 tokens, and two marks."""

    eos_token_id, pad_token_id = 151645, 151643

    def __len__(self):
        return 151648

    def convert_tokens_to_ids(self, token):
        return {"<image>": 151646, "<depth>": 151647}[token]


@pytest.fixture(scope="module", params=["2b", "8b"])
def size(request):
    return request.param


@pytest.fixture(scope="module")
def model(size):
    given = config.choice("model", size)
    assert given.pop("vocabulary") is None
    assert given.pop("tokenizer").startswith("Qwen/Qwen2-")
    with torch.device("meta"):
        return ReferVLMForConditionalGeneration(config_of(given, Tokens()))


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_towers_have_as_many_bytes_as_their_published_file(model):
    # NVILA-8B, vision_tower/model.safetensors: 827 MB
    for tower in (model.rgb_tower, model.depth_tower):
        assert count(tower) == 413_327_088
        assert round(count(tower) * BYTES / 1e6) == 827


def test_projectors_have_as_many_bytes_as_their_published_files(model, size):
    # NVILA-8B, mm_projector/model.safetensors: 125 MB. No listing of the 2B's was found: its kind
    # is checked below at the widths of NVILA-Lite-8B (122 MB) and -15B (160 MB), which have it too
    expected = {"2b": 43_533_696, "8b": 62_425_088}[size]
    assert count(model.rgb_projector) == count(model.depth_projector) == expected
    if size == "8b":
        assert round(expected * BYTES / 1e6) == 125


@pytest.mark.parametrize(
    ("width", "downsample", "megabytes"), [(3584, 3, 122), (5120, 3, 160), (1536, 2, 18.9)]
)
def test_projectors_of_other_published_widths_have_their_bytes(width, downsample, megabytes):
    with torch.device("meta"):
        made = count(Projector(1152, width, downsample)) * BYTES / 1e6
    assert made == pytest.approx(megabytes, abs=0.5 if megabytes > 100 else 0.05)


def test_language_models_have_the_published_number_of_parameters(model, size):
    # model cards of Qwen2.5-1.5B and -7B: 1.54 and 7.61 billion, 1.31 and 6.53 without embeddings
    language = model.language_model
    whole, inner = {"2b": (1.54, 1.31), "8b": (7.61, 6.53)}[size]
    tables = {
        id(m.weight): m.weight.numel() for m in (language.lm_head, language.model.embed_tokens)
    }
    assert round(count(language) / 1e9, 2) == whole
    assert round((count(language) - sum(tables.values())) / 1e9, 2) == inner
    assert len(tables) == {"2b": 1, "8b": 2}[size]
    if size == "8b":
        # NVILA-Lite-8B-stage2, llm/: 4.87 + 4.93 + 4.33 + 1.09 GB
        assert count(language) * BYTES / 1e9 == pytest.approx(15.22, abs=0.01)


def test_the_whole_has_the_number_in_its_name_before_depth_was_added(model, size):
    depth = count(model.depth_tower) + count(model.depth_projector)
    assert round((count(model) - depth) / 1e9, 2) == {"2b": 2.00, "8b": 8.09}[size]
    assert count(model) == {"2b": 2_456_993_504, "8b": 8_564_138_976}[size]


def test_tokens_of_a_picture(model, size):
    # 448 px in patches of 14, three by three as one; or 1344 px, two by two
    assert model.config.image_tokens == {"2b": 121, "8b": 2304}[size]
    assert model.config.picture_size == {"2b": 448, "8b": 1344}[size]


@pytest.mark.parametrize("name", ["nano", "tiny"])
def test_the_small_sizes_are_small(name):
    given = config.choice("model", name)
    vocabulary = given.pop("vocabulary")
    given.pop("tokenizer")
    tokenizer = vlm_parts.make_tokenizer()
    given["text_config"]["vocab_size"] = vocabulary
    with torch.device("meta"):
        made = count(ReferVLMForConditionalGeneration(config_of(given, tokenizer)))
    assert made < {"nano": 4e6, "tiny": 2e5}[name]


def test_a_tower_sees_the_whole_beside_its_tiles():
    # scale 1 fills the first channels, scale 2 the others, each tile where it was cut
    tower = vlm_parts.refervlm().model.rgb_tower
    pictures = torch.rand(2, 3, 56, 56) * 2 - 1
    with torch.inference_mode():
        seen = see(tower, pictures, scales=2)
        assert seen.shape == (2, 64, 32)
        corner = see(tower, pictures[:, :, 28:, :28])
        small = torch.nn.functional.interpolate(
            pictures, size=(28, 28), mode="bicubic", antialias=True
        )
        whole = see(tower, small.clamp(-1, 1))
    grid = seen.view(2, 8, 8, 32)
    torch.testing.assert_close(grid[:, 4:, :4, 16:].reshape(2, 16, 16), corner)
    torch.testing.assert_close(grid[:, ::2, ::2, :16].reshape(2, 16, 16), whole)


def test_a_hidden_state_can_be_seen_in_place_of_the_output():
    tower = vlm_parts.refervlm().model.rgb_tower
    given = []
    hook = tower.encoder.layers[-2].register_forward_hook(lambda m, a, out: given.append(out))
    with torch.inference_mode():
        seen = see(tower, torch.rand(1, 3, 28, 28), layer=-2)
    hook.remove()
    assert torch.equal(seen, given[0] if torch.is_tensor(given[0]) else given[0][0])
