"""The environments that the adapters are tested in: one for each trainer, in .adapters/.

    python tests/rollouts/adapters/hosts.py            makes them and runs the tests in each
    python tests/rollouts/adapters/hosts.py trl        the same with one
    python tests/rollouts/adapters/hosts.py --record   also writes signatures.json anew

What each needs is large: an environment takes minutes and up to 3 GB.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FOLDER = ROOT / ".adapters"
TESTING = ("pytest==9.2.0", "pytest-timeout==2.4.0", "hypothesis==6.170.15")
BUILDING = ("hatchling==1.33.0", "editables==0.6")
# torch first: its build for CPUs is kept by what asks for any torch. verl without what it asks for:
# ray[default] and wandb bring dashboards that no test opens, and pip takes long to choose them.
HOSTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "trl": (
        ("torch==2.13.0",),
        ("trl==1.16.0", "transformers==5.23.0", "peft==0.21.2", *TESTING, *BUILDING),
    ),
    "openenv": (("openenv==0.10.0", *TESTING, *BUILDING),),
    "verl": (
        ("torch==2.13.0",),
        (
            "transformers==5.9.0", "tensordict==0.10.0", "ray==2.60.0", "numpy==2.4.6", "datasets",
            "accelerate", "codetiming", "dill", "hydra-core", "pandas", "peft", "pyarrow",
            "pybind11", "pylatexenc", "torchdata", "tensorboard", "qwen-vl-utils", "cachetools",
            "fastapi", "uvicorn", "pyzmq", "aiohttp",
            *TESTING, *BUILDING,
        ),
        ("--no-deps", "verl==0.9.1"),
    ),
}  # fmt: skip
"""what pip is told, in stages; refergym itself comes last"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hosts", nargs="*", help=f"of {', '.join(HOSTS)}; all without any")
    parser.add_argument("--record", action="store_true", help="write signatures.json anew")
    args = parser.parse_args()
    chosen = args.hosts or list(HOSTS)
    if unknown := set(chosen) - set(HOSTS):
        parser.error(f"no such host: {', '.join(sorted(unknown))}; there are {', '.join(HOSTS)}")
    failed = []
    for name in chosen:
        python = environment(name)
        if args.record:
            subprocess.run([python, str(HERE / "record_signatures.py"), name], check=True)
        tests = [str(p) for p in sorted(HERE.glob(f"test_in_{name}*.py"))]
        # -W: what a trainer warns of is not ours to mend
        command = [python, "-m", "pytest", "-q", "-W", "default", "-m", "adapters", *tests]
        beside = os.environ | {"PYTHONPATH": str(HERE)}
        if subprocess.run(command, cwd=ROOT, env=beside, check=False).returncode:
            failed.append(name)
    for name in failed:
        print(f"{name}: FAILED")
    return len(failed)


def environment(name: str) -> str:
    """Make a host's environment unless it is there; returns its Python."""
    venv = FOLDER / name
    python = str(venv / "bin" / "python")
    wanted = json.dumps(HOSTS[name])
    done = venv / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"making {name}'s environment in .adapters (minutes)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for packages in HOSTS[name]:
        subprocess.run([*pip, *packages], check=True)
    subprocess.run([*pip, "--no-build-isolation", "-e", str(ROOT)], check=True)
    done.write_text(wanted)
    return python


if __name__ == "__main__":
    sys.exit(main())
