"""Reinforcement fine-tuning by outcomes: advantages of turns, and the policy's loss."""
