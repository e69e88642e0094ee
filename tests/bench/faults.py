"""Rollouts by Ray with 5 % crashes and 2 % hangs put in, beside a clean run of the same episodes.

A crash is a SIGKILL of the worker, a hang a SIGSTOP, each at the first step of an episode that the
seed chooses. Prints a table for docs/rft.md.
"""

import argparse
import sys
import time
from collections import Counter

from collectors import collector, play

from refergym.rollouts.rft.groups import Group, error_kinds

WORDS = [
    "policy=nano", "task=point_at_object", "backend=kinematic", "rollout=ray", "rollout.workers=2",
    "rollout.server_cpus=0.5",
]  # fmt: skip
RUNS = {
    "clean": [],
    "5 % crashes, 2 % hangs": ["+rollout.faults.crash=0.05", "+rollout.faults.hang=0.02"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--members", type=int, default=4, help="of a group")
    parser.add_argument("--pulse", type=float, default=5.0, help="rollout.pulse_timeout_s")
    parser.add_argument("overrides", nargs="*", help="further settings of `refergym train`")
    args = parser.parse_args()
    groups = -(-args.episodes // args.members)
    print("| run | episodes | lost | double | other outcome | groups begun anew | replaced "
          "| episodes/s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    outcomes: dict[tuple[int, int], str] = {}
    good = True
    for name, faults in RUNS.items():
        words = [*WORDS, f"rollout.pulse_timeout_s={args.pulse}", *faults, *args.overrides]
        with collector(words) as made:
            play(made, 10**6, 2, args.members)  # all is up, whatever befalls these
            made.replaced.clear()
            begin = time.perf_counter()
            found = play(made, 0, groups, args.members)
            took = time.perf_counter() - begin
            replaced = dict(made.replaced)
        episodes = [e for g in found if isinstance(g, Group) for e in g.episodes]
        counts = Counter((e.id.index, e.id.member) for e in episodes)
        lost = groups * args.members - len(counts)
        double = sum(counts.values()) - len(counts)
        mine = {(e.id.index, e.id.member): e.stage + str(e.success) for e in episodes}
        other = sum(outcomes.get(key, told) != told for key, told in mine.items())
        outcomes = outcomes or mine
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(replaced.items())) or "0"
        retried = sum(g.retries > 0 for g in found)
        print(f"| {name} | {len(episodes)} | {lost} | {double} | {other} | {retried} of {groups} "
              f"| {told} | {len(counts) / took:.2f} |", flush=True)  # fmt: skip
        gone = [g for g in found if not isinstance(g, Group)]
        if gone:
            print(f"    lost by: {error_kinds(gone)}")
        good &= lost == double == 0
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
