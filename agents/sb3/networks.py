"""Features for SB3's MultiInputPolicy: the places of learned features in the picture.

A function and no class, so that this module imports without torch; SB3 stores it by its name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gymnasium import spaces


def keypoints(space: "spaces.Dict", channels: int = 32) -> Any:
    """Return a module from {"image" [B, C, S, S] in [0, 1], "vector" [B, V]} to features [B, F].

    Three convolutions, a softmax over the pixels of each channel, and from that the mean place of
    each (spatial softmax, arXiv 1504.00702, section 5.2): where to point is linear in them,
    which is why they learn in minutes. Each channel's greatest value tells how sure it is.
    """
    import torch
    from torch import nn

    class Keypoints(nn.Module):
        """See `keypoints`."""

        def __init__(self) -> None:
            super().__init__()
            image, vector = space["image"].shape, space["vector"].shape
            assert image is not None, "a Box"
            assert vector is not None, "a Box"
            self.features_dim = 3 * channels + vector[0]
            self.convolutions = nn.Sequential(
                nn.Conv2d(image[0] + 2, channels // 2, 5, stride=2, padding=2), nn.ReLU(),
                nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )  # fmt: skip
            self.sharpness = nn.Parameter(torch.ones(channels, 1))
            self.register_buffer("places", _grid(torch, image[1]), persistent=False)

        def forward(self, seen: dict[str, torch.Tensor]) -> torch.Tensor:
            image = seen["image"]
            assert isinstance(self.places, torch.Tensor), "registered"
            where = self.places.expand(len(image), -1, -1, -1)
            maps = self.convolutions(torch.cat([image - 0.5, where], 1))
            grid = _grid(torch, maps.shape[-1]).to(maps.device).flatten(1)
            flat = maps.flatten(2)
            weights = torch.softmax(flat * self.sharpness, -1)
            middle = (weights @ grid.T).flatten(1)
            return torch.cat([middle, torch.tanh(flat.amax(-1)), seen["vector"]], 1)

    return Keypoints()


def _grid(torch: Any, size: int) -> Any:
    """Return [2, size, size]: u and v of each pixel's centre in [-1, 1]."""
    line = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([u, v])
