"""Read a dataset by lerobot's own loader, and say what it saw; runs in lerobot's environment.

    reader.py DATASET OUT

OUT gets numbers.npz (each feature of all frames) and said.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

# torchvision's released build looks for an accelerator's libraries and, without them, loads without
# its operators; its import only needs them to be declared.
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float t) -> Tensor")

from lerobot.datasets.lerobot_dataset import LeRobotDataset


def main(folder: str, out: str) -> None:
    # offline: what is not in the folder is an error
    data = LeRobotDataset("refergym/test", root=folder)
    numbers: dict[str, list[np.ndarray]] = {}
    words: dict[str, list[str]] = {}
    for k in range(len(data)):
        for key, value in data[k].items():
            if isinstance(value, str):
                words.setdefault(key, []).append(value)
            else:
                numbers.setdefault(key, []).append(value.numpy())
    np.savez(Path(out) / "numbers.npz", **{k: np.stack(v) for k, v in numbers.items()})
    batch = next(iter(torch.utils.data.DataLoader(data, batch_size=2)))
    shifted = LeRobotDataset(
        "refergym/test", root=folder, episodes=[1], delta_timestamps={"action": [0.0, 1.0]}
    )
    said = {
        "words": words,
        "episodes": data.num_episodes,
        "frames": data.num_frames,
        "fps": data.fps,
        "tasks": {t: int(i) for t, i in data.meta.tasks["task_index"].items()},
        "bounds": [[e["dataset_from_index"], e["dataset_to_index"]] for e in data.meta.episodes],
        "stats": {k: {s: v.tolist() for s, v in one.items()} for k, one in data.meta.stats.items()},
        "batch": {k: list(v.shape) for k, v in batch.items() if hasattr(v, "shape")},
        "chunk": shifted[0]["action"].tolist(),
        "padded": shifted[len(shifted) - 1]["action_is_pad"].tolist(),
    }
    (Path(out) / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
