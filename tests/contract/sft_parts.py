"""A training of seconds: words for `refergym sft`, and its processes as torchrun starts them."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

WORDS = [
    "model=tiny", "scene.width=64", "scene.height=64", "renderer.shadows=false",
    "renderer.antialias=none", "batch=2", "questions=2", "group=2", "per_scene=3", "workers=0",
    "threads=1", "episodes=0", "data.related.weight=0", "data.free.weight=0",
    "data.pick.weight=0",
]  # fmt: skip
"""tiny pictures of named things, and whole episodes"""


def spread(arguments: Sequence[str], count: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """Run `python ...` in several processes that know of each other, as torchrun does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1",
              "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **common, "RANK": str(k), "LOCAL_RANK": str(k)},
        )
        for k in range(count)
    ]  # fmt: skip
    try:
        said = [process.communicate() for process in running]
    finally:
        for process in running:
            process.kill()
    return [
        subprocess.CompletedProcess(p.args, p.returncode, *words)
        for p, words in zip(running, said, strict=True)
    ]
