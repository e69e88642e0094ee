"""How often the controller succeeds at ground-truth points: the ceiling of every policy.

python tests/bench/skills.py [episodes=300] [seed=0]

One pick and one place per episode, no second try, PyBullet with contact grasps, scenes of
`tabletop`. Two rows: targets that the manifest calls graspable, and all targets.
"""

import sys
from collections import Counter

import numpy as np

from refergym.envs import make_env
from refergym.envs.types import Event
from refergym.rollouts.agreement import ANY_TARGET
from refergym.rollouts.statistics import jeffreys


def row(name: str, overrides: tuple[str, ...], episodes: int, seed: int) -> None:
    """Play the episodes and print one row."""
    env = make_env("pick_place", "bullet", overrides=["max_steps=2", *overrides])
    picked = placed = 0
    failures: Counter[str] = Counter()
    for index in range(episodes):
        _, info = env.reset(seed=seed, options={"index": index})
        events = []
        done = False
        while not done:
            point = info["truth"]["point_uv"]
            if point is None:
                _, _, terminated, truncated, info = env.fail_step("nothing right can be seen")
            else:
                _, _, terminated, truncated, info = env.step(np.array(point))
            events.append(Event(info["event"]))
            done = terminated or truncated
        picked += events[0] is Event.PICKED
        placed += info["verdict"].success
        if not info["verdict"].success:
            task, scene = env.start.task, env.start.scene
            asset = scene.objects[scene.index(task.goal.object)].asset
            failures[f"{events[-1].name.lower()} ({task.goal.relation})"] += 1
            named = [e.name.lower() for e in events]
            print(f"  {index}: {asset} {task.goal.relation} {named} {info['detail']}")
    env.close()
    for what, n in (("picks", picked), ("picks and places", placed)):
        low, high = jeffreys(n, episodes)
        print(f"{name:<20} {what:<18} {n}/{episodes} = {n / episodes:.1%} [{low:.1%}, {high:.1%}]")
    print(f"{name:<20} failures: {dict(failures.most_common())}", flush=True)


if __name__ == "__main__":
    given = dict(a.split("=") for a in sys.argv[1:])
    count, first = int(given.get("episodes", 300)), int(given.get("seed", 0))
    row("graspable targets", (), count, first)
    row("all targets", ANY_TARGET, count, first)
