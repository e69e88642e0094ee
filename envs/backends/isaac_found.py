"""Is Isaac Sim there, and did the user accept its licence? Both are looked at and left alone.

Nothing is imported, answered or set here: importing `isaacsim` asks for the licence, which only
the user may accept. What Kit takes for an acceptance: its variable in the user's environment, or
the file that it writes when its own question was answered.
"""

import os
import subprocess
from collections.abc import Mapping

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.errors import BackendError

LICENCE_VARIABLE = "OMNI_KIT_ACCEPT_EULA"
"""read, never set"""
_YES = ("y", "yes", "1")
_PROBE = """
import importlib.metadata, importlib.util, json, os, sys
def folders(name):
    found = importlib.util.find_spec(name)
    return [] if found is None else list(found.submodule_search_locations or [])
files = [os.path.join(d, "EULA_ACCEPTED") for d in folders("omni")]
files += [os.path.join(d, "kit", "EULA_ACCEPTED") for d in folders("isaacsim")]
version = ""
for name in ("isaacsim", "isaacsim-kernel"):
    try:
        version = version or importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({
    "is_installed": bool(folders("isaacsim")),
    "version": version,
    "python": ".".join(map(str, sys.version_info[:2])),
    "has_answer": any(map(os.path.isfile, files)),
}))
"""
_PROBE_S = 30.0


class Found(Record, frozen=True, kw_only=True):
    """What an interpreter has of Isaac Sim."""

    is_installed: bool
    version: str
    """empty where its packages do not say"""
    python: str
    """of the interpreter: "3.12" """
    has_answer: bool
    """whether Kit's own question was answered there"""

    def is_accepted(self, environment: Mapping[str, str]) -> bool:
        """Whether the user accepted the licence, by variable or by answering."""
        return self.has_answer or environment.get(LICENCE_VARIABLE, "").lower() in _YES


def look(python: str) -> Found:
    """Ask an interpreter what it has, without importing any of it.

    Raises:
        BackendError: if it does not run.
    """
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
        )
    except subprocess.TimeoutExpired as e:
        raise BackendError(f"python: {python} gave no answer in {_PROBE_S:g} s") from e
    except OSError as e:
        raise BackendError(f"python: cannot start {python}: {e.strerror or e}") from e
    if done.returncode:
        said = " ".join(done.stderr.split())[-200:]
        raise BackendError(f"python: {python} failed ({said or done.returncode})")
    try:
        return records.decode(done.stdout.strip().rpartition("\n")[2], Found, error=BackendError)
    except BackendError as e:
        raise BackendError(f"python: {python} is no Python ({e})") from e


def lacking(python: str, environment: Mapping[str, str] | None = None) -> str:
    """Say in one line what keeps an interpreter from running Isaac Sim, and what to do.

    Args:
        python: path of the interpreter.
        environment: that it will run in; None is this process's.

    Returns:
        Empty where nothing does.

    Raises:
        BackendError: as `look`.
    """
    found = look(python)
    if not found.is_installed:
        return (
            f"Isaac Sim is not installed for {python}; install it there by NVIDIA's guide, or set "
            "backend.python to the interpreter that has it"
        )
    if not found.is_accepted(os.environ if environment is None else environment):
        return (
            f"Isaac Sim is there for {python}, but its licence was not accepted; read and accept "
            "it yourself, as NVIDIA's guide says, then try again: refergym never answers for you"
        )
    return ""
