"""refergym's ReferEnv: argv is task, backend, shadows (true or false)."""

import sys
import time

import serve

import starts  # isort: skip

WHAT = (
    "refergym {task} ({backend}, embree, shadows={shadows}): {did}; RGB + depth + ids 224x224, the "
    "objects and their shadows drawn anew, what never moves kept from the episode's first picture"
)
DID = {
    "point_at_object": "point to 3D, judged",
    "pick_place": "point to 3D, grasp search and a pick or a place without dynamics, judged",
}


def main() -> None:
    task, backend, shadows = sys.argv[1:]
    env = starts.environment(task, backend, f"renderer.shadows={shadows}")
    stored = starts.collect(env, 6)
    state: dict = {"next": 0, "info": None}

    def batch(steps: int) -> float:
        cpu = 0.0
        for _ in range(steps):
            if state["info"] is None:
                start = stored[state["next"] % len(stored)]
                state["next"] += 1
                _, state["info"] = env.reset(options={"episode": start})
            action = starts.solving_point(state["info"])
            begin = time.process_time()
            observation, _, terminated, truncated, info = env.step(action)
            cpu += time.process_time() - begin
            assert observation["rgb"].shape == (224, 224, 3)
            state["info"] = None if terminated or truncated else info
        return cpu

    serve.serve(WHAT.format(task=task, backend=backend, shadows=shadows, did=DID[task]), batch)


main()
