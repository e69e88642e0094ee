"""Processes that answer jobs: death, delay and the number of jobs for each."""

import sys
import textwrap
from pathlib import Path

import pytest

from refergym.assets.builder import workers
from refergym.assets.errors import BuildError

SCRIPT = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    if job.get("die") == "always" or (job.get("die") and not os.path.exists(job["die"])):
        if job["die"] != "always":
            open(job["die"], "w").close()
        os.kill(os.getpid(), 9)
    time.sleep(job.get("sleep", 0))
    print(json.dumps({"name": job["name"], "error": None, "pid": os.getpid()}), flush=True)
"""


def run(tmp_path: Path, jobs: list[dict[str, object]], **options: object) -> dict[str, dict]:
    script = tmp_path / "answer.py"
    script.write_text(textwrap.dedent(SCRIPT))
    settings = {"processes": 2, "timeout": 20.0, "log": tmp_path / "log.txt"} | options
    found = workers.answers([sys.executable, str(script)], jobs, **settings)  # type: ignore[arg-type]
    return {a["name"]: a for a in found}


def test_every_job_is_answered_once(tmp_path: Path) -> None:
    jobs = [{"name": f"job{k}"} for k in range(7)]
    found = run(tmp_path, jobs)
    assert sorted(found) == [f"job{k}" for k in range(7)]
    assert all(a["error"] is None for a in found.values())


def test_a_process_serves_so_many_jobs_and_no_more(tmp_path: Path) -> None:
    jobs = [{"name": f"job{k}"} for k in range(6)]
    found = run(tmp_path, jobs, processes=1, jobs_per_process=2)
    pids = [a["pid"] for a in found.values()]
    assert len(set(pids)) == 3


def test_a_job_that_once_kills_its_process_is_tried_again(tmp_path: Path) -> None:
    found = run(tmp_path, [{"name": "a", "die": str(tmp_path / "died")}, {"name": "b"}])
    assert found["a"]["error"] is None
    assert (tmp_path / "died").exists()


def test_a_job_that_always_kills_its_process_is_reported_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    jobs = [{"name": "bad", "die": "always"}, *({"name": f"job{k}"} for k in range(4))]
    found = run(tmp_path, jobs, processes=1)
    assert "signal 9" in found["bad"]["error"]
    assert [found[f"job{k}"]["error"] for k in range(4)] == [None] * 4


def test_a_job_that_takes_too_long_is_reported(tmp_path: Path) -> None:
    found = run(tmp_path, [{"name": "slow", "sleep": 60}, {"name": "quick"}], timeout=1.0)
    assert found["slow"]["error"] == "took longer than 1 s"
    assert found["quick"]["error"] is None


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no_such_python"):
        list(
            workers.answers(
                [str(tmp_path / "no_such_python")],
                [{"name": "a"}],
                processes=1,
                timeout=5.0,
                log=tmp_path / "log.txt",
            )
        )


def test_stopping_early_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "answer.py"
    script.write_text(textwrap.dedent(SCRIPT))
    jobs = [{"name": "a"}, {"name": "b", "sleep": 60}]
    found = workers.answers(
        [sys.executable, str(script)], jobs, processes=1, timeout=90.0, log=tmp_path / "log.txt"
    )
    pid = next(found)["pid"]
    found.close()  # type: ignore[attr-defined]
    assert not Path(f"/proc/{pid}").exists()
