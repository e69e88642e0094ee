"""Prove that a task can be solved: its ground-truth points, played from its very start.

As the oracle plays it: a look, a point, what comes of it, the next look.
"""

import numpy as np

from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start
from refergym.envs.task_spec import Proof


def prove(env: ReferEnv, start: Start) -> Proof | str:
    """Play a start to its end; return the proof that it can be solved, or what fails.

    Args:
        env: plays tasks of this kind; its episode is another one afterwards.
        start: where to begin.

    Raises:
        EnvError: if the environment does not play such starts.
    """
    _, info = env.reset(options={"episode": start})
    first = info["truth"]["state"].digest()
    points: list[tuple[float, float]] = []
    while "verdict" not in info:
        point = info["truth"]["point_uv"]
        if point is None:
            return "nothing right can be seen"
        points.append((float(point[0]), float(point[1])))
        info = env.step(np.array(point))[4]
    if not info["verdict"].success:
        return f"fails in {env.backend.kind}: {info['verdict'].stage}"
    end = info["truth"]["state"].digest()
    return Proof(backend=env.backend.kind, start=first, end=end, points=tuple(points))


def replay(env: ReferEnv, start: Start, proof: Proof) -> str | None:
    """Play the points of a proof; return what they fail by, None if they solve the task.

    Args:
        env: as in `prove`.
        start: likewise.
        proof: made in this kind of backend.
    """
    _, info = env.reset(options={"episode": start})
    for point in proof.points:
        if "verdict" in info:
            return "it has points behind the end"
        info = env.step(np.array(point))[4]
    if "verdict" not in info or not info["verdict"].success:
        return "its points do not solve the task"
    is_exact = env.backend.kind == "kinematic"  # a physics engine differs between machines
    if is_exact and info["truth"]["state"].digest() != proof.end:
        return "its points end in another state"
    return None
