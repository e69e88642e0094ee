"""What every timed worker does: warm up, then time batches of steps when told to on stdin."""

import json
import os
import sys
import time
from collections.abc import Callable

# The worker's own answers; everything that libraries print goes to stderr.
_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def serve(what: str, batch: Callable[[int], float]) -> None:
    """Answer each number of steps on stdin with a line of JSON.

    Args:
        what: what one step does, for the reader of the table.
        batch: does that many steps and returns the CPU seconds of all threads that they took,
            without resets.
    """
    batch(3)
    _say({"what": what})
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        cpu = batch(steps)
        _say({"steps": steps, "cpu": cpu, "wall": time.perf_counter() - start})


def _say(answer: dict[str, object]) -> None:
    _answers.write(json.dumps(answer) + "\n")
    _answers.flush()
