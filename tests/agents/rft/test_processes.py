"""Two processes with half of the rows each against one: gloo, gradients averaged by DDP."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

SCRIPT = """
import sys
import torch
from torch import distributed
from refergym.agents.rft.losses import (
    LossSettings, Tokens, Totals, count, means, policy_loss
)

rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if size > 1:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size
    )
torch.manual_seed(0)
model = torch.nn.Linear(3, 7)
seen = torch.randn(5, 6, 3)
words = torch.randint(0, 7, (5, 6, 1))
mask = torch.rand(5, 6) < 0.6
advantages, old = torch.randn(5), -2 * torch.rand(5, 6)
rows = slice(None) if size == 1 else [slice(0, 2), slice(2, 5)][rank]
here = count(mask[rows])
totals = here
if size > 1:
    model = torch.nn.parallel.DistributedDataParallel(model)
    counted = torch.tensor([here.tokens, here.answers])
    distributed.all_reduce(counted)
    totals = Totals(tokens=int(counted[0]), answers=int(counted[1]))
made = {}
for mean in ("tokens", "answers", "length"):
    settings = LossSettings(
        mean=mean, length=8, clip_low=0.2, clip_high=0.28, dual_clip=2.0, kl=0.0,
        kl_corrected=False, truncate=None, entropy=0.0,
    )
    model.zero_grad()
    now = model(seen[rows]).log_softmax(-1).gather(-1, words[rows]).squeeze(-1)
    part = Tokens(now=now, mask=mask[rows], advantages=advantages[rows], old=old[rows])
    found = policy_loss(part, totals, settings)
    (size * found.loss).backward()
    loss, sums = found.loss.detach(), found.sums
    if size > 1:
        for value in (loss, *sums.values()):
            distributed.all_reduce(value)
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    made[mean] = {"gradient": gradient, "loss": loss, "means": means(sums)}
if rank == 0:
    torch.save(made, f"{folder}/{size}.pt")
if size > 1:
    distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    for size in (1, 2):
        running = [
            subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(size), str(tmp_path)])
            for rank in range(size)
        ]
        assert [process.wait(timeout=300) for process in running] == [0] * size
    one, two = (torch.load(tmp_path / f"{size}.pt") for size in (1, 2))
    for mean in ("tokens", "answers", "length"):
        found, expected = two[mean], one[mean]
        assert expected["gradient"].abs().max() > 0.01
        torch.testing.assert_close(found["gradient"], expected["gradient"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["loss"], expected["loss"], rtol=1e-5, atol=1e-6)
        assert found["means"] == pytest.approx(expected["means"], rel=1e-6)
