import signal

import pytest

from refergym.rollouts import processes

pytestmark = pytest.mark.usefixtures("helpers")


def test_ctrl_c_does_not_reach_a_worker_however_early_it_comes():
    import faulty

    process, pipe = processes.start(faulty.tell_blocked)
    assert signal.SIGINT in pipe.recv()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    processes.end(process, pipe)
