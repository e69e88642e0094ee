"""Record what TRL's GRPOTrainer makes of known logits: advantages, losses, gradients.

    python -m venv trl && trl/bin/pip install torch==2.13.0 trl==1.16.0
    trl/bin/python tests/agents/rft/record_trl.py tests/agents/rft/trl.json

TRL's own code does all of it: `_generate_and_score_completions` takes the answers from a rollout
function, asks a reward function, makes advantages, the log-probabilities before the step and the
weights against the sampler's; `_compute_loss` makes the loss. The model is a table of logits, so
that the gradients are those with respect to logits.
"""

import argparse
import itertools
import json
import os
import tempfile
import warnings
from importlib.metadata import version

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from torch import nn
from transformers import (
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

ROWS, LONGEST, WORDS, GROUP = 6, 5, 5, 3
PAD, END = ROWS + WORDS, ROWS + WORDS + 1
"""tokens: one for each row's prompt, then the words, then these"""


class Config(PretrainedConfig):
    model_type = "table"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size, self.vocab_size, self.num_hidden_layers = WORDS, END + 1, 1


class Table(nn.Module):
    """Logits of the words behind each prompt and each word, whatever was said."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(ROWS, LONGEST, WORDS))

    def forward(self, input_ids, attention_mask=None, **_):
        rows = self.logits[input_ids[:, 0]]
        last = rows.new_zeros(len(rows), 1, WORDS)
        return BaseModelOutput(
            last_hidden_state=torch.cat([rows, last], 1)[:, : input_ids.shape[1]]
        )


class Model(PreTrainedModel, GenerationMixin):
    config_class, base_model_prefix = Config, "table"
    main_input_name = "input_ids"

    def __init__(self, config):
        super().__init__(config)
        self.table = Table()
        self.lm_head = nn.Linear(WORDS, END + 1, bias=True)
        self.post_init()
        with torch.no_grad():  # words' logits as they are, all other tokens impossible
            self.lm_head.weight.zero_()
            self.lm_head.weight[ROWS:PAD] = torch.eye(WORDS)
            self.lm_head.bias.fill_(-1e4)
            self.lm_head.bias[ROWS:PAD] = 0
        self.lm_head.requires_grad_(False)

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, input_ids, **kwargs):
        return CausalLMOutput(logits=self.lm_head(self.table(input_ids).last_hidden_state))


def make_tokenizer():
    words = {f"t{k}": k for k in range(PAD)} | {"[pad]": PAD, "[end]": END}
    made = Tokenizer(models.WordLevel(words, unk_token="[end]"))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[pad]", eos_token="[end]", unk_token="[end]"
    )


def make_scene(seed):
    """Draw logits, answers, masks and rewards; the second scene is further off policy."""
    rng = np.random.default_rng(seed)
    old = rng.normal(size=(ROWS, LONGEST, WORDS))
    lengths = rng.integers(1, LONGEST + 1, ROWS)
    lengths[0] = LONGEST
    words = [rng.integers(0, WORDS, n).tolist() for n in lengths]
    wrote = [rng.integers(0, 2, n).tolist() for n in lengths]
    for row in wrote:
        row[0] = 1  # TRL's means over answers are undefined without any
    now = old + (0.3 + 0.7 * seed) * rng.normal(size=old.shape)
    sampler = old + (0.2 + 0.6 * seed) * rng.normal(size=old.shape)
    likely = sampler - np.log(np.exp(sampler).sum(-1, keepdims=True))
    sampled = [[float(likely[k, t, w]) for t, w in enumerate(row)] for k, row in enumerate(words)]
    return {
        "now": np.round(now, 4).tolist(),
        "old": np.round(old, 4).tolist(),
        "reference": np.round(old + 0.5 * rng.normal(size=old.shape), 4).tolist(),
        "words": words,
        "wrote": wrote,
        "sampled": [[round(v, 6) for v in row] for row in sampled],
        "rewards": np.round(rng.random(ROWS), 3).tolist(),
    }


LOSSES = ("grpo", "bnpo", "dapo", "dr_grpo")
OPTIONS = (
    {"old": False},
    {"old": False, "beta": 0.04, "scale_rewards": "none"},
    {"old": False, "beta": 0.04, "corrected": True},
    {"epsilon_high": 0.28, "scale_rewards": "batch"},
    {"beta": 0.04},
    {"beta": 0.04, "corrected": True},
    {"epsilon_high": 0.28, "delta": 1.5, "masked": False},
    {"epsilon_high": 0.28, "cap": 1.2},
    {"entropy_coef": 0.01, "masked": False},
    {
        "epsilon_high": 0.28,
        "delta": 2.0,
        "beta": 0.04,
        "corrected": True,
        "cap": 1.5,
        "entropy_coef": 0.02,
    },
)
"""what is set besides the loss. old=False is on-policy, masked=False trains on all tokens,
corrected multiplies the KL term by the ratio"""


def record(scene, loss, option, folder, tokenizer):
    """Run TRL once."""
    option = {
        "old": True, "beta": 0.0, "epsilon": 0.2, "epsilon_high": 0.2, "delta": None, "cap": None,
        "entropy_coef": 0.0, "scale_rewards": "group", "masked": True, "corrected": False,
    } | option  # fmt: skip

    def roll_out(prompts, trainer):
        found = {
            "prompt_ids": [[k] for k in range(ROWS)],
            "completion_ids": [[ROWS + w for w in row] for row in scene["words"]],
            "logprobs": scene["sampled"],
        }
        return found | ({"env_mask": scene["wrote"]} if option["masked"] else {})

    args = GRPOConfig(
        output_dir=folder, use_cpu=True, report_to=[], bf16=False, gradient_checkpointing=False,
        per_device_train_batch_size=ROWS, num_generations=GROUP, steps_per_generation=1,
        num_iterations=2 if option["old"] else 1, max_completion_length=LONGEST,
        loss_type=loss, epsilon=option["epsilon"], epsilon_high=option["epsilon_high"],
        delta=option["delta"], use_bias_correction_kl=option["corrected"],
        entropy_coef=option["entropy_coef"], scale_rewards=option["scale_rewards"],
        vllm_importance_sampling_mode="token_truncate", vllm_importance_sampling_clip_min=None,
        vllm_importance_sampling_clip_max=option["cap"] or 3.0,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=Model(Config()), args=args, processing_class=tokenizer, rollout_func=roll_out,
        reward_funcs=lambda completions, **_: scene["rewards"],
        train_dataset=Dataset.from_dict({"prompt": ["t0"] * ROWS}),
    )  # fmt: skip
    trainer.current_gradient_accumulation_steps = 1  # what train() sets
    if option["beta"]:  # TRL would load it from a folder
        trainer.beta, trainer.ref_model = option["beta"], Model(Config())
        add_fused_lm_head(trainer.ref_model, temperature=args.temperature)
        set_logits(trainer.ref_model, scene["reference"])
    if option["cap"]:  # TRL would start an engine; here its log-probabilities are known
        trainer.use_vllm, trainer._last_loaded_step = True, 0
    set_logits(trainer.model, scene["old"] if option["old"] else scene["now"])
    trainer.model.train()
    inputs = trainer._generate_and_score_completions([{"prompt": "t0"}] * ROWS)
    assert ("old_per_token_logps" in inputs) == option["old"], "what the option says"
    assert ("importance_sampling_ratio" in inputs) == bool(option["cap"]), "what the option says"
    set_logits(trainer.model, scene["now"])
    value = trainer._compute_loss(trainer.model, inputs)
    value.backward()
    metrics = {name: round(v[-1], 7) for name, v in trainer._metrics["train"].items()}
    kept = ("kl", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean")
    return {
        "loss_type": loss,
        **option,
        "advantages": rounded(inputs["advantages"]),
        "loss": float(value.detach()),
        "gradient": rounded(trainer.model.table.logits.grad),
        "metrics": {name: metrics[name] for name in kept if name in metrics},
    }


def set_logits(model, logits):
    with torch.no_grad():
        model.table.logits.copy_(torch.tensor(logits))
    model.table.logits.grad = None


def rounded(values):
    return json.loads(json.dumps(values.tolist()), parse_float=lambda text: round(float(text), 7))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    path = parser.parse_args().out
    warnings.simplefilter("ignore")
    tokenizer, scenes = make_tokenizer(), [make_scene(seed) for seed in (0, 1)]
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            {"scene": k, **record(scene, loss, option, folder, tokenizer)}
            for (k, scene), loss, option in itertools.product(enumerate(scenes), LOSSES, OPTIONS)
        ]
    names = ("trl", "torch", "transformers", "accelerate", "numpy")
    made = {
        "versions": {name: version(name) for name in names},
        "longest": LONGEST,
        "group": GROUP,
        "scenes": scenes,
    }
    head = json.dumps(made, separators=(",", ":"))[:-1]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{head},\n"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
