"""Latency of `refergym serve` at 32 clients at once; each has a connection and asks in a row.

The server is a process of its own, its policy a stand-in for a model: it takes 50 ms for a batch of
any size (or none at all), and points at the reddest pixel of 224x224 pictures.
"""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from speed import say, versus

HERE = Path(__file__).parent
CLIENTS, EACH = 32, 10
BATCH_S = 0.05
POLICY = "_target_: seeing.Nearest\ndialect: roborefer\nseconds: 0.0\n"


def main() -> int:
    met = True
    for seconds in (0.0, BATCH_S):
        lost, times, wall = measure(f"policy.seconds={seconds}")
        name = f"{CLIENTS} clients, {1000 * seconds:.0f} ms a batch"
        met &= say(f"{name}: lost of {CLIENTS * EACH}", lost, "", 0, at_least=False)
        p50, p95 = np.percentile(times, [50, 95]) * 1000
        say(f"{name}: p50", float(p50), "ms", None)
        say(f"{name}: p95", float(p95), "ms", None)
        say(f"{name}: requests/s", CLIENTS * EACH / wall, "/s", None)
    lost, times, _ = measure(f"policy.seconds={BATCH_S}", "max_batch=1")
    alone = float(np.percentile(times, 95)) * 1000
    versus("one by one: p95", alone, "ms", alone / float(p95))
    return int(not (met and lost == 0))


def measure(*overrides: str) -> tuple[int, list[float], float]:
    """Requests lost, seconds of each request, and of all together."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy"
        path.mkdir()
        (path / "nearest.yaml").write_text(POLICY)
        command = [sys.executable, "-m", "refergym.rollouts.cli", "serve", "--config-dir", folder]
        paths = [str(HERE.parent / "rollouts"), os.environ.get("PYTHONPATH", "")]
        server = subprocess.Popen(
            [*command, "policy=nearest", "port=0", *overrides],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://[\d.:]+\d", server.stdout.readline())
            assert found, "the server did not start"
            time.sleep(0.5)
            return asyncio.run(clients(found[0]))
        finally:
            server.terminate()
            server.communicate()


async def clients(url: str) -> tuple[int, list[float], float]:
    times: list[float] = []
    bodies = [asked(7 * k, 5 * k) for k in range(CLIENTS)]
    headers = {"Content-Type": "application/json"}
    most = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=most) as line:

        async def client(k: int) -> int:
            said = f"[({(7 * k + 0.5) / 224:.3f}, {(5 * k + 0.5) / 224:.3f})]"
            right = 0
            for _ in range(EACH):
                begin = time.perf_counter()
                answer = await line.post(f"{url}/query", content=bodies[k], headers=headers)
                times.append(time.perf_counter() - begin)
                right += answer.status_code == 200 and answer.json()["answer"] == said
            return right

        begin = time.perf_counter()
        right = await asyncio.gather(*(client(k) for k in range(CLIENTS)))
        return CLIENTS * EACH - sum(right), times, time.perf_counter() - begin


def asked(x: int, y: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 120, (28, 28, 3), dtype=np.uint8)
    rgb = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    rgb[y, x] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="PNG", compress_level=1)
    picture = base64.b64encode(file.getvalue()).decode()
    body = {"image_url": [picture], "depth_url": [], "enable_depth": 0, "text": "the red one"}
    return json.dumps(body).encode()


if __name__ == "__main__":
    sys.exit(main())
