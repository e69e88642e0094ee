"""A learner in two processes (gloo, on the CPU): averaged gradients, one writer."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import peer_part  # noqa: E402
from sft_parts import spread  # noqa: E402
from taught_parts import gradients, save  # noqa: E402


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_twice_the_batches(tmp_path):
    begun = save(tmp_path / "begun")

    def ran(name, count, batches):
        done = spread([peer_part.__file__, str(begun), str(tmp_path / name), str(batches)], count)
        assert [r.returncode for r in done] == [0] * count, done
        return [json.loads(r.stdout) for r in done]

    (alone,) = ran("alone", 1, 4)
    first, second = ran("spread", 2, 2)
    assert first == second, "all know the same, and have the same weights bit by bit"
    for one, other in zip(alone["told"], first["told"], strict=True):
        assert one["tokens"] == other["tokens"]
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert other[name] == pytest.approx(value, rel=1e-2, abs=1e-3), name
    norm = alone["told"][0]["norm"]
    for one, other in zip(*(gradients(tmp_path / n) for n in ("alone", "spread")), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * norm)


@pytest.mark.slow
def test_only_the_main_process_writes(tmp_path):
    begun = save(tmp_path / "begun")
    script = (
        "import os, sys, pathlib; sys.path.insert(0, sys.argv[1]); import peer_part\n"
        "out = pathlib.Path(sys.argv[3]) / os.environ['RANK']\n"
        "peer_part.main(pathlib.Path(sys.argv[2]), out, 1)\n"
    )
    parts = str(Path(peer_part.__file__).parent)
    done = spread(["-c", script, parts, str(begun), str(tmp_path / "out")])
    assert [r.returncode for r in done] == [0, 0], done
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["0"]
