"""Parquet tables as LeRobot and Hugging Face's datasets read them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from refergym.rollouts.errors import ConfigError
from refergym.rollouts.lerobot import schema
from refergym.rollouts.lerobot.schema import Features

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 64
"""frames held in memory before they are written"""
Row = Mapping[str, Any]


def need_pyarrow() -> None:
    """Check that tables can be written at all.

    Raises:
        ConfigError: if pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as e:
        raise ConfigError(
            "format: lerobot needs the extra lerobot: pip install 'refergym[lerobot]'"
        ) from e


class FrameTables:
    """Writes frames to data files of a size; an episode never stands in two."""

    def __init__(self, folder: Path, features: Features, file_mb: int) -> None:
        """Open nothing yet.

        Args:
            folder: of the dataset.
            features: of every frame.
            file_mb: MB after which the next file begins.
        """
        self._folder = folder
        self._features = features
        self._limit = file_mb * 2**20
        self._number = -1
        self._rows: list[Row] = []
        self._file: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Take the frames of an episode; returns the chunk and the file that they stand in."""
        if self._writer is None:
            self._open()
        self._rows += rows
        place = divmod(self._number, schema.FILES_A_CHUNK)
        if len(self._rows) >= BATCH:
            self._flush()
        return place

    def close(self) -> None:
        """Write what is held, and end the last file."""
        if self._writer is not None:
            self._flush()
        self._end()

    def _open(self) -> None:
        import pyarrow.parquet as pq

        self._number += 1
        chunk, file = divmod(self._number, schema.FILES_A_CHUNK)
        path = self._folder / schema.DATA.format(chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(
            self._file, _frame_schema(self._features), compression="zstd", use_dictionary=False
        )

    def _flush(self) -> None:
        import pyarrow as pa

        assert self._writer is not None, "opened before anything is held"
        assert self._file is not None, "opened with the writer"
        if self._rows:
            wanted = _frame_schema(self._features)
            columns = [
                _column([row[f.name] for row in self._rows], f.type, self._features[f.name])
                for f in wanted
            ]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=wanted))
            self._rows = []
        if self._file.tell() >= self._limit:
            self._end()

    def _end(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
        self._writer = self._file = None


def write_episodes(folder: Path, episodes: Sequence[Row]) -> None:
    """Write meta/episodes: one row an episode, with its statistics."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / schema.EPISODES.format(chunk_index=0, file_index=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(e) for e in episodes]), path)


def write_tasks(folder: Path, tasks: Iterable[str]) -> None:
    """Write meta/tasks.parquet: numbers of the instructions, with these as pandas' index."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(tasks)
    table = pa.table({"task_index": pa.array(range(len(names)), pa.int64()), "task": names})
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": stored,
         "metadata": None}
        for name, kind, stored in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]  # fmt: skip
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": columns,
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    path = folder / schema.TASKS
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)


def _frame_schema(features: Features) -> "pa.Schema":
    """Arrow's types of the features, and what Hugging Face's datasets make of them."""
    import pyarrow as pa

    fields = []
    known: dict[str, Any] = {}
    for name, feature in features.items():
        kind, shape = feature["dtype"], feature["shape"]
        if kind == "image":
            made = pa.struct({"bytes": pa.binary(), "path": pa.string()})
            known[name] = {"_type": "Image"}
        elif len(shape) == 2:
            made = pa.list_(pa.list_(_plain(kind)))
            known[name] = {"shape": shape, "dtype": kind, "_type": "Array2D"}
        elif shape == [1]:
            made = _plain(kind)
            known[name] = {"dtype": kind, "_type": "Value"}
        else:
            made = pa.list_(_plain(kind), shape[0])
            value = {"dtype": kind, "_type": "Value"}
            known[name] = {"feature": value, "length": shape[0], "_type": "Sequence"}
        fields.append(pa.field(name, made))
    told = json.dumps({"info": {"features": known}})
    return pa.schema(fields, metadata={"huggingface": told})


def _plain(kind: str) -> "pa.DataType":
    import pyarrow as pa

    return pa.bool_() if kind == "bool" else pa.type_for_alias(kind)


def _column(values: list[Any], kind: "pa.DataType", feature: dict[str, Any]) -> "pa.Array":
    import pyarrow as pa

    if feature["dtype"] == "image":
        return pa.array([{"bytes": v, "path": None} for v in values], kind)
    if len(feature["shape"]) == 2:
        maps: NDArray[np.float32] = np.stack(values)
        count, height, width = maps.shape
        lines = pa.ListArray.from_arrays(_offsets(count * height, width), pa.array(maps.ravel()))
        return pa.ListArray.from_arrays(_offsets(count, height), lines)
    return pa.array(values, kind)


def _offsets(count: int, size: int) -> NDArray[np.int32]:
    return np.arange(count + 1, dtype=np.int32) * np.int32(size)
