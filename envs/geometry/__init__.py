"""Geometry of a scene: ray casts and height maps straight from meshes, without a simulator."""
