"""Raw meshes from Infinigen, by the script `assets/infinigen/spawn.py` in processes of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refergym.assets.builder import workers
from refergym.assets.builder.environment import INFINIGEN, SCRIPTS, script_text
from refergym.assets.builder.recipes import OBJECTS, Recipe
from refergym.assets.builder.workshop import Shelf, key_of

TIMEOUT = 600.0
"""seconds that one asset may take"""
SPAWN = SCRIPTS / "spawn.py"


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One shape to spawn."""

    name: str
    """of the asset in the factory's own colours"""
    key: str
    """the recipe's"""
    recipe: Recipe
    seed: int

    def job(self) -> dict[str, Any]:
        """Return the job for the script, without its folder."""
        r = self.recipe
        return {
            "name": self.name,
            "factory": OBJECTS + r.factory,
            "seed": self.seed,
            "attributes": dict(r.attributes),
            "longest": list(r.longest) if r.longest else None,
            "turn": list(r.turn),
            "triangles": r.triangles,
            "wrap": r.wrap,
            "texture": r.texture,
        }

    def digest(self) -> str:
        """Return the key of what the mesh is made from."""
        return key_of(self.job(), INFINIGEN, script_text(SPAWN))


def raws(recipes: Mapping[str, Recipe], seeds: Iterable[int] | None = None) -> tuple[Raw, ...]:
    """List the shapes of recipes, with other seeds than theirs if given."""
    chosen = None if seeds is None else tuple(dict.fromkeys(seeds))
    return tuple(
        Raw(name=f"{key}_{seed:03d}", key=key, recipe=recipe, seed=seed)
        for key, recipe in recipes.items()
        for seed in (recipe.seeds if chosen is None else chosen)
    )


def spawn(
    todo: Iterable[Raw],
    shelf: Shelf,
    python: Path,
    *,
    processes: int,
    log: Path,
    timeout: float = TIMEOUT,
    on_done: Callable[[str], None] = lambda name: None,
) -> dict[str, str]:
    """Spawn what is not on the shelf yet.

    Args:
        todo: the shapes.
        shelf: where raw meshes are kept: mesh.npz and texture.png each.
        python: of Infinigen's environment.
        processes: how many run at once.
        log: file that takes what Blender says.
        timeout: seconds that one may take.
        on_done: called with the name of each shape when it is there or has failed.

    Returns:
        Cause of each failure, by name.
    """
    failed: dict[str, str] = {}
    keys: dict[str, str] = {}
    missing = []
    for raw in todo:
        keys[raw.name] = raw.digest()
        if shelf.find(raw.name, keys[raw.name]) is None:
            missing.append(raw)
        else:
            on_done(raw.name)
    jobs = [raw.job() | {"folder": str(shelf.begin(raw.name))} for raw in missing]
    command = [str(python), str(SPAWN)]
    for answer in workers.answers(command, jobs, processes=processes, timeout=timeout, log=log):
        name = answer["name"]
        if answer["error"] is None:
            shelf.end(name, keys[name], answer["figures"])
        else:
            shelf.drop(name)
            failed[name] = str(answer["error"])
        on_done(name)
    return failed
