"""What a dataset holds: its features, and the files that they stand in.

Source: LeRobotDataset v3.0 (github.com/huggingface/lerobot, lerobot/datasets).
"""

from typing import Any

VERSION = "v3.0"
FPS = 1
"""steps have no length in time; one a second makes whole timestamps"""
FILES_A_CHUNK = 1000
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
TASKS = "meta/tasks.parquet"
INFO = "meta/info.json"
STATS = "meta/stats.json"

RGB, DEPTH = "observation.images.rgb", "observation.depth"
NO_POINT = (-1.0, -1.0)
"""the action of a step whose answer had no usable point"""

Features = dict[str, dict[str, Any]]


def features(height: int, width: int) -> Features:
    """List the features of every frame: type, shape and the names of its parts.

    Args:
        height: of the pictures, px.
        width: of the pictures, px.
    """
    picture = {"dtype": "image", "shape": [height, width, 3]}
    return {
        RGB: {**picture, "names": ["height", "width", "channels"]},
        DEPTH: {"dtype": "float32", "shape": [height, width], "names": ["height", "width"]},
        "observation.state": _vector("holding", "event"),
        "observation.intrinsics": _vector("fx", "fy", "cx", "cy"),
        "action": _vector("u", "v"),
        "answer": _scalar("string"),
        "next.reward": _scalar("float32"),
        "next.success": _scalar("bool"),
        "next.done": _scalar("bool"),
        "timestamp": _scalar("float32"),
        "frame_index": _scalar("int64"),
        "episode_index": _scalar("int64"),
        "index": _scalar("int64"),
        "task_index": _scalar("int64"),
    }


def info(found: Features, episodes: int, frames: int, tasks: int, file_mb: int) -> dict[str, Any]:
    """Put together meta/info.json.

    Args:
        found: the features.
        episodes: how many.
        frames: of all episodes.
        tasks: different instructions.
        file_mb: MB of a data file, about.
    """
    return {
        "codebase_version": VERSION,
        "robot_type": "refergym",
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_A_CHUNK,
        "data_files_size_in_mb": file_mb,
        "video_files_size_in_mb": file_mb,
        "fps": FPS,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA,
        "video_path": None,
        "features": found,
    }


def _vector(*names: str) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def _scalar(kind: str) -> dict[str, Any]:
    return {"dtype": kind, "shape": [1], "names": None}
