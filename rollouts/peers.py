"""A training that runs in several processes, as `accelerate launch` and torchrun start them.

All of them know the same; the main one alone writes.
"""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator

from refergym.rollouts.errors import ConfigError, OutputError, RolloutError

PATIENCE = datetime.timedelta(days=1)
"""for how long the others wait while the main process evaluates or makes lessons"""


def is_main() -> bool:
    """Say whether this process writes: the only one, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


def count() -> int:
    """Return how many processes the training has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def together(patience: datetime.timedelta = PATIENCE) -> Iterator[None]:
    """Join the other processes of a training, if there are any, and part when all are done.

    Args:
        patience: for how long they wait for each other.

    Raises:
        ConfigError: if they do not find each other.
    """
    if count() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    # accelerate joins processes without an accelerator only where it is told that there is none
    found = getattr(torch, "accelerator", torch.cuda).is_available()
    state = PartialState(cpu=not found, timeout=patience)
    joined = state.num_processes
    if joined != count():
        raise ConfigError(f"WORLD_SIZE is {count()}, but {joined} processes were joined")
    yield
    state.wait_for_everyone()
    state.destroy_process_group()


def main_first(do: Callable[[], None]) -> None:
    """Let the main process do something before the others go on.

    Raises:
        RolloutError: in all of them, if it fails.
    """
    if count() == 1:
        do()
        return
    from accelerate.utils import broadcast_object_list

    wrong: list[str | None] = [None]
    try:
        if is_main():
            do()
    except RolloutError as e:
        wrong = [str(e)]
        raise
    finally:
        broadcast_object_list(wrong)
    if wrong[0] is not None:
        raise OutputError(wrong[0])
