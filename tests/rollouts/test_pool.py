import pytest

from refergym.rollouts.episodes import Ended
from refergym.rollouts.errors import PoolError
from refergym.rollouts.plan import Job, answer_seed
from refergym.rollouts.pool import RETRIES, Pool
from refergym.rollouts.runner import Runner

pytestmark = pytest.mark.usefixtures("helpers")


def faulty_plan(make_plan, folder, fault, index, times):
    plan = make_plan(batch=2)
    node = {
        "_target_": "faulty.FaultyOracle",
        "fault": fault,
        "seeds": [answer_seed(plan, Job(policy="oracle", index=index), 1)],
        "folder": str(folder),
        "times": times,
    }
    return make_plan(batch=2, policies={"oracle": node})


def jobs(n):
    return [Job(policy="oracle", index=index) for index in range(n)]


def in_process(plan, n):
    runner = Runner(plan)
    episodes = list(runner.run(jobs(n)))
    runner.close()
    return {e.key: e.outcome for e in episodes}


def test_two_workers_one_of_which_is_killed_give_what_one_process_gives(
    make_plan, tmp_path, caplog
):
    plan = faulty_plan(make_plan, tmp_path, "SIGKILL", index=2, times=1)
    episodes = list(Pool(plan, workers=2, timeout_s=120).run(jobs(4)))
    assert {e.key: e.outcome for e in episodes} == in_process(make_plan(policies=["oracle"]), 4)
    assert len(episodes) == 4
    assert max(e.id.attempt for e in episodes) == 1
    assert "killed by signal 9" in caplog.text


def test_a_worker_that_hangs_is_replaced_and_one_that_always_dies_gives_its_episode_up(
    make_plan, tmp_path
):
    plan = faulty_plan(make_plan, tmp_path, "SIGSTOP", index=1, times=1)
    dead = faulty_plan(make_plan, tmp_path, "SIGKILL", index=0, times=99).policies["oracle"]
    plan = make_plan(policies={"oracle": plan.policies["oracle"], "dead": dead})
    work = [*jobs(2), Job(policy="dead", index=0)]
    episodes = {e.key[::2]: e for e in Pool(plan, workers=2, timeout_s=8).run(work)}
    assert len(episodes) == 3
    hung, lost = episodes["oracle", 1], episodes["dead", 0]
    assert hung.ended is not Ended.ERROR
    assert hung.id.attempt == 1
    assert lost.ended is Ended.ERROR
    assert lost.id.attempt == RETRIES
    assert "killed by signal 9" in lost.error


def test_workers_that_cannot_start_end_the_run_with_the_cause(make_plan):
    plan = make_plan(policies={"oracle": {"_target_": "nowhere.Policy"}})
    with pytest.raises(PoolError, match="nowhere"):
        list(Pool(plan, workers=1, timeout_s=60).run(jobs(1)))
