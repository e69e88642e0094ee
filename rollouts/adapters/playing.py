"""Playing: one episode at a time, by words, and what it came to."""

from typing import Any

from refergym.agents import prompts
from refergym.envs.starts import Start, load_start
from refergym.envs.text_env import TextEnv
from refergym.rollouts.adapters.place import Place
from refergym.rollouts.errors import ConfigError

OVER = "The episode is over."


class Playing:
    """Plays episodes of one place, one after the other, and keeps the score of each.

    Attributes:
        place: where.
        env: the environment, open until `close`.
        observation: the last one; empty before the first episode.
        rewards: what each answer of the episode earned.
        terms: of each answer, name of the reward term -> {"raw", "paid"}.
        is_over: whether no further answer counts.
        is_solved: whether the task was solved, at the end.
    """

    def __init__(self, place: Place) -> None:
        """Open the place."""
        self.place = place
        self.env: TextEnv = place.open()
        self.observation: dict[str, Any] = {}
        self._known: tuple[str, Start] | None = None
        self._forget()

    def begin(self, *, start: str = "", seed: int | None = None, index: int | None = None) -> None:
        """Begin an episode.

        Args:
            start: a start as JSON (`place.written`); empty makes one of seed and index.
            seed: of the run.
            index: the episode's number.

        Raises:
            ConfigError: if neither start nor seed and index say which episode.
            TaskError: if the start is damaged, or of another environment.
        """
        self._forget()
        options: dict[str, Any]
        if start:
            if self._known is None or self._known[0] != start:
                self._known = (start, load_start(start))
            seed, options = None, {"episode": self._known[1]}
        elif seed is None or index is None:
            raise ConfigError(
                "start: required, but missing: members of a group must begin alike; give a start "
                "(column 'start' of the adapter's data set), or seed and index"
            )
        else:
            options = {"index": index}
        self.observation, info = self.env.reset(seed=seed, options=options)
        self.start: Start = info["start"]
        self.is_over = False

    def answer(self, text: str, image_size: tuple[int, int] | None = None) -> float:
        """Act on a policy's raw words, and return what they earned.

        Args:
            text: the words.
            image_size: px (width, height) of the picture as the model saw it; None takes the
                place's.

        Raises:
            EnvError: without an episode, or after its end.
        """
        size = image_size or self.place.seen_size
        stepped = self.env.answer(text, image_size=size)
        self.observation, reward, terminated, truncated, info = stepped
        self.rewards.append(float(reward))
        self.terms.append(info["reward_terms"])
        self.is_over = terminated or truncated
        self.is_solved = self.is_over and bool(info["verdict"].success)
        return float(reward)

    @property
    def total(self) -> float:
        """What the episode has earned so far."""
        return sum(self.rewards)

    @property
    def words(self) -> str:
        """What the model is told now: the whole question first, later what its answer did."""
        if self.rewards:
            told = str(self.observation["feedback"])
            return f"{told} {OVER}".strip() if self.is_over else told
        assert self.env.reader is not None, "make_text_env gives one"
        return prompts.words(self.observation, self.env.reader.dialect)  # type: ignore[arg-type]

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        self.env.close()

    def _forget(self) -> None:
        self.rewards: list[float] = []
        self.terms: list[dict[str, dict[str, float]]] = []
        self.is_over, self.is_solved = True, False
