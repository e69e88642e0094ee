"""The `refergym` command. Each subcommand's module is imported only when it is called."""

import difflib
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TextIO

COMMANDS = {
    "doctor": ("refergym.rollouts.doctor", "check this machine; say what is missing"),
    "evaluate": ("refergym.rollouts.evaluate", "run a policy on episodes, judge, report"),
    "rollout": ("refergym.rollouts.rollout", "collect episodes, with what the policy saw"),
    "sft": ("refergym.rollouts.sft", "teach a vision-language model by perfect answers"),
    "convert": ("refergym.rollouts.convert", "make a published checkpoint into one of ours"),
    "train": ("refergym.rollouts.train", "let a learner improve a policy by what happens"),
    "lift": ("refergym.rollouts.lift", "evaluate, train, evaluate the same again, show both"),
    "compare": ("refergym.rollouts.compare", "set two evaluations of the same starts side by side"),
    "generate": ("refergym.rollouts.generate", "make tasks with certificates and pictures"),
    "export": (
        "refergym.rollouts.export",
        "write tasks for RefSpatial, episodes for LeRobot, scenes for other simulators",
    ),
    "gallery": (
        "refergym.rollouts.gallery",
        "draw a page of tasks: picture, words, points",
    ),
    "suites": ("refergym.rollouts.make_suites", "make the suites that ship, one for each split"),
    "reasoning": (
        "refergym.rollouts.reasoning",
        "measure how true a policy's thoughts are, and what they do",
    ),
    "serve": ("refergym.rollouts.serve", "answer HTTP requests with a policy that has words"),
    "probe": ("refergym.rollouts.probe", "play scripted cheats against a reward set"),
    "agreement": (
        "refergym.rollouts.agreement",
        "compare what succeeds in two backends",
    ),
    "ranks": (
        "refergym.rollouts.ranks",
        "compare in which order two backends put policies",
    ),
    "contract": (
        "refergym.rollouts.contract",
        "check that a backend keeps what every backend promises",
    ),
    "assets": ("refergym.rollouts.assets", "build, check, draw and extend asset packs"),
    "graspability": (
        "refergym.rollouts.graspability",
        "measure what the gripper can lift, asset by asset",
    ),
    "settled": (
        "refergym.rollouts.settling",
        "measure whether the things of solved scenes stay where they were put",
    ),
    "randomisation": (
        "refergym.rollouts.randomisation",
        "draw what each axis of randomisation does",
    ),
}
"""name: module with main(argv) -> exit status, and one line of help"""

USAGE = "usage: refergym COMMAND [--help] [arguments ...]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments; None takes the process's.

    Returns:
        Exit status: 0 done, 1 the command failed, 2 wrong arguments or configuration, 130 or 143
        stopped by a signal. Mistakes of the user end in one message, bugs in a traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        _say(_help(), sys.stdout if words else sys.stderr)
        return 0 if words else 2
    name, *rest = words
    if name == "--version":
        _say(f"refergym {importlib.import_module('refergym').__version__}", sys.stdout)
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f" did you mean {near[0]}?" if near else ""
        known = ", ".join(COMMANDS)
        _say(f"refergym: unknown command {name!r};{hint} commands: {known}", sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("refergym").setLevel(logging.INFO)
    # transformers draws bars of its own; read when it is imported, here and in workers
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return _run(name, rest)


def _run(name: str, rest: list[str]) -> int:
    from refergym.agents.errors import AgentError
    from refergym.assets.errors import AssetError
    from refergym.envs.errors import EnvError
    from refergym.rollouts.errors import PoolError, RolloutError

    stopped = [signal.SIGINT]

    def stop(number: int, _: FrameType | None) -> None:
        stopped[0] = signal.Signals(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        module = importlib.import_module(COMMANDS[name][0])
        status: int = module.main(rest)
        return status
    except (PoolError, AgentError) as e:
        _say(f"refergym {name}: {e}", sys.stderr)
        return 1
    except (RolloutError, EnvError, AssetError) as e:
        _say(f"refergym {name}: {e}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say(f"refergym {name}: stopped by {stopped[0].name}", sys.stderr)
        return 128 + stopped[0]
    finally:
        signal.signal(signal.SIGTERM, before)


def _help() -> str:
    lines = [USAGE, "", "commands:"]
    lines += [f"  {name:<14}{about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join([*lines, "", "refergym COMMAND --help tells more."])


def _say(text: str, stream: TextIO) -> None:
    stream.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
