"""Renderers: RGB, metric depth and instance ids from (SceneSpec, State, CameraSpec)."""
