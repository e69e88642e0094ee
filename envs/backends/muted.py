"""Keep what C and C++ code prints, past Python's streams, from the user's terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def muted(descriptor: int) -> Iterator[None]:
    """Send a stream to nowhere for a while.

    Args:
        descriptor: 1 for what is printed, 2 for what is warned of.
    """
    stream = sys.stdout if descriptor == 1 else sys.stderr
    stream.flush()
    kept = os.dup(descriptor)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, descriptor)
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(sink)
