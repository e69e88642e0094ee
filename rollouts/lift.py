"""`refergym lift`: the whole loop. Evaluate, learn by what happens, evaluate again, show.

Each part is a command of its own in a folder of its own, so that any can be done again by hand:
`evaluate` (before, after, shown_before, shown_after) and `train` (training).
"""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, compare, config, lift_page, output, playing, report, train
from refergym.rollouts.bars import Bar, say_kept
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.evaluate import Evaluation, evaluate
from refergym.rollouts.plan import ENV_GROUPS
from refergym.rollouts.playing import Count
from refergym.rollouts.report import Results, Row
from refergym.rollouts.rft.settings import LAST
from refergym.rollouts.statistics import Paired

BEFORE, AFTER = "before", "after"
SHOWN_BEFORE, SHOWN_AFTER = "shown_before", "shown_after"
TRAINING, RESULT = "training", "lift.json"
HELD_OUT = "starts that nothing was learned from"
PLAYED = (*ENV_GROUPS, "pack", "reward", "policy")
"""what evaluations take of the command line beside the training; all else is the training's"""
LEARNED = ("policy.temperature", "policy.top_p")
"""of that, what is the training's all the same: evaluations are greedy"""
JUDGED = ("suite",)
"""what evaluations alone take"""
UNSEEN = ("batch=16", "pictures=false", "video=false")
"""words of evaluations that nobody looks at"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/lift.yaml; their defaults and their meaning stand there."""

    floors: tuple[str, ...]
    episodes: Count
    minutes: Annotated[float, msgspec.Meta(gt=0)]
    shown: Annotated[int, msgspec.Meta(ge=0)]
    shown_in: str
    seed: Annotated[int, msgspec.Meta(ge=0)]
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    played: tuple[str, ...]
    learned: tuple[str, ...]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool


class Lift(Record, frozen=True, kw_only=True):
    """What `lift` writes to lift.json."""

    rows: tuple[Row, ...]
    """of the evaluations: floors, then the policy before and after"""
    paired: Paired
    """after - before"""
    shown: tuple[Row, ...]
    """of the episodes with pictures, before and after"""
    shown_in: str
    """the backend of those"""
    steps: int
    """batches that were learned from"""
    commands: tuple[str, ...]
    """that give the same, part by part"""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the parts gave."""

    before: Evaluation
    training: train.Outcome
    after: Evaluation
    shown: tuple[Evaluation, ...]


class Telling:
    """Says which part runs, with its bar."""

    def __init__(self, errors: Console) -> None:
        """Draw on the console of standard error."""
        self._errors = errors
        self.commands: list[str] = []

    def evaluate(
        self, words: Sequence[str], folder: Path, resume: bool, config_dir: str | Path | None
    ) -> Evaluation:
        """Run `refergym evaluate` in a folder."""
        words = self._say("evaluate", words, folder, resume)
        with playing.Tally(self._errors) as bar:
            return evaluate(words, config_dir, bar.show)

    def train(
        self, words: Sequence[str], folder: Path, resume: bool, config_dir: str | Path | None
    ) -> train.Outcome:
        """Run `refergym train` in a folder, unless it is to go on and has ended there."""
        words = self._say("train", [*words, "evaluate.episodes=0"], folder, resume)
        if resume and (done := train.ended(words, config_dir)) is not None:
            return done
        with Bar("steps", self._errors) as bar:
            try:
                return train.train(words, config_dir, train.shown_by(bar))
            except KeyboardInterrupt:
                say_kept(bar, self._errors)
                raise

    def _say(self, command: str, words: Sequence[str], folder: Path, resume: bool) -> list[str]:
        """Say and keep the command; returns its words, with where it runs."""
        all_words = [*words, config.path_word("out", folder), f"resume={str(resume).lower()}"]
        line = shlex.join(["refergym", command, *all_words])
        self.commands.append(line)
        self._errors.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)
        return all_words


def lift(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    telling: Telling | None = None,
) -> tuple[Lift, Path]:
    """Do all parts, and write what they gave to `out`.

    Args:
        overrides: "key=value" as on the command line: keys of configs/lift.yaml; groups and keys
            of `evaluate`, for all parts; and others, for `train`.
        config_dir: a folder with further yaml files.
        telling: says how far it is.

    Returns:
        What came out, and the folder.

    Raises:
        RolloutError: as the parts do.
        KeyboardInterrupt: if it was stopped; resume=true goes on.
    """
    own = set(config.compose("lift", (), config_dir).config)
    mine = [w for w in overrides if key_of(w) in own]
    rest = [w for w in overrides if key_of(w) not in own]
    judged = [w for w in rest if key_of(w) in JUDGED]
    for_all, for_training = split_words([w for w in rest if w not in judged])
    settings = records.convert(
        config.compose("lift", mine, config_dir).config, Settings, error=ConfigError
    )
    played, learned = [*settings.played, *for_all], [*settings.learned, *for_training]
    telling = telling or Telling(Console(quiet=True))
    # what is wrong is said before anything runs
    composed = config.compose("evaluate", [*played, *judged], config_dir)
    train.check([*played, *learned], config_dir)
    _check_shown(settings.shown_in, config_dir)
    parts = _parts(settings, played, [*played, *judged], learned, config_dir, telling)
    return _told(parts, composed.choices["policy"], settings, telling)


def _check_shown(backend: str, config_dir: str | Path | None) -> None:
    try:
        config.choice("backend", backend, config_dir)
    except ConfigError as e:
        raise ConfigError(f"shown_in: {e}") from e


def forget_other(folder: Path, model: Path) -> None:
    """Remove an evaluation of other weights than a model's folder holds now.

    Args:
        folder: of an evaluation, or nothing.
        model: that would be evaluated there.
    """
    from refergym.agents.folders import digest

    file = folder / output.RUN
    if not file.exists():
        return
    played = records.decode(file.read_bytes(), output.RunInfo, error=OutputError).weights
    if set(played.values()) != {digest(model)}:
        shutil.rmtree(folder)


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split words of a training: what its evaluations share with it, and what is its alone."""
    shared = [
        w for w in words
        if key_of(w).partition(".")[0].partition("@")[0] in PLAYED and key_of(w) not in LEARNED
    ]  # fmt: skip
    return shared, [w for w in words if w not in shared]


def key_of(word: str) -> str:
    """Return what a word of the command line sets."""
    return word.lstrip("+~").partition("=")[0]


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "lift" on the command line.

    Returns:
        Exit status 0, whatever came out.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("lift", "lift", argv)
    console = Console()
    done, folder = lift(words.overrides, words.config_dir, Telling(Console(stderr=True)))
    console.print(report.rows_table(done.rows, HELD_OUT))
    if done.shown:
        console.print(report.rows_table(done.shown, f"shown, in {done.shown_in}"))
    for line in compare.conclusion([done.paired]):
        console.print(f"after - before: {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{done.steps} steps of learning. Wrote {RESULT} to {folder}; look at"
        f" {folder / output.PAGE}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _parts(
    settings: Settings,
    played: Sequence[str],
    evaluated: Sequence[str],
    learned: Sequence[str],
    config_dir: str | Path | None,
    telling: Telling,
) -> Parts:
    out = Path(settings.out)
    judged = [*evaluated, f"seed={settings.seed}", f"workers={settings.workers}"]
    quiet = [*judged, *UNSEEN, f"episodes={settings.episodes}"]
    after = config.path_word("policy.path", out / TRAINING / LAST)

    def play(name: str, words: Sequence[str]) -> Evaluation:
        return telling.evaluate(words, out / name, settings.resume, config_dir)

    floors = ",".join(settings.floors)
    before = play(BEFORE, [*quiet, f"floors=[{floors}]"])
    learns = [
        *played, f"seed={settings.seed}", f"minutes={settings.minutes:g}", "steps=100000",
        *learned,
    ]  # fmt: skip
    training = telling.train(learns, out / TRAINING, settings.resume, config_dir)
    if settings.resume:
        for name in (AFTER, SHOWN_AFTER):
            forget_other(out / name, out / TRAINING / LAST)
    changed = play(AFTER, [*quiet, after])
    shown = []
    if settings.shown:
        seen = [
            *judged, "batch=4", f"backend={settings.shown_in}", f"episodes={settings.shown}",
        ]  # fmt: skip
        shown = [play(SHOWN_BEFORE, seen), play(SHOWN_AFTER, [*seen, after])]
    return Parts(before=before, training=training, after=changed, shown=tuple(shown))


def _told(parts: Parts, tested: str, settings: Settings, telling: Telling) -> tuple[Lift, Path]:
    old, new = _row(parts.before.results, tested), _row(parts.after.results, tested)
    floors = [row for row in parts.before.results.rows if row.policy != tested]
    pair = [
        [e for e in part.episodes if e.policy == tested] for part in (parts.before, parts.after)
    ]
    done = Lift(
        rows=(*floors, *_named(old, new)),
        paired=compare.compare(*pair),
        shown=_named(*(_row(part.results, tested) for part in parts.shown)),
        shown_in=parts.shown[0].results.backend if parts.shown else "",
        steps=parts.training.trained.steps,
        commands=tuple(telling.commands),
    )
    folder = Path(settings.out)
    output.write_json(folder / RESULT, done)
    page = lift_page.page(
        folder,
        {HELD_OUT: done.rows, f"shown, in {done.shown_in}": done.shown},
        [f"after - before: {line}" for line in compare.conclusion([done.paired])],
        parts.training.trained.rows,
        done.commands,
        parts.shown,
    )
    output.write_text(folder / output.PAGE, page)
    return done, folder


def _named(*rows: Row) -> tuple[Row, ...]:
    names = (BEFORE, AFTER)
    return tuple(
        msgspec.structs.replace(row, policy=f"{row.policy} {name}")
        for row, name in zip(rows, names, strict=False)
    )


def _row(results: Results, policy: str) -> Row:
    return next(row for row in results.rows if row.policy == policy)
