"""ManiSkill's PickCube-v1, run by its own environment's Python."""

import time

import serve

import gymnasium as gym  # isort: skip
import mani_skill.envs  # noqa: F401  # isort: skip
import torch  # isort: skip

WHAT = (
    "ManiSkill PickCube-v1 (physx_cpu, SAPIEN's minimal shader on Vulkan): joint-space controller, "
    "5 physics steps of 10 ms, RGB + depth + ids 224x224 drawn anew"
)


def main() -> None:
    torch.set_num_threads(1)
    env = gym.make(
        "PickCube-v1",
        obs_mode="rgb+depth+segmentation",
        control_mode="pd_joint_delta_pos",
        sim_backend="physx_cpu",
        render_backend="cpu",
        sensor_configs={"width": 224, "height": 224, "shader_pack": "minimal"},
    )
    env.reset(seed=0)
    env.action_space.seed(0)

    def batch(steps: int) -> float:
        cpu = 0.0
        for _ in range(steps):
            action = env.action_space.sample()
            start = time.process_time()
            observation, _, terminated, truncated, _ = env.step(action)
            cpu += time.process_time() - start
            camera = observation["sensor_data"]["base_camera"]
            assert tuple(camera["rgb"].shape) == (1, 224, 224, 3)
            assert {"rgb", "depth", "segmentation"} <= set(camera)
            if terminated or truncated:
                env.reset()
        return cpu

    serve.serve(WHAT, batch)


main()
