"""How fast the nano answers, on all cores of this machine, and what memory it takes.

Pictures are the starts of point tasks; answers are sampled at temperature 1, as a trainer asks for
them. Each figure is of a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from speed import say, versus

GROUP = 8
PICTURES = 16
WORDS = {"shared": (PICTURES, GROUP, 64), "each": (64, 1, 32), "single": (16, 1, 1)}
"""pictures, answers about each, answers that are generated together"""


def main() -> int:
    if len(sys.argv) > 1:
        return child(sys.argv[1])
    found = {name: run(name) for name in ("first", *WORDS)}
    met = say("first answer after start", found["first"]["seconds"], "s", 10, at_least=False)
    met &= say("memory at most", found["shared"]["mb"], "MB", 700, at_least=False)
    tokens = found["shared"]["tokens"] / found["shared"]["seconds"]
    met &= say(f"answer tokens/s in groups of {GROUP} that share a picture", tokens, "/s", 1500)
    rates = {name: found[name]["answers"] / found[name]["seconds"] for name in WORDS}
    met &= say("answers/s, a picture each", rates["each"], "/s", 15)
    versus("one by one: answers/s", rates["single"], "/s", rates["each"] / rates["single"])
    met &= say("batched against one by one", rates["each"] / rates["single"], "x", 3)
    return int(not met)


def run(name: str) -> dict[str, float]:
    """Measure in a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, __file__, name]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if name == "first":
        told["seconds"] = time.perf_counter() - began
    return told


def child(name: str) -> int:
    """Answer, and print what it took."""
    from refergym.rollouts import config, plan

    node = plan.with_dialect(config.choice("policy", "nano"))
    pictures, group, batch = WORDS.get(name, (1, 1, 1))
    policy = plan.made_policy({**node, "temperature": 1.0, "batch": batch})
    seen = [o for o in observations(pictures) for _ in range(group)]
    if name != "first":
        policy.act(seen[:batch], seeds=list(range(batch)))
    began = time.perf_counter()
    answers = policy.act(seen, seeds=list(range(len(seen))))
    told = {
        "seconds": time.perf_counter() - began,
        "answers": len(answers),
        "tokens": sum(len(a.tokens) for a in answers),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))
    return 0


def observations(count: int) -> list[dict[str, object]]:
    """First observations of a task, of as many starts."""
    import gymnasium

    import refergym.envs  # noqa: F401 - registers the ids

    env = gymnasium.make("refergym/PointAtObject-v0", backend="kinematic", scene="nano")
    try:
        return [env.reset(seed=k)[0] for k in range(count)]
    finally:
        env.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
