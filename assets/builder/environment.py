"""The environment that Infinigen runs in: a virtual environment of its own, made when first needed.

The package itself never imports infinigen or bpy; their pins (numpy < 2, Python 3.11) fit nobody
else's environment.
"""

import logging
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from refergym.assets.errors import BuildError

log = logging.getLogger(__name__)

INFINIGEN = "1.15.5"
SHARED = ("answers.py", "offline.py")
"""what the scripts in `SCRIPTS` have in common"""
SCRIPTS = Path(__file__).resolve().parent.parent / "infinigen"
"""the scripts that run in it"""
ROOM = 4 * 2**30
"""bytes that it needs while it is made"""
SYSTEM_LIBRARIES = (
    "libgl1 libsm6 libice6 libx11-6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxrender1 "
    "libxxf86vm1 libgomp1"
)
"""Debian's and Ubuntu's packages that bpy links to"""


def default_folder() -> Path:
    """Where the environment lies if nobody says otherwise."""
    return Path.home() / ".cache" / "refergym" / f"infinigen-{INFINIGEN}"


def ensure(folder: Path, python: str | None = None) -> Path:
    """Return the environment's Python, making the environment first if it is not there.

    Args:
        folder: of the environment; parents are made.
        python: a Python 3.11 to make it with; None looks for one.

    Raises:
        BuildError: in one line with what to do: no Python 3.11, too little disk, no network,
            missing system libraries. An unfinished environment is removed or made anew.
    """
    executable = folder / "bin" / "python"
    stamp = folder / f".complete-{INFINIGEN}"
    if not stamp.exists():
        _make(folder, python or find_python())
        _check(executable)
        stamp.touch()
    return executable


def find_python() -> str:
    """Find a Python 3.11; raises BuildError if there is none."""
    candidates = [sys.executable, "python3.11", "python3", "python"]
    for name in candidates:
        path = shutil.which(name)
        if path and _version(path) == "3.11":
            return path
    raise BuildError(
        "no Python 3.11 was found, and bpy 4.2 has wheels for no other: install it "
        "(Debian 12: python3.11 python3.11-venv; anywhere: uv python install 3.11) "
        "and name it with python=PATH"
    )


def check_room(folder: Path, needed: int, purpose: str) -> None:
    """Raise BuildError if the disk of a folder, which need not exist, has less room than needed."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise BuildError(
            f"{folder}: {free / 2**20:.0f} MB free, {purpose} needs {needed / 2**20:.0f}: "
            "make room or name another folder"
        )


def _make(folder: Path, python: str) -> None:
    if _version(python) != "3.11":
        found = _version(python) or "nothing that runs"
        raise BuildError(f"python={python}: expected Python 3.11 (bpy 4.2), found {found}")
    check_room(folder, ROOM, "the environment for Infinigen")
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
            raise BuildError(f"{folder}: not empty and no virtual environment; name another folder")
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    log.info("making an environment for Infinigen %s in %s (2.2 GB, minutes)", INFINIGEN, folder)
    _run([python, "-m", "venv", str(folder)], "venv", "install python3.11-venv")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    cause = "is the network, or the index that PIP_INDEX_URL names, in reach?"
    _run([*pip, "-q", "-r", str(SCRIPTS / "requirements.txt")], "pip", cause)
    _run([*pip, "-q", "--no-deps", f"infinigen=={INFINIGEN}"], "pip", cause)


def _check(executable: Path) -> None:
    _run(
        [str(executable), "-c", "import bpy, infinigen"],
        "import bpy",
        f"are its system libraries there? apt-get install {SYSTEM_LIBRARIES}",
    )


def _run(command: Sequence[str], name: str, hint: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as e:
        raise BuildError(f"{command[0]}: cannot be run ({e.strerror}); {hint}") from e
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {done.returncode}"
        raise BuildError(f"making the environment for Infinigen: {name}: {said[:300]}; {hint}")


def _version(python: str) -> str | None:
    if python == sys.executable:
        return sysconfig.get_python_version()
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def script_text(script: Path) -> str:
    """Return what a script does, as text: itself, and what the scripts share."""
    return "".join(p.read_text() for p in (script, *(SCRIPTS / name for name in SHARED)))
