"""What Ray adds to the time of the same episodes, two workers against one, bytes of each step.

Wall clock is what counts, and wants a machine with nothing else to do: as many free cores as there
are workers and one more. CPU is that of all processes together, with Ray's own while nothing is
played. Each collector runs by itself.
"""

import argparse
import pickle
import statistics
import sys

from collectors import collector, play, timed
from speed import say, versus

from refergym.rollouts.rft.groups import Group

COMMON = ["rollout.batch=16"]
BY_RAY = ["rollout=ray", "rollout.batch=16", "rollout.server_cpus=0.5", "rollout.cpus=0.5"]
CASES = {
    "bullet in the loop": (["policy=nano", "task=pick_place", "backend=bullet"], 10),
    "nano in the loop": (["policy=nano", "task=point_at_object", "backend=kinematic"], 10),
    "bare pointing steps": (["task=point_at_object", "backend=kinematic"], 25),
}
"""words, and the goal: percent at most that Ray adds"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", required=True, help="folder of a tiny model, for bare steps")
    args = parser.parse_args()
    met = True
    for name, (words, goal) in CASES.items():
        if "bare" in name:
            words = [*words, f"policy.path={args.tiny}", "policy.max_new_tokens=2"]
        met &= case(name, words, goal, args)
    return int(not met)


def case(name: str, words: list[str], goal: float, args: argparse.Namespace) -> bool:
    members, groups = 4, args.groups
    made = {
        "local": [*words, *COMMON],
        "ray, 1 worker": [*words, *BY_RAY, "rollout.workers=1"],
        "ray, 2 workers": [*words, *BY_RAY, "rollout.workers=2"],
    }
    rounds: list[dict[str, dict[str, float]]] = [{} for _ in range(args.rounds)]
    for key, told in made.items():
        with collector(told) as each:
            play(each, 10**6, 4, members)
            for k, turn in enumerate(rounds):
                turn[key] = timed(each, k * groups, groups, members)
            found = play(each, 0, 2, members)
    recordings = [r for g in found if isinstance(g, Group) for r in g.recordings]
    steps = sum(len(r.answers) for r in recordings)

    def median(key: str, what: str) -> float:
        return statistics.median(turn[key][what] for turn in rounds)

    def ratio(a: str, b: str, what: str) -> float:
        return statistics.median(turn[a][what] / turn[b][what] for turn in rounds)

    adds = {what: 100 * (ratio("ray, 1 worker", "local", what) - 1) for what in ("wall", "cpu")}
    met = say(f"{name}: Ray adds, wall clock", adds["wall"], "%", goal, at_least=False)
    say(f"{name}: Ray adds, CPU", adds["cpu"], "%", None)
    for key in made:
        for what in ("cpu", "wall"):
            value = median(key, what)
            versus(f"{key}: {what} of an episode", 1e3 * value, "ms", value / median("local", what))
    faster = ratio("ray, 1 worker", "ray, 2 workers", "wall")
    met &= say(f"{name}: 2 workers against 1", faster, "x", 1.6)
    asked = sum(len(pickle.dumps(r.observations)) for r in recordings)
    say(f"{name}: to the server, for each step", asked / steps / 1000, "kB", None)
    back = sum(len(pickle.dumps(r)) for r in recordings)
    say(f"{name}: to the learner, for each step", back / steps / 1000, "kB", None)
    taking = median("ray, 1 worker", "own") / median("ray, 1 worker", "steps")
    say(f"{name}: learner's process, CPU of each step", 1000 * taking, "ms", None)
    say(f"{name}: steps of an episode", median("local", "steps"), "", None)
    return met


if __name__ == "__main__":
    sys.exit(main())
