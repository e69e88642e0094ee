"""Every call that the policy makes of vLLM, bound to vLLM's recorded signatures."""

import functools
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vllm_part  # noqa: E402
import vlm_parts  # noqa: E402
from safetensors import safe_open  # noqa: E402

from refergym.agents.errors import EngineError, MissingExtra  # noqa: E402
from refergym.agents.policy import ContinuingPolicy  # noqa: E402
from refergym.agents.prompts import PlainPrompter  # noqa: E402
from refergym.agents.vllm_engine import (  # noqa: E402
    VLLMOptions,
    VLLMPolicy,
    WeightFolder,
)
from refergym.agents.vllm_engine import policy as loading  # noqa: E402
from refergym.agents.vllm_engine.policy import EXTENSION  # noqa: E402
from refergym.rollouts import config  # noqa: E402
from refergym.rollouts.errors import ConfigError  # noqa: E402
from refergym.rollouts.plan import with_dialect  # noqa: E402

SEEDS = [11, 12, 2**63 - 1]


@pytest.fixture(scope="module")
def part():
    return vlm_parts.qwen2_5_vl()


@pytest.fixture
def vllm(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", vllm_part)


@pytest.fixture
def seen():
    return vlm_parts.observations(3)


@functools.cache
def default():
    return with_dialect(config.choice("policy", "vlm"))


def options(**changes):
    return VLLMOptions.of({**default()["vllm"], **changes})


@pytest.fixture
def make(vllm, part):
    def policy(*, sleep_mode=False, **changes):
        chosen = options(sleep_mode=sleep_mode)
        llm = vllm_part.LLM(
            "tiny", logprobs_mode="raw_logprobs", worker_extension_cls=EXTENSION,
            **chosen.arguments(),
        )  # fmt: skip
        llm.processor = part.processor
        parts = {"processor": part.processor, "prompter": part.prompter, "dialect": part.dialect}
        weights = WeightFolder(part.model.config)
        return VLLMPolicy(**{"llm": llm, "weights": weights, **parts, **changes})

    return policy


def test_it_fits_the_protocol(make):
    assert isinstance(make(), ContinuingPolicy)
    assert not make().privileged


def test_tokens_go_in_and_come_out_as_of_transformers(make, part, seen):
    policy = make(temperature=0.7, max_new_tokens=2)
    answers = policy.act(seen, seeds=SEEDS)
    theirs = part.policy(max_new_tokens=1).act(seen, seeds=SEEDS)
    assert [a.prompt_tokens for a in answers] == [a.prompt_tokens for a in theirs]
    assert [a.image_size for a in answers] == [a.image_size for a in theirs]
    assert {(a.tokens, a.logprobs) for a in answers} == {((7, 8), (-0.5, -0.5))}
    told = policy._llm.parameters
    assert [(p.temperature, p.max_tokens, p.logprobs) for p in told] == [(0.7, 2, 0)] * 3
    assert len({p.seed for p in told}) == 3


def test_an_answer_depends_on_its_own_seed_alone(make, seen):
    policy = make(temperature=1.0)
    policy.act(seen, seeds=SEEDS)
    together = [p.seed for p in policy._llm.parameters]
    policy.act(seen[1:2], seeds=SEEDS[1:2])
    assert [p.seed for p in policy._llm.parameters] == together[1:2]


def test_end_tokens_end_an_answer(make, part, seen):
    policy = make(ends=[8])
    assert policy.act(seen[:1], seeds=[0])[0].tokens == (7, 8)
    policy._llm.say = [part.processor.tokenizer.eos_token_id, 7]
    assert len(policy.act(seen[:1], seeds=[0])[0].tokens) == 1


def test_an_answer_goes_on_from_its_begin(make, part, seen):
    begin = "point at"
    (answer,) = make().continue_from(seen[:1], [begin], seeds=[0])
    said = part.processor.tokenizer.encode(begin, add_special_tokens=False)
    assert answer.prompt_tokens[-len(said) :] == tuple(said)
    assert answer.text.startswith(begin)


def test_a_prompt_that_the_engine_reads_otherwise_is_refused(make, seen, monkeypatch):
    policy = make()
    monkeypatch.setattr(policy._llm, "_places", lambda request: 1)
    with pytest.raises(EngineError, match=r"^prompt: vllm made \d+ tokens of it, and .* \d+ or"):
        policy.act(seen, seeds=SEEDS)


def test_new_weights_arrive_under_the_checkpoints_names(make, part, seen, tmp_path):
    policy = make()
    assert policy.version == 0
    new = {k: v + 1 for k, v in part.model.state_dict().items()}
    policy.update_weights(new, version=3)
    assert policy.version == 3
    policy.act(seen, seeds=SEEDS)  # the caches are no longer stale
    changed = vlm_parts.qwen2_5_vl().model
    changed.load_state_dict(new)
    changed.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as opened:
        expected = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert policy._llm.loaded.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(policy._llm.loaded[name], weight), name


def test_the_folder_of_weights_is_removed(part, tmp_path):
    folder = WeightFolder(part.model.config, str(tmp_path))
    with folder.written(part.model.state_dict()) as path:
        assert any(tmp_path.iterdir())
        assert path.startswith(str(tmp_path))
    assert not any(tmp_path.iterdir())


def test_weights_that_do_not_fit_change_nothing(make, part):
    policy, fine = make(), part.model.state_dict()
    for wrong, text in (
        ({k: v for k, v in fine.items() if k != "lm_head.weight"}, "missing: lm_head.weight"),
        ({**fine, "more": fine["lm_head.weight"]}, "unknown: more"),
        ({**fine, "lm_head.weight": fine["lm_head.weight"][1:]}, "of another shape: lm_head"),
    ):
        with pytest.raises(EngineError, match=f"^weights: {text}"):
            policy.update_weights(wrong, version=1)
    with pytest.raises(EngineError, match=r"^version: expected > 0, got 0"):
        policy.update_weights(fine, version=0)
    assert (policy.version, policy._llm.loaded) == (0, None)


def test_weights_that_change_under_an_answer_are_an_error(make, part):
    policy = make()
    policy._llm.busy = True
    with pytest.raises(EngineError, match=r"^weights: changed while answers were under way"):
        policy.update_weights(part.model.state_dict(), version=1)


def test_new_weights_wake_it_up(make, part, seen):
    policy = make(sleep_mode=True)
    policy.sleep()
    with pytest.raises(EngineError, match=r"^engine: vllm sleeps; update_weights wakes it up"):
        policy.act(seen, seeds=SEEDS)
    policy.update_weights(part.model.state_dict(), version=1)
    assert policy._llm.log == ["sleep", "wake_up ['weights']", "load_folder", "wake_up None"]
    assert len(policy.act(seen, seeds=SEEDS)) == 3


@pytest.mark.parametrize(
    ("temperature", "top_p", "mode"),
    [
        (0.0, 0.5, "raw_logprobs"),
        (1.0, 0.9, "raw_logprobs"),
        (0.7, 1.0, "processed_logprobs"),
    ],
)
def test_the_config_starts_an_engine(vllm, part, tmp_path, temperature, top_p, mode, monkeypatch):
    if find_spec("torchvision"):
        part.processor.save_pretrained(tmp_path)
    else:  # its processor cannot be loaded
        monkeypatch.setattr(loading, "load_processor", lambda path: part.processor)
    part.model.save_pretrained(tmp_path)
    made = configured(tmp_path, temperature=temperature, top_p=top_p)
    assert isinstance(made, VLLMPolicy)
    assert made._llm.started["logprobs_mode"] == mode
    assert made._llm.started["max_model_len"] == 8192
    assert made._llm.model == str(tmp_path)


def configured(path, **changes):
    node = {**default(), "path": str(path), "engine": "vllm", **changes}
    return config.instantiate(node, "policy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "tgi"}, "engine: expected one of transformers, vllm, got 'tgi'"),
        ({"path": "/nowhere/at/all"}, "path: '/nowhere/at/all' is no folder"),
        ({"temperature": 0.7, "top_p": 0.9}, "top_p: with temperature 0.7 vllm gives no log-prob"),
        ({"dtype": "float13"}, "dtype: expected one of auto, float32, bfloat16, float16"),
        ({"vllm": {"max_model_len": 0}}, "vllm.max_model_len: expected >= 1, got 0"),
        ({"vllm": {"gpu_memory_utilization": 1.5}}, "vllm.gpu_memory_utilization: expected in"),
        ({"vllm": {"max_model_lenn": 5}}, "vllm.max_model_lenn: unknown field"),
        ({"vllm": {"prefix_caching": 3}}, "vllm.prefix_caching: expected bool, got 3"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(vllm, change, message):
    if "vllm" in change:
        change = {"vllm": {**default()["vllm"], **change["vllm"]}}
    with pytest.raises(ConfigError) as caught:
        configured(**{"path": "refergym:nano", **change})
    assert str(caught.value).startswith(f"policy: {message}")
    assert "\n" not in str(caught.value)


def test_our_own_architecture_names_the_engine_that_runs_it(vllm):
    with pytest.raises(ConfigError, match=r"vllm has no ReferVLM .*use policy.engine=transformers"):
        configured("refergym:nano")


def test_an_architecture_that_vllm_lacks_is_named(vllm, part, tmp_path, monkeypatch):
    made = vlm_parts.llava()
    made.model.config.architectures = ["OtherForConditionalGeneration"]
    made.model.config.save_pretrained(tmp_path)
    made.processor.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"vllm does not know OtherFor.*engine=transformers"):
        configured(tmp_path)


def test_a_processor_that_cuts_pictures_is_refused(make):
    with pytest.raises(EngineError, match=r"cuts pictures at the edges.*engine=transformers"):
        make(processor=vlm_parts.llava().processor)


def test_depth_pictures_are_refused(make, seen, part):
    prompter = PlainPrompter(depth=True)
    with pytest.raises(EngineError, match=r"^prompter.depth: vllm takes no depth pictures"):
        make(prompter=prompter).act(seen, seeds=SEEDS)


def test_without_vllm_the_extra_is_named(part, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    made = vlm_parts.llava()
    made.save(tmp_path)
    with pytest.raises(ConfigError, match=r"needs the extra vllm: pip install 'refergym\[vllm\]'"):
        configured(tmp_path)
    assert issubclass(MissingExtra, ValueError)


@pytest.mark.parametrize("wrong", [{"seeed": 1}, {"temperatur": 0.5}])
def test_the_stand_in_refuses_what_vllm_lacks(wrong):
    with pytest.raises(TypeError, match="sampling has no"):
        vllm_part.SamplingParams(**wrong)


def test_the_stand_in_refuses_use_out_of_order(make, part, seen):
    policy = make(sleep_mode=True)
    policy.update_weights(replace(part).model.state_dict(), version=1)
    policy._llm.stale = {"encoder"}
    with pytest.raises(AssertionError, match="stale"):
        policy.act(seen, seeds=SEEDS)
