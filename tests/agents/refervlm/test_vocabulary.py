import functools

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from refergym.agents.refervlm.processing import DEPTH, IMAGE
from refergym.agents.refervlm.vocabulary import (
    COORDINATES,
    END,
    PAD,
    TAGS,
    build_tokenizer,
)

TEXTS = ["point at the red mug to the left of the plate", "Step 1: [Position] [the mug]: [(0.1"]


@functools.cache
def shared():
    return build_tokenizer(TEXTS, 1400)


@pytest.fixture(scope="module")
def tokenizer():
    return shared()


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False)


def test_the_first_tokens_are_marks_tags_and_coordinates_in_order(tokenizer):
    numbers = [f"{k / COORDINATES:.3f}" for k in range(COORDINATES)]
    first = [PAD, IMAGE, DEPTH, END, *TAGS, *numbers]
    assert tokenizer.convert_ids_to_tokens(range(len(first))) == first


def test_every_coordinate_is_one_token(tokenizer):
    zero = tokenizer.convert_tokens_to_ids("0.000")
    for k in range(COORDINATES):
        assert ids(tokenizer, f"{k / COORDINATES:.3f}") == [zero + k]


def test_coordinates_are_one_token_each_within_an_answer(tokenizer):
    zero = tokenizer.convert_tokens_to_ids("0.000")
    found = ids(tokenizer, "<think>at (0.250, 0.500)</think><answer>[(0.251, 0.999)]</answer>")
    assert [k - zero for k in found if zero <= k < zero + COORDINATES] == [250, 500, 251, 999]
    assert [tokenizer.convert_ids_to_tokens(k) for k in found if k < zero] == list(TAGS)


def test_pictures_and_tags_are_one_token_each(tokenizer):
    for mark in (IMAGE, DEPTH, PAD, END, *TAGS):
        assert len(ids(tokenizer, mark)) == 1


def test_tags_and_coordinates_are_words_and_marks_are_not(tokenizer):
    text = "<think>a</think><answer>[(0.250, 0.500)]</answer>"
    found = ids(tokenizer, IMAGE + DEPTH + text + END)
    assert tokenizer.decode(found, skip_special_tokens=True) == text
    assert tokenizer.decode(found) == IMAGE + DEPTH + text + END


def test_words_of_the_language_are_few_tokens(tokenizer):
    assert len(ids(tokenizer, TEXTS[0])) < len(TEXTS[0]) / 2


@given(st.text())
def test_every_text_comes_back_exactly(text):
    made = shared()
    assert made.decode(ids(made, text)) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "  a  b ", "a , b .", "1.234", "10.250", "0.2505", "-0.250", "ü 点 🦾", "\n\t\r"],
)
def test_awkward_texts_come_back_exactly(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text
    assert tokenizer.decode(ids(tokenizer, text), skip_special_tokens=True) == text


def test_the_same_texts_make_the_same_tokenizer(tokenizer):
    assert build_tokenizer(TEXTS, 1400).get_vocab() == tokenizer.get_vocab()


def test_it_is_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "<answer>[(0.250, 0.500)]</answer>  and more"
    assert ids(loaded, text) == ids(tokenizer, text)
    assert loaded.decode(ids(loaded, text)) == text
    assert (loaded.pad_token, loaded.eos_token, loaded.padding_side) == (PAD, END, "left")


def test_a_batch_is_padded_on_the_left(tokenizer):
    batch = tokenizer(["a", "a longer text"], padding=True)
    assert batch["attention_mask"][0][0] == 0
    assert batch["input_ids"][0][0] == tokenizer.pad_token_id
    assert batch["attention_mask"][0][-1] == 1


def test_it_has_no_more_tokens_than_asked_for(tokenizer):
    assert len(tokenizer) <= 1400
