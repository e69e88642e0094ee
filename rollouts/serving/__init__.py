"""A policy behind HTTP: what requests mean, the queue ahead of the policy, the routes."""
