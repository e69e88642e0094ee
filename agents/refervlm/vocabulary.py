"""A small vocabulary for small models: byte pairs of our language, and coordinates as tokens."""

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from refergym.agents.refervlm.processing import DEPTH, IMAGE

PAD, END = "<pad>", "<eos>"
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
FORMS = (
    *(f"Step {k}: [" for k in range(1, 6)), "Position] [the ", "Size] [the ", "Orientation] [the ",
    "]: [(", "]: (", "]: ", "[(", ")]", ")]\n", ", ", " m", "Pick up the ", " and put it ",
)  # fmt: skip
"""what answers say again and again, as one token each"""
COORDINATES = 1000
"""0.000 to 0.999, the paper's three decimals"""


def build_tokenizer(texts: Iterable[str], size: int = 2048) -> PreTrainedTokenizerFast:
    """Learn a tokenizer.

    The first tokens are PAD, IMAGE, DEPTH, END, the tags, the coordinates, and then the FORMS.

    Args:
        texts: what the model is to read and write; the coordinates in it are left out.
        size: tokens in all.

    Returns:
        A tokenizer that gives every text back exactly.
    """
    special = [PAD, IMAGE, DEPTH, END, *TAGS]
    numbers = [f"{k / COORDINATES:.3f}" for k in range(COORDINATES)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*special, *numbers, *FORMS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # tags and numbers are words of the language, not marks that decoding may leave out
    words = [*TAGS, *numbers, *FORMS]
    tokenizer.add_tokens([AddedToken(w, normalized=False, special=False) for w in words])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left",
        additional_special_tokens=[IMAGE, DEPTH], clean_up_tokenization_spaces=False,
    )  # fmt: skip
