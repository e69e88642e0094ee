"""New weights on their way from a learner to vLLM's workers: a folder in the checkpoint's form."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from refergym.agents.errors import EngineError

SHARED = Path("/dev/shm")
"""memory that looks like a folder, to every process of a machine"""
SHOWN = 3
"""names in a message at most"""


class WeightFolder:
    """Writes weights as their model's own `save_pretrained` does, checked name by name.

    vLLM warns of a weight that is missing and goes on with the old one; here it is refused.
    """

    def __init__(self, config: Any, folder: str | None = None) -> None:
        """Take the model's configuration; its weights are never made.

        Args:
            config: of transformers.
            folder: where folders of weights are put; None takes shared memory, or the folder for
                temporary files where there is none.

        Raises:
            EngineError: if there is no such folder.
        """
        from transformers import AutoModelForImageTextToText

        if folder is not None and not Path(folder).is_dir():
            raise EngineError(f"vllm.weights_folder: {folder!r} is no folder")
        with torch.device("meta"):
            self._model = AutoModelForImageTextToText.from_config(config)
        self._place = folder or (str(SHARED) if SHARED.is_dir() else None)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight by its name in `state_dict`."""
        return {name: tuple(w.shape) for name, w in self._model.state_dict().items()}

    @contextmanager
    def written(self, weights: Mapping[str, torch.Tensor]) -> Iterator[str]:
        """Write weights, hand out their folder, and remove it.

        Args:
            weights: the whole `state_dict` of the model, on any device.

        Raises:
            EngineError: naming the weights that are missing, unknown or of another shape.
        """
        self._check(weights)
        folder = tempfile.mkdtemp(prefix="refergym-weights-", dir=self._place)
        try:
            # names in the checkpoint are not those in the model: transformers turns them back
            self._model.save_pretrained(folder, state_dict=dict(weights))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check(self, weights: Mapping[str, torch.Tensor]) -> None:
        known = self.shapes
        wrong = {
            "missing": sorted(known.keys() - weights.keys()),
            "unknown": sorted(weights.keys() - known.keys()),
            "of another shape": sorted(
                k for k in known.keys() & weights.keys() if tuple(weights[k].shape) != known[k]
            ),
        }
        for what, names in wrong.items():
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                raise EngineError(f"weights: {what}: {', '.join(names[:SHOWN])}{more}")
