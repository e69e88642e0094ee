"""What a training tells: a table on disk that grows by a row a step, and tensorboard."""

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TABLE = "train.csv"
FIRST = ("step", "seconds", "reward", "success")
"""columns that stand first; the others follow in the order in which they came"""


class Journal:
    """Writes the rows of one training."""

    def __init__(
        self, folder: Path, before: Sequence[Mapping[str, Any]], tensorboard: bool
    ) -> None:
        """Begin, or go on behind the rows that a resumed run has; later ones are forgotten."""
        self.rows: list[dict[str, Any]] = [dict(row) for row in before]
        self._path = folder / TABLE
        self._writer = None
        if tensorboard and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            step = self.rows[-1]["step"] + 1 if self.rows else None
            self._writer = SummaryWriter(folder / "tensorboard", purge_step=step)

    def note(self, row: Mapping[str, Any]) -> None:
        """Add what one step gave; numbers alone go to tensorboard."""
        self.rows.append({"step": row["step"]})
        self.amend(row)

    def amend(self, row: Mapping[str, Any]) -> None:
        """Add to the last row."""
        self.rows[-1] |= row
        if self._writer is not None:
            for name, value in row.items():
                if isinstance(value, int | float) and name != "step":
                    self._writer.add_scalar(name, value, self.rows[-1]["step"])
        self._write()

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        names = list(dict.fromkeys([*FIRST, *(name for row in self.rows for name in row)]))
        part = self._path.with_name(self._path.name + ".part")
        with part.open("w", newline="") as file:
            table = csv.DictWriter(file, names, restval="")
            table.writeheader()
            table.writerows(self.rows)
        part.replace(self._path)
