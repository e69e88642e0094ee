"""What each of vLLM's workers can do besides: read new weights from a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open


class FolderWeights:
    """Mixed into vLLM's worker (`worker_extension_cls`).

    vLLM's own `reload_weights(weights_path=...)` also makes the folder the model's path, from which
    an engine in the same process then takes its processor; this one is gone by then.
    """

    reload_weights: Any
    """vLLM's own; shards and fuses what it is given"""

    def load_folder(self, folder: str) -> None:
        """Take the weights of a checkpoint's folder."""
        self.reload_weights(weights_iterator=_weights(Path(folder)))


def _weights(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - no mapping
                # a copy: a mapped file may not outlive its folder
                yield name, opened.get_tensor(name).clone()
