"""Recorded episodes as a dataset of LeRobot's format v3.0, written without lerobot."""

from refergym.rollouts.lerobot.writing import Report, write_lerobot

__all__ = ["Report", "write_lerobot"]
