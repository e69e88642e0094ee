"""verl: rows of its data set, and a reward function for tasks of one answer. Needs no verl."""

import base64
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refergym.agents import prompts
from refergym.agents.pictures import png_base64
from refergym.rollouts.adapters.chats import messages
from refergym.rollouts.adapters.judge import Judge
from refergym.rollouts.adapters.needed import needed
from refergym.rollouts.adapters.place import Place, place_of, starts, written
from refergym.rollouts.errors import ConfigError


def rows(
    place: Place, count: int, *, seed: int = 0, agent: str = "refergym", system: str = "",
    pictures: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Make rows as verl's RLHFDataset reads them.

    A row holds its whole start, so that the members of its group begin in the very same state.

    Args:
        place: where the loop plays.
        count: rows.
        seed: of the starts.
        agent: name of the agent loop.
        system: what a system message says; empty for none.
        pictures: whether rows have their picture, for verl's own single-turn loop; EpisodeLoop
            brings its pictures with it.
    """
    env = place.open()
    try:
        assert env.reader is not None, "make_text_env gives one"
        found = []
        for index, (seen, start) in enumerate(starts(env, count, seed=seed)):
            words = prompts.words(seen, env.reader.dialect)  # type: ignore[arg-type]
            row = {
                "data_source": f"refergym/{start.task.kind}",
                "agent_name": agent,
                "prompt": messages(f"<image>{words}" if pictures else words, system),
                "reward_model": {"style": "rule", "ground_truth": ""},
                "extra_info": {"index": index, "start": written(start)},
            }
            png = [{"bytes": base64.b64decode(png_base64(seen["rgb"]))}]
            found.append(row | ({"images": png} if pictures else {}))
    finally:
        env.close()
    return found


def write_rows(path: str | Path, made: list[dict[str, Any]]) -> None:
    """Write rows as the parquet file that `data.train_files` names.

    Raises:
        MissingExtra: without the package datasets, which comes with verl.
    """
    needed("datasets", "verl").Dataset.from_list(made).to_parquet(str(path))


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    place: Place | Mapping[str, Any] | None = None,
    **columns: Any,
) -> dict[str, float]:
    """Return what an answer earns, as verl's `custom_reward_function` wants it.

    For verl's own single-turn loop; EpisodeLoop brings its reward with it.

    Args:
        data_source: not read.
        solution_str: the model's raw words.
        ground_truth: not read: the start holds it.
        extra_info: of the row, with its start.
        place: `custom_reward_function.reward_kwargs.place`: a task of one answer.
        columns: what verl adds.

    Returns:
        "score", and what each term of the reward set paid.

    Raises:
        ConfigError: without a start, or if the task takes several answers.
    """
    start = (extra_info or {}).get("start", "")
    if not start:
        raise ConfigError("extra_info.start: required, but missing: make the rows by `rows`")
    judge = _judge(place_of(place or {}))
    paid = judge.paid(start, solution_str)
    return {"score": sum(paid.values()), **{t: paid.get(t, 0.0) for t in judge.terms}}


@functools.cache
def _judge(place: Place) -> Judge:
    return Judge(place)
