"""Read an export back by lerobot's own loader, in an environment of its own (.bench/lerobot).

The environment is made on the first call (minutes); the tests that need it skip without it.
"""

import subprocess
import sys
from pathlib import Path

from peers import BENCH, make_environment

# lerobot asks for an older torch than ours, whose build for CPUs is in no index: without its
# dependencies, then, and with those that its loader imports.
STAGES = [
    ("torch==2.13.0",),
    (
        "accelerate==1.15.0",
        "av==15.1.0",
        "datasets==4.8.5",
        "deepdiff==9.1.0",
        "draccus==0.10.0",
        "einops==0.8.2",
        "huggingface-hub==0.35.3",
        "jsonlines==4.0.0",
        "pandas==3.1.1",
        "pillow==13.0.0",
        "termcolor==3.3.0",
    ),
    ("--no-deps", "torchvision==0.28.0", "lerobot==0.4.4"),
]


def main() -> int:
    BENCH.mkdir(exist_ok=True)
    make_environment("lerobot", STAGES)
    tests = Path(__file__).parents[1] / "rollouts" / "lerobot"
    return subprocess.run([sys.executable, "-m", "pytest", "-q", str(tests)]).returncode


if __name__ == "__main__":
    sys.exit(main())
