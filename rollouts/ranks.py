"""`refergym ranks`: do two simulators put policies in the same order? Sim-to-sim, no more.

Every policy plays the same starts in both, by an evaluation for each. Pearson's r and the mean
maximum rank violation are SIMPLER's (Li et al. 2024, arXiv 2405.05941), with the second backend in
the place of the real robot.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, config, orders, output, shared_starts
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.evaluate import prepare
from refergym.rollouts.lift import UNSEEN, Telling, key_of
from refergym.rollouts.orders import Orders
from refergym.rollouts.playing import Count

RESULT, STARTS = "ranks.json", "starts.jsonl"
OWN = {"backend": "backends", "policy": "policies", "floors": "policies", "suite": "seed",
       "name": "seed"}  # fmt: skip
"""words of `evaluate` that follow from a key of this command"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/ranks.yaml; their defaults and their meaning stand there."""

    backends: tuple[str, str]
    policies: Annotated[tuple[str, ...], msgspec.Meta(min_length=4)]
    episodes: Count
    seed: Annotated[int, msgspec.Meta(ge=0)]
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    played: tuple[str, ...]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "ranks" on the command line.

    Returns:
        Exit status 0, whatever came out.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("ranks", "ranks", argv)
    console = Console()
    done, folder = ranks(words.overrides, words.config_dir, Console(stderr=True))
    console.print(orders.table(done))
    for line in [*orders.conclusion(done), f"Wrote {RESULT} to {folder}"]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def ranks(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    errors: Console | None = None,
) -> tuple[Orders, Path]:
    """Make starts, play them with every policy in both backends, and compare the orders.

    Args:
        overrides: "key=value" as on the command line: keys of configs/ranks.yaml, and words for
            both evaluations.
        config_dir: a folder with further yaml files.
        errors: console for commands and bars; None shows nothing.

    Returns:
        What came out, and the folder.

    Raises:
        RolloutError: as `evaluate` does.
        KeyboardInterrupt: if it was stopped; resume=true goes on.
    """
    errors = errors or Console(quiet=True)
    own = set(config.compose("ranks", (), config_dir).config)
    mine = [w for w in overrides if key_of(w) in own]
    composed = config.compose("ranks", mine, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    rest = [*settings.played, *(w for w in overrides if w not in mine)]
    _check(settings, rest, config_dir)
    first, *others = settings.policies
    words = [
        *UNSEEN, *rest, f"policy={first}", f"floors=[{','.join(others)}]",
        f"episodes={settings.episodes}", f"seed={settings.seed}", f"workers={settings.workers}",
    ]  # fmt: skip
    ready = prepare([*words, f"backend={settings.backends[0]}"], config_dir)
    fixed = {**output.fixed_config(composed.config), "words": rest}
    info = msgspec.structs.replace(ready.info, config=fixed, backend=" ".join(settings.backends))
    out = Path(settings.out)
    output.open_folder(out, info, resume=settings.resume)
    with (
        output.kept_if_begun(out, STARTS),
        shared_starts.environments(ready.plan, settings.backends, config_dir) as envs,
    ):
        shared_starts.complete(out / STARTS, envs, settings.seed, settings.episodes, errors)
    words += [config.path_word("suite", out / STARTS), f"name={ready.plan.suite}"]
    telling = Telling(errors)
    played = {
        b: telling.evaluate([*words, f"backend={b}"], out / b, settings.resume, config_dir).episodes
        for b in settings.backends
    }
    done = orders.judged(played, ready.settings.samples, telling.commands)
    output.write_json(out / RESULT, done)
    return done, out


def _check(settings: Settings, words: Sequence[str], config_dir: str | Path | None) -> None:
    for word in words:
        group, dot, _ = key_of(word).partition(".")
        if group in OWN and not (group == "policy" and dot):
            raise ConfigError(f"{key_of(word)}: this command takes {OWN[group]}=... instead")
    for key, group in (("backends", "backend"), ("policies", "policy")):
        names = getattr(settings, key)
        if len(set(names)) < len(names):
            raise ConfigError(f"{key}: expected different ones, got {', '.join(names)}")
        for name in names:
            try:
                config.choice(group, name, config_dir)
            except ConfigError as e:
                raise ConfigError(f"{key}: {e}") from e
