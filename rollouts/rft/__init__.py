"""Reinforcement fine-tuning: groups of episodes from the simulator, and the loop around them."""
