"""Judge: what each term of a reward set pays for an answer, for tasks of one answer."""

from refergym.rollouts.adapters.place import Place
from refergym.rollouts.adapters.playing import Playing
from refergym.rollouts.errors import ConfigError

KEPT = 4096
"""answers whose worth is remembered: each term asks for the same ones"""


class Judge:
    """Plays answers, one each episode, and keeps what each term of the reward set paid."""

    def __init__(self, place: Place) -> None:
        """Open the place."""
        self._playing = Playing(place)
        self._kept: dict[tuple[str, str], dict[str, float]] = {}
        rewards = self._playing.env.rewards
        assert rewards is not None, "make_text_env gives one"
        self.name = rewards.name
        self.terms = tuple(rewards.weights)

    def paid(self, start: str, text: str) -> dict[str, float]:
        """Return what each term pays for an answer.

        Args:
            start: as `prompt_rows` wrote it.
            text: the model's raw words.

        Raises:
            ConfigError: if the task takes several answers.
        """
        if (start, text) in self._kept:
            return self._kept[start, text]
        self._playing.begin(start=start)
        self._playing.answer(text)
        limit = self._playing.env.refer.limit
        if limit > 1:
            raise ConfigError(
                f"task: a reward function sees one answer, but {self._playing.start.task.kind!r} "
                f"takes up to {limit}; use environment_factory, or a task that points"
            )
        if len(self._kept) >= KEPT:
            self._kept.clear()
        found = {name: float(v["paid"]) for name, v in self._playing.terms[0].items()}
        self._kept[start, text] = found
        return found

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        self._playing.close()
