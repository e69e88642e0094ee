"""Words put into a model's mouth: tokens behind its prompt, from which it goes on."""

from collections.abc import Mapping, Sequence

import torch


def begun(
    inputs: Mapping[str, torch.Tensor], begins: Sequence[Sequence[int]], pad: int
) -> dict[str, torch.Tensor]:
    """Put tokens behind each prompt of a batch, as if the model had written them.

    Joined as tokens, not as text: a tokenizer could merge the end of a prompt with what follows.

    Args:
        inputs: of a processor; [B, T] where there is a value for each token.
        begins: [B] tokens for each row.
        pad: token that fills up at the left.
    """
    ids, seen = inputs["input_ids"], inputs["attention_mask"].bool()
    width = max(int(row.sum()) + len(b) for row, b in zip(seen, begins, strict=True))
    made = dict(inputs)
    for key, value in inputs.items():
        if value.shape != ids.shape:
            continue
        said = _said(key, value)
        made[key] = value.new_full((len(ids), width), pad if key == "input_ids" else 0)
        for k, begin in enumerate(begins):
            behind = begin if key == "input_ids" else [said] * len(begin)
            row = torch.cat([value[k][seen[k]], value.new_tensor(behind)])
            made[key][k, width - len(row) :] = row
    return made


def _said(key: str, value: torch.Tensor) -> int:
    """Return what stands for a token that the model has written, in an input beside its tokens."""
    if key == "attention_mask":
        return 1
    # PaliGemma's are 0 throughout a prompt, which it reads in both directions, and 1 for what is
    # said; of models that mark pictures by others, 0 is text
    return int(key == "token_type_ids" and not value.any())
