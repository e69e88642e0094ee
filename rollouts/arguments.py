"""Arguments of commands that are configured by Hydra: overrides, --config-dir, --help."""

import argparse
import importlib.resources
import re
from collections.abc import Sequence
from dataclasses import dataclass

from refergym.rollouts import config


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What stands on a command line."""

    overrides: tuple[str, ...]
    config_dir: str | None
    subject: str = ""
    """the first word, of commands that work on a file or folder"""


def parse(
    command: str, config_name: str, argv: Sequence[str], subject: str | None = None
) -> Arguments:
    """Parse a command's arguments; --help and unknown options end the process as argparse does.

    Args:
        command: its name.
        config_name: the primary config's yaml, without its ending; its comments are the help.
        argv: what follows the command's name.
        subject: what the first word names ("DIR"), of commands that work on a file or folder.
    """
    first = f" {subject}" if subject else ""
    parser = argparse.ArgumentParser(
        prog=f"refergym {command}",
        usage=f"refergym {command} [--help] [--config-dir DIR]{first} [key=value ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if subject:
        parser.add_argument("subject", metavar=subject, help="path")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="see below")
    parser.add_argument("--config-dir", metavar="DIR", help="folder with yaml files of your own")
    if {"-h", "--help"} & set(argv):
        folder = _value_after("--config-dir", argv)
        parser.description = _comments(config_name)[""]
        parser.epilog = describe(config_name, folder)
    known = parser.parse_args(list(argv))
    return Arguments(
        overrides=tuple(known.overrides),
        config_dir=known.config_dir,
        subject=known.subject if subject else "",
    )


def describe(config_name: str, config_dir: str | None = None) -> str:
    """List the keys of a config with default and meaning, and the choices of its groups."""
    composed = config.compose(config_name, (), config_dir)
    comments = _comments(config_name)
    lines = []
    if composed.choices:
        lines.append("choices (group=choice; group.key=value sets a key of the choice):")
    for group, known in config.options(config_name, config_dir).items():
        default = composed.choices[group]
        lines.append(f"  {group:<12} {', '.join(known)}  (default: {default})")
    lines.append("keys:")
    for key, value in composed.config.items():
        if key not in composed.choices:
            default = "null" if value is None else str(value).lower() if value in _BOOLS else value
            lines.append(f"  {f'{key}={default}':<24} {comments.get(key, '')}")
    if composed.choices:
        lines.append("keys of the default choices:")
    for group in composed.choices:
        node = composed.config.get(group, {})  # some are put in another place
        keys = [f"{group}.{k}={v}" for k, v in node.items() if k != "_target_"]
        if keys:
            lines.append("  " + " ".join(keys))
    return "\n".join(lines)


_BOOLS = (True, False)


def _comments(config_name: str) -> dict[str, str]:
    """Comments of a yaml: behind each key, and the first line's under ""."""
    file = importlib.resources.files(config.MODULE) / f"{config_name}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    found = {"": lines[0].lstrip("# ") if lines and lines[0].startswith("#") else ""}
    for line in lines:
        match = re.match(r"(\w+):.*?\s#\s(.*)", line)
        if match:
            found[match[1]] = match[2]
    return found


def _value_after(option: str, argv: Sequence[str]) -> str | None:
    for i, word in enumerate(argv):
        if word == option and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None
