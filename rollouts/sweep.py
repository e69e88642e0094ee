"""`refergym train --multirun`: several trainings, compared on the same starts with their beginning.

    refergym train --multirun sweep=credit               # a choice of configs/sweep
    refergym train --multirun learner.learning.lr=1e-5,2e-5 seeds=[1,2,3]

Each training ends in an evaluation of its own, of the starts that the policy played before any of
them, and under the same words, whatever the training changed.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, compare, config, output, train
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.lift import (
    AFTER,
    BEFORE,
    TRAINING,
    UNSEEN,
    Telling,
    forget_other,
    key_of,
    split_words,
)
from refergym.rollouts.plan import ENV_GROUPS
from refergym.rollouts.playing import Count
from refergym.rollouts.rft.settings import LAST, Seed
from refergym.rollouts.statistics import Paired, student
from refergym.rollouts.train import MULTIRUN

RESULT = "sweep.json"
GROUP = "sweep"
WEIGHTS = ("policy", "policy.path")
LONGEST_NAME = 200
"""bytes"""
PLAIN = "as_it_is"
"""name of the variant that changes nothing"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/sweep.yaml; their defaults and their meaning stand there."""

    variants: dict[str, tuple[str, ...]]
    seeds: Annotated[tuple[Seed, ...], msgspec.Meta(min_length=1)]
    episodes: Count
    evaluated: tuple[str, ...]
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool


class Variant(Record, frozen=True, kw_only=True):
    """What the trainings of a variant gave."""

    words: tuple[str, ...]
    paired: dict[str, Paired]
    """after - before, by seed"""
    mean: float
    """of the seeds' differences"""
    interval: tuple[float, float] | None
    """95 % interval of the mean over seeds (Student's t); none of one seed"""


class Sweep(Record, frozen=True, kw_only=True):
    """What is written to sweep.json."""

    before: float
    """success of the policy that all began with"""
    variants: dict[str, Variant]
    commands: tuple[str, ...]


def sweep(
    overrides: Sequence[str],
    config_dir: str | Path | None = None,
    telling: Telling | None = None,
) -> tuple[Sweep, Path]:
    """Train and evaluate every variant with every seed.

    Args:
        overrides: "key=value": keys of configs/sweep.yaml, `sweep=NAME`, words for `train`.
        config_dir: a folder with further yaml files.
        telling: says how far it is.

    Raises:
        RolloutError: as `train` and `evaluate` do.
    """
    own = set(config.compose("sweep", (), config_dir).config)
    mine = [w for w in overrides if key_of(w) in own]
    rest = [w for w in overrides if key_of(w) not in own]
    plain = config.compose("sweep", mine, config_dir).config
    for word in [w for w in rest if key_of(w) == GROUP]:
        rest.remove(word)
        plain["variants"] |= config.choice(GROUP, word.partition("=")[2], config_dir)
    settings = records.convert(plain, Settings, error=ConfigError)
    if len(set(settings.seeds)) < len(settings.seeds):
        raise ConfigError(f"seeds: expected different ones, got {list(settings.seeds)}")
    common = [w for w in rest if len(config.swept(w)) == 1]
    variants = _variants(settings.variants, [config.swept(w) for w in rest])
    for name, words in variants.items():
        if wrong := [key_of(w) for w in words if key_of(w) in WEIGHTS]:
            raise ConfigError(
                f"{wrong[0]}: all variants begin with the same weights; `refergym compare` sets"
                " evaluations of different ones side by side"
            )
        if len(name.encode()) > LONGEST_NAME:
            raise ConfigError(f"variants: {name[:40]}...: too long for the name of a folder")
        train.check([*common, *words], config_dir)
    telling = telling or Telling(Console(quiet=True))
    return _run(settings, common, variants, config_dir, telling)


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "train" on the command line, without --multirun.

    Returns:
        Exit status 0.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse(f"train {MULTIRUN}", "sweep", argv)
    done, folder = sweep(words.overrides, words.config_dir, Telling(Console(stderr=True)))
    console = Console()
    console.print(table(done))
    console.print(f"Wrote {RESULT} to {folder}", markup=False, highlight=False, soft_wrap=True)
    return 0


def summed(words: Sequence[str], paired: dict[str, Paired]) -> Variant:
    """Sum up the trainings of a variant, by seed."""
    values = [p.difference for p in paired.values()]
    return Variant(
        words=tuple(words),
        paired=paired,
        mean=math.fsum(values) / len(values),
        interval=student(values),
    )


def table(done: Sweep) -> Table:
    """Lay the variants out for a terminal."""
    out = Table(title=f"success after - before, points; before {100 * done.before:.1f} %")
    out.add_column("variant", overflow="fold")
    for name in ("mean", "95 % over seeds", "by seed", "n"):
        out.add_column(name, justify="right", no_wrap=name != "by seed")
    for name, variant in done.variants.items():
        within = "-" if variant.interval is None else compare.interval(variant.interval)
        each = " ".join(compare.points(p.difference) for p in variant.paired.values())
        n = max(p.n for p in variant.paired.values())
        out.add_row(escape(name), compare.points(variant.mean), within, each, str(n))
    return out


def _variants(
    named: Mapping[str, Sequence[str]], swept: Sequence[Sequence[str]]
) -> dict[str, list[str]]:
    """Combine the named variants with what has commas."""
    several = [words for words in swept if len(words) > 1]
    found = {}
    for name, words in (named or {PLAIN: ()}).items():
        for chosen in itertools.product(*several):
            parts = [*([] if name == PLAIN and chosen else [name]), *chosen]
            folder = ",".join(parts).replace("/", "_")
            if folder in found:
                raise ConfigError(f"variants: two of them would be {folder}")
            found[folder] = [*words, *chosen]
    return found


def _played(common: Sequence[str], config_dir: str | Path | None) -> list[str]:
    """Return words of an evaluation of what trainings with these words play."""
    learned = config.compose("train", common, config_dir)
    groups = (*ENV_GROUPS, "policy")
    shared, _ = split_words(common)
    words = [f"{group}={learned.choices[group]}" for group in groups]
    words += [word for word in shared if key_of(word) not in groups]
    plain = config.compose("evaluate", words, config_dir)
    for group in ENV_GROUPS:
        words += config.words_between(plain.config[group], learned.config[group], group)
    return words


def _run(
    settings: Settings,
    common: Sequence[str],
    variants: Mapping[str, Sequence[str]],
    config_dir: str | Path | None,
    telling: Telling,
) -> tuple[Sweep, Path]:
    out = Path(settings.out)
    judged = [
        *_played(common, config_dir), *UNSEEN, f"episodes={settings.episodes}",
        f"workers={settings.workers}", *settings.evaluated,
    ]  # fmt: skip
    before = telling.evaluate(judged, out / BEFORE, settings.resume, config_dir)
    first = compare.read(before.folder)
    found: dict[str, dict[str, Paired]] = {name: {} for name in variants}
    for seed, (name, words) in itertools.product(settings.seeds, variants.items()):
        folder = out / f"{name}-{seed}"
        words = [*common, *words, f"seed={seed}"]
        telling.train(words, folder / TRAINING, settings.resume, config_dir)
        if settings.resume:
            forget_other(folder / AFTER, folder / TRAINING / LAST)
        path = config.path_word("policy.path", folder / TRAINING / LAST)
        telling.evaluate([*judged, path], folder / AFTER, settings.resume, config_dir)
        found[name][str(seed)] = compare.compare(first, compare.read(folder / AFTER))
    done = Sweep(
        before=sum(e.success for e in first) / len(first),
        variants={name: summed(variants[name], paired) for name, paired in found.items()},
        commands=tuple(telling.commands),
    )
    output.write_json(out / RESULT, done)
    return done, out
