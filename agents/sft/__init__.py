"""Supervised fine-tuning: losses, what towers are taught, and the learner."""
