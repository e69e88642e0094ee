"""Where models run is said by configuration alone."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402

from refergym import agents, rollouts  # noqa: E402
from refergym.rollouts import config  # noqa: E402
from refergym.rollouts.plan import with_dialect  # noqa: E402


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return vlm_parts.refervlm().save(tmp_path_factory.mktemp("saved"))


def configured(folder, device):
    node = {**config.choice("policy", "vlm"), "path": str(folder), "device": device,
            "dialect": "roborefer", "max_new_tokens": 4}  # fmt: skip
    node["prompter"] = {
        "_target_": "refergym.agents.prompts.PlainPrompter", "depth": True,
        "template": "<image><depth>{words}\n",
    }  # fmt: skip
    return config.instantiate(with_dialect(node), "policy")


def test_no_code_moves_a_model_to_a_device_of_its_own_choice():
    for package in (agents, rollouts):
        for file in Path(package.__file__).parent.rglob("*.py"):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                assert not re.search(r"\.cuda\(|\.to\(\s*[\"']", line), f"{file}:{number}"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_policy_stands_where_its_configuration_says(saved, device):
    model = configured(saved, device)._model
    assert {p.device.type for p in model.parameters()} == {device}
    assert {b.device.type for b in model.buffers()} == {device}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_policy_on_cuda_answers_as_on_the_cpu(saved):
    seen = vlm_parts.observations(3)
    here, there = (
        configured(saved, device).act(seen, seeds=[1, 2, 3]) for device in ("cpu", "cuda")
    )
    assert [a.text for a in here] == [a.text for a in there]
