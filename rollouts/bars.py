"""The line of progress that a command shows."""

from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Below(Progress):
    """Puts further lines of a note beneath the bar, where they have the whole width."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar, then the lines."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            for line in task.fields["below"]:
                yield Text(line, no_wrap=True, overflow="ellipsis")


class Bar:
    """A bar with numbers and a note; it appears with the first news and stays when it ends.

    Not earlier: a mistake in the configuration needs no bar.

    Args:
        what: is counted, such as "episodes".
        console: to draw on.
        total: how many there will be, where that is known before the first news.
        is_kept: whether the line stays when all is done.
    """

    def __init__(
        self, what: str, console: Console, *, total: int | None = None, is_kept: bool = True
    ) -> None:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        self._progress = _Below(*columns, console=console, transient=not is_kept)
        self._line = self._progress.add_task(what, total=total, note="", below=())

    @property
    def is_shown(self) -> bool:
        """Whether there was any news."""
        return self._progress.live.is_started

    @property
    def speed(self) -> float:
        """How many are done in a second of late; 0 before that is known."""
        return self._progress.tasks[self._line].speed or 0.0

    def show(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """Tell how many are done; a total or a note that is left out stays as it is.

        Further lines of a note stand beneath the bar.
        """
        self._progress.start()
        self._progress.update(self._line, completed=done, total=total)
        if note is not None:
            first, *below = note.split("\n")
            self._progress.update(self._line, note=first, below=below)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.is_shown:
            self._progress.stop()


def say_kept(bar: Bar, errors: Console) -> None:
    """Say what is left of a training that was stopped after its bar was shown."""
    if bar.is_shown:
        errors.print("What was learned is kept; the same command with resume=true goes on.")
