"""panda-gym's PandaPickAndPlace-v3, run by its own environment's Python."""

import time

import serve

import gymnasium as gym  # isort: skip
import panda_gym  # noqa: F401  # isort: skip

WHAT = (
    "panda-gym PandaPickAndPlace-v3 (PyBullet): end-effector control, 20 physics steps of 2 ms, "
    "its render() 224x224 by TinyRenderer, which draws RGB + depth + ids with shadows"
)


def main() -> None:
    env = gym.make(
        "PandaPickAndPlace-v3",
        render_mode="rgb_array",
        renderer="Tiny",
        render_width=224,
        render_height=224,
    )
    env.reset(seed=0)
    env.action_space.seed(0)

    def batch(steps: int) -> float:
        cpu = 0.0
        for _ in range(steps):
            action = env.action_space.sample()
            start = time.process_time()
            _, _, terminated, truncated, _ = env.step(action)
            picture = env.render()
            cpu += time.process_time() - start
            assert picture.shape == (224, 224, 3)
            if terminated or truncated:
                env.reset()
        return cpu

    serve.serve(WHAT, batch)


main()
