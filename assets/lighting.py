"""The nominal light of every scene, which a LightSpec scales, whoever renders it."""

SUN = (0.93, 0.90, 0.83)
"""[3] linear, nominal distant light"""
SKY = (0.60, 0.62, 0.66)
"""[3] linear, ambient light from straight above"""
GROUND = (0.32, 0.30, 0.28)
"""[3] linear, ambient light from straight below"""
