"""Stable-Baselines3: PPO and SAC on pictures and vectors, as learners and as a policy."""
