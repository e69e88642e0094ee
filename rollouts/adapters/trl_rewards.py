"""TRL: reward functions for tasks of one answer, and a data set of prompts with pictures.

Source: https://huggingface.co/docs/trl/grpo_trainer, "Using a custom reward function".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from refergym.agents import prompts
from refergym.rollouts.adapters.chats import Messages, messages, said
from refergym.rollouts.adapters.judge import Judge
from refergym.rollouts.adapters.needed import needed
from refergym.rollouts.adapters.place import Place, starts, written

if TYPE_CHECKING:
    from datasets import Dataset


class TermReward:
    """One term of a reward set, weighted, with the signature of TRL's reward functions."""

    def __init__(self, judge: Judge, term: str) -> None:
        """Take a judge, whom the terms of one set share."""
        self._judge, self._term = judge, term
        self.__name__ = f"{judge.name}_{term}"  # by which TRL logs it

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[str | Messages], *,
        start: Sequence[str], **columns: Any,
    ) -> list[float]:  # fmt: skip
        """Return what the term pays for each completion.

        Args:
            prompts: not read: the start holds the question.
            completions: the model's words, or messages whose last ones they are.
            start: column of the data set.
            columns: the others, and what TRL adds.
        """
        return [
            self._judge.paid(begun, said(completion)).get(self._term, 0.0)
            for begun, completion in zip(start, completions, strict=True)
        ]


def reward_functions(place: Place) -> list[TermReward]:
    """Return GRPOTrainer's `reward_funcs`: one for each term, so that each is logged.

    Weights are those of the reward set: TRL's sum is what the environment pays.

    Args:
        place: a task of one answer, with any reward set.
    """
    judge = Judge(place)
    return [TermReward(judge, name) for name in judge.terms]


def prompt_rows(place: Place, count: int, *, seed: int = 0, system: str = "") -> "Dataset":
    """Make GRPOTrainer's `train_dataset`: columns prompt (messages), images, start, index.

    Args:
        place: as the reward functions'.
        count: rows.
        seed: of the starts.
        system: what a system message says; empty for none.

    Raises:
        MissingExtra: without the package datasets.
    """
    datasets = needed("datasets", "trl")
    env = place.open()
    try:
        rows = []
        for index, (seen, start) in enumerate(starts(env, count, seed=seed)):
            assert env.reader is not None, "make_text_env gives one"
            words = prompts.words(seen, env.reader.dialect)  # type: ignore[arg-type]
            rows.append(
                {
                    "prompt": messages(words, system),
                    "images": [Image.fromarray(seen["rgb"])],
                    "start": written(start),
                    "index": index,
                }
            )
    finally:
        env.close()
    return datasets.Dataset.from_list(rows)
