"""Check stages by NVIDIA's validator, in an environment of its own (.bench/usd).

It needs usd-exchange, which installs `pxr` as usd-core does: never both in one environment. The
environment is made on the first call (minutes). Stages of all kinds of scene have to pass without
an error or a failure, and stages that are spoilt have to fail by the rule that is meant.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from peers import BENCH, make_environment
from pxr import Usd, UsdGeom, UsdPhysics, UsdShade

from refergym.assets.usd import names
from refergym.assets.usd.reading import read_stage
from refergym.rollouts import export

STAGES = [("usd-validation-nvidia==1.22.0", "usd-exchange==3.0.1", "numpy==2.4.6")]
SCENES = {
    "tabletop": ["scene.counts=[8,8]"],
    "tabletop, every axis": ["randomisation=all"],
    "infinigen": ["scene=infinigen"],
    "infinigen, every axis": ["scene=infinigen", "randomisation=all", "seed=1"],
}


def articulate_twice(stage: Usd.Stage, thing: str) -> None:
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath(names.link_path("link3")))


def make_lighter_than_nothing(stage: Usd.Stage, thing: str) -> None:
    UsdPhysics.MassAPI(stage.GetPrimAtPath(thing)).GetMassAttr().Set(-1.0)


def hang_on_nothing(stage: Usd.Stage, thing: str) -> None:
    UsdPhysics.FixedJoint.Define(stage, "/World/joint").CreateBody0Rel().SetTargets(["/World/none"])


def let_a_scope_fall(stage: Usd.Stage, thing: str) -> None:
    UsdPhysics.RigidBodyAPI.Apply(UsdGeom.Scope.Define(stage, "/World/scope").GetPrim())


def unbind(stage: Usd.Stage, thing: str) -> None:
    stage.GetPrimAtPath(f"{thing}/geometry/visual").RemoveAPI(UsdShade.MaterialBindingAPI)


def forget_an_extent(stage: Usd.Stage, thing: str) -> None:
    UsdGeom.Mesh(stage.GetPrimAtPath(f"{thing}/geometry/visual")).GetExtentAttr().Set(
        [(0, 0, 0)] * 2
    )


def refer_to_nothing(stage: Usd.Stage, thing: str) -> None:
    stage.GetPrimAtPath(thing).GetReferences().AddReference("./none.usd")


CONTROLS: list[tuple[Callable[[Usd.Stage, str], None], str]] = [
    (articulate_twice, "ArticulationChecker"),
    (make_lighter_than_nothing, "MassChecker"),
    (hang_on_nothing, "PhysicsJointChecker"),
    (let_a_scope_fall, "RigidBodyChecker"),
    (unbind, "UsdMaterialBindingApi"),
    (forget_an_extent, "ExtentsChecker"),
    (refer_to_nothing, "MissingReferenceChecker"),
]


def main() -> int:
    BENCH.mkdir(exist_ok=True)
    python = Path(make_environment("usd", STAGES))
    ok = True
    with tempfile.TemporaryDirectory() as folder:
        for k, (what, words) in enumerate(SCENES.items()):
            out = Path(folder) / str(k)
            report, _ = export.export(["format=usd", "usdz=true", *words, f"out={out}"])
            for file in (out / names.FILE, out / report.file):
                found = validate(python, file)
                bad = {rule: n for (level, rule), n in found.items() if level != "WARNING"}
                warned = {rule: n for (level, rule), n in found.items() if level == "WARNING"}
                ok &= not bad
                print(f"{what}, {file.suffix}: {bad or 'passes'}; warnings: {warned or 'none'}")
        clean = Path(folder) / "0" / names.FILE
        for spoil, rule in CONTROLS:
            stage = Usd.Stage.Open(Usd.Stage.Open(str(clean)).Flatten())
            spoil(stage, names.object_paths(read_stage(clean))[0])
            file = clean.with_name("spoilt.usdc")
            stage.GetRootLayer().Export(str(file))
            caught = {r for level, r in validate(python, file) if level != "WARNING"}
            ok &= rule in caught
            print(f"spoilt, {spoil.__name__}: {sorted(caught) or 'NOT CAUGHT'}, meant: {rule}")
    return int(not ok)


def validate(python: Path, file: Path) -> Counter[tuple[str, str]]:
    """Count what the validator says of a file, by severity and rule."""
    told = file.with_name("told.json")
    command = [python.with_name("nvidia_usd_validate"), "--json-output", told, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not told.exists():
        raise RuntimeError(f"{file}: {done.stderr.strip() or done.stdout.strip()}")
    rules = json.loads(told.read_text())["rules"]
    told.unlink()
    return Counter((i["severity"], r["rule"]["name"]) for r in rules for i in r["issues"])


if __name__ == "__main__":
    sys.exit(main())
