"""Steps per CPU second with pictures: ManiSkill and panda-gym against refergym, in one run.

Each peer gets an environment of its own in .bench/ (made on the first call, minutes). The workers
are processes pinned to one and the same core, and take turns; a ratio is taken within each turn.

ManiSkill draws through Vulkan, and SAPIEN wants VK_KHR_external_semaphore_fd: an NVIDIA driver has
it, and so has Mesa's lavapipe from 24.3 on. On Debian 12 the script unpacks lavapipe from
bookworm-backports into .bench/lavapipe; what that links to comes with
`sudo apt install libvulkan1 mesa-vulkan-drivers`.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCH = HERE.parents[1] / ".bench"
PEERS = {
    "ManiSkill 3.0.1": ("maniskill", ("torch==2.13.0",), ("mani_skill==3.0.1", "numpy==2.4.6")),
    "panda-gym 3.0.7": ("panda_gym", (), ("panda-gym==3.0.7", "numpy==2.4.6")),
}
OURS = {
    f"{task}, {backend}, shadows {'on' if shadows == 'true' else 'off'}": (task, backend, shadows)
    for task, backend in (
        ("point_at_object", "kinematic"),
        ("pick_place", "kinematic"),
        ("point_at_object", "bullet"),
    )
    for shadows in ("true", "false")
}
GOALS = {"on": 1.8, "off": 3.0}
BACKPORTS = "deb {mirror} bookworm-backports main\n"


class Worker:
    """A process that times batches of steps."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], core: int) -> None:
        pin = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
        self.log = (BENCH / f"{name.replace(' ', '-').replace(',', '')}.log").open("w+")
        self.process = subprocess.Popen(
            [*pin, *command],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.what = str(self._hear()["what"])

    def rate(self, steps: int) -> float:
        """Steps per CPU second."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return steps / float(str(self._hear()["cpu"]))

    def close(self) -> None:
        self.process.communicate(timeout=60)
        self.log.close()

    def _hear(self) -> dict[str, object]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            last = (self.log.read().strip().splitlines() or ["it said nothing"])[-1]
            raise RuntimeError(f"{last} (log: {self.log.name})")
        answer: dict[str, object] = json.loads(line)
        return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20, help="in each round")
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    args = parser.parse_args()
    BENCH.mkdir(exist_ok=True)
    env = os.environ | {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    workers: dict[str, Worker] = {}
    failed: dict[str, str] = {}
    for name, (folder, *stages) in PEERS.items():
        try:
            python = make_environment(folder, stages)
            extra = vulkan() if folder == "maniskill" else {}
            command = [python, str(HERE / f"worker_{folder}.py")]
            workers[name] = Worker(name, command, env | extra, args.core)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
            failed[name] = str(e)
    for name, words in OURS.items():
        command = [sys.executable, str(HERE / "worker_refergym.py"), *words]
        try:
            workers[name] = Worker(name, command, env, args.core)
        except RuntimeError as e:
            failed[name] = str(e)
    rates: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(args.rounds):
        for name, worker in workers.items():
            rates[name].append(worker.rate(args.steps))
    for worker in workers.values():
        worker.close()
    report({name: w.what for name, w in workers.items()}, rates)
    for name, reason in failed.items():
        print(f"{name}: NOT MEASURED: {reason}")
    return int(bool(failed))


def report(what: dict[str, str], rates: dict[str, list[float]]) -> None:
    print("Steps per CPU second on one core, median of the rounds (least - most):")
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"  {name:<44}{middle:8.1f}  ({min(values):.1f} - {max(values):.1f})")
    print("Ratio of each round, median (least - most); the goals are", end=" ")
    print(f"{GOALS['off']} with shadows off and {GOALS['on']} with shadows on:")
    for peer in (p for p in PEERS if p in rates):
        for name in (n for n in OURS if n in rates):
            ratios = [a / b for a, b in zip(rates[name], rates[peer], strict=True)]
            middle = statistics.median(ratios)
            mark = "" if middle >= GOALS[name.rpartition(" ")[2]] else "  BELOW THE GOAL"
            print(f"  {name:<44}{middle:7.2f} x {peer}  ", end="")
            print(f"({min(ratios):.2f} - {max(ratios):.2f}){mark}")
    print("What one step does:")
    for text in what.values():
        print(f"  {text}")


def make_environment(folder: str, stages: list[tuple[str, ...]]) -> str:
    """Make a peer's environment unless it is there; returns its Python."""
    venv = BENCH / folder
    python = str(venv / "bin" / "python")
    wanted = json.dumps(stages)
    done = venv / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"making {venv.name}'s environment in .bench (minutes)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    # torch first: else the peer's own requirements may bring another build of it.
    for packages in filter(None, stages):
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    done.write_text(wanted)
    return python


def vulkan() -> dict[str, str]:
    """The environment variables that lead SAPIEN to a Vulkan driver that it can use."""
    given = {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"} & os.environ.keys()
    if given or shutil.which("nvidia-smi"):
        return {}
    manifest = BENCH / "lavapipe" / "icd.json"
    if not manifest.exists() and _is_debian_12():
        _unpack_lavapipe(manifest)
    # SAPIEN's loader knows the older name of the variable.
    return {"VK_ICD_FILENAMES": str(manifest)} if manifest.exists() else {}


def _is_debian_12() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and "bookworm" in release.read_text()


def _mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    lists = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    found = [
        m for p in lists if p.is_file() for m in re.findall(r"https?://\S+/debian\b", p.read_text())
    ]
    if not found:
        raise SystemExit("no Debian mirror in /etc/apt: set VK_ICD_FILENAMES to a newer lavapipe")
    return found[0]


def _unpack_lavapipe(manifest: Path) -> None:
    """Unpack the backport beside the system's own Mesa, which stays as it is."""
    folder = manifest.parent
    lists, downloads = folder / "lists", folder / "downloads"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    downloads.mkdir(exist_ok=True)
    (folder / "sources.list").write_text(BACKPORTS.format(mirror=_mirror()))
    options = [
        f"-oDir::Etc::SourceList={folder / 'sources.list'}",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={lists}",
        f"-oDir::Cache={folder}",
        "-oAPT::Sandbox::User=",
    ]
    subprocess.run(["apt-get", *options, "-qq", "update"], check=True)
    subprocess.run(
        ["apt-get", *options, "-qq", "download", "mesa-vulkan-drivers"], check=True, cwd=downloads
    )
    package = next(downloads.glob("*.deb"))
    subprocess.run(["dpkg", "-x", str(package), str(folder / "root")], check=True)
    library = next((folder / "root").rglob("libvulkan_lvp.so"))
    icd = {"library_path": str(library), "api_version": "1.3.0"}
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))


if __name__ == "__main__":
    sys.exit(main())
