"""Scenes that others annotated: RGB-D frames with boxes in 3D, and pictures with boxes in 2D.

A frame is read (`ca1m`, `openimages`) or made by hand (`frame`, `picture`), seen through a view of
its own (`view`, `flat`), and asked about (`questions`) by the same programs as a simulated scene.
"""
