"""TRL: `GRPOTrainer(environment_factory=...)`, where the model answers by calling a tool.

Source: https://huggingface.co/docs/trl/openenv, section "environment_factory".
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image

from refergym.rollouts.adapters.needed import needed
from refergym.rollouts.adapters.place import Place, starts, written
from refergym.rollouts.adapters.playing import OVER, Playing

if TYPE_CHECKING:
    from datasets import Dataset

ASKED = "Look at the picture and answer by calling the tool `answer`."
"""what the model is told ahead of the task"""


class PointingEnvironment:
    """One episode of spatial referring; TRL makes one for each member of a batch.

    TRL offers every public method but `reset` and `get_reward` to the model as a tool: there is
    one, `answer`.
    """

    def __init__(self, place: Place) -> None:
        """Open the place."""
        self._playing = Playing(place)
        self._failed: Exception | None = None

    def reset(self, *, start: str = "", **row: Any) -> list[dict[str, Any]]:
        """Begin the episode of a row, and return picture and question for the first message.

        Args:
            start: of the row; `environment_rows` wrote it.
            row: its other columns.
        """
        self._failed = None
        self._playing.begin(start=start)
        return self._shown()

    def answer(self, text: str) -> list[dict[str, Any]]:
        """Answer the question. The robot then acts on the point that the answer names.

        Args:
            text: Your reasoning, if any, and the point in the form that was asked for.

        Returns:
            The picture after what the robot did, and what it did in words.
        """
        if self._playing.is_over:
            return [{"type": "text", "text": OVER}]
        try:
            self._playing.answer(text if isinstance(text, str) else json.dumps(text, default=str))
        except Exception as e:
            self._failed = e  # TRL would tell the model and go on
            raise
        return self._shown()

    def get_reward(self) -> float:
        """Return what the episode earned; 0 without an answer.

        Raises:
            Exception: what the environment failed by, if it did: that is no answer's worth.
        """
        if self._failed is not None:
            raise self._failed
        return self._playing.total

    def _shown(self) -> list[dict[str, Any]]:
        picture = {"type": "image", "image": Image.fromarray(self._playing.observation["rgb"])}
        return [picture, {"type": "text", "text": self._playing.words}]


def environment_factory(place: Place) -> Callable[[], PointingEnvironment]:
    """Return what GRPOTrainer's `environment_factory` wants.

    Args:
        place: where to play. Its reward set is what `get_reward` pays in all.
    """

    def make() -> PointingEnvironment:
        return PointingEnvironment(place)

    return make


def environment_rows(
    place: Place, count: int, *, seed: int = 0, asked: str = ASKED, system: str = ""
) -> "Dataset":
    """Make GRPOTrainer's `train_dataset` for the environment: columns prompt, start, index.

    A row holds its whole start, so that the members of its group begin in the very same state.

    Args:
        place: as the factory's.
        count: rows.
        seed: of the starts.
        asked: what the model is told ahead of picture and question.
        system: what a system message says; empty for none.

    Raises:
        MissingExtra: without the package datasets.
    """
    kind = needed("datasets", "trl").Dataset
    prompt = [{"role": "user", "content": asked}]
    if system:
        prompt.insert(0, {"role": "system", "content": system})
    env = place.open()
    try:
        made = [written(start) for _, start in starts(env, count, seed=seed)]
    finally:
        env.close()
    rows = [{"prompt": prompt, "start": s, "index": k} for k, s in enumerate(made)]
    return kind.from_list(rows)
