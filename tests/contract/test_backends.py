"""One suite over every backend: what all of them promise."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from contract_parts import EXACT, resident_mb

from refergym.assets.spec import SceneSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Backend
from refergym.rollouts.contract_checks import (
    CHECKS,
    Bench,
    NotApplicable,
    graspable,
    its_own_camera_shows_what_our_renderer_shows,
    settled,
    top_of,
)

CASTER = Caster()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_backend_keeps_its_promises(
    check: Callable[[Bench], None],
    backend: Backend,
    make: Callable[[], Backend],
    composed: list[SceneSpec],
) -> None:
    bench = Bench(backend=backend, make=make, scenes=composed, caster=CASTER, tolerance=EXACT)
    if check is its_own_camera_shows_what_our_renderer_shows and "isaac" not in backend.kind:
        with pytest.raises(NotApplicable, match="no camera of its own"):
            check(bench)
        return
    check(bench)


def test_settling_twice_gives_the_same_digest(backend: Backend, composed: list[SceneSpec]) -> None:
    assert settled(backend, composed[0]).digest == settled(backend, composed[0]).digest


def test_reset_is_bitwise_repeatable_across_processes(
    request: pytest.FixtureRequest, backend: Backend, composed: list[SceneSpec], tmp_path: Path
) -> None:
    name = request.node.callspec.params["make"]
    spec = settled(backend, composed[0])
    backend.reset(spec)
    point = top_of(CASTER, spec, backend.state(), graspable(CASTER, spec)[0])
    first = backend.state().digest()
    backend.pick(point)
    script = tmp_path / "again.py"
    script.write_text(
        "import json, sys\n"
        "import numpy as np\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from contract_parts import BACKENDS\n"
        "from refergym.rollouts.contract_checks import settled\n"
        "from refergym.assets.spec import load_scene\n"
        "spec = load_scene(open(sys.argv[1], 'rb').read())\n"
        "backend = BACKENDS[sys.argv[2]]()\n"
        "again = settled(backend, spec)\n"
        "backend.reset(again)\n"
        "a = backend.state().digest()\n"
        "backend.pick(np.array(json.loads(sys.argv[3])))\n"
        "print(json.dumps([again.digest, a, backend.state().digest()]))\n"
    )
    stored = tmp_path / "scene.json"
    stored.write_bytes(msgspec.json.encode(spec))
    out = subprocess.run(
        [sys.executable, str(script), str(stored), name, json.dumps(point.tolist())],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(out.stdout) == [spec.digest, first, backend.state().digest()]


@pytest.mark.parametrize(
    ("resets", "limit_mb"), [(300, 5), pytest.param(2000, 20, marks=pytest.mark.slow)]
)
def test_resets_do_not_leak(
    backend: Backend, composed: list[SceneSpec], resets: int, limit_mb: float
) -> None:
    specs = [settled(backend, s) for s in composed]
    for i in range(40):
        backend.reset(specs[i % len(specs)])
    before = resident_mb()
    for i in range(resets):
        backend.reset(specs[i % len(specs)])
    assert resident_mb() - before < limit_mb
