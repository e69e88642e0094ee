"""Several axes one after the other, in one fixed order, each with a strength and a seed of its own.

The order: first what moves or adds things, then what they are like, then who looks at them and how.
Each axis draws from a stream of its own, so that another axis changes none of its draws; only the
checks of the axes that move something depend on what came before.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from refergym.assets.composers.base import Composer, Wants
from refergym.assets.errors import SpecError
from refergym.assets.library import Pack, open_pack
from refergym.assets.randomisation import bodies, looks, sensing
from refergym.assets.randomisation.base import Axis, Randomisation, check_strength
from refergym.assets.randomisation.distractors import distractors
from refergym.assets.randomisation.robot_start import robot_start
from refergym.assets.randomisation.table import table_height
from refergym.assets.randomisation.viewpoint import camera, field_of_view
from refergym.assets.seeding import generator
from refergym.assets.spec import SceneSpec, check_scene

AXES: dict[str, Axis] = {
    "table_height": table_height,
    "distractors": distractors,
    "colours": looks.colours,
    "friction": bodies.friction,
    "mass": bodies.mass,
    "textures": looks.textures,
    "lights": looks.lights,
    "camera": camera,
    "field_of_view": field_of_view,
    "robot_start": robot_start,
    "exposure": sensing.exposure,
    "white_balance": sensing.white_balance,
    "depth_noise": sensing.depth_noise,
    "calibration": sensing.calibration,
}
"""in the order in which they are applied"""


class Chain:
    """A `Randomisation`: axes by name, each with its strength.

    Attributes:
        strengths: of the package's own axes, those above 0, in the order of `AXES`.
    """

    def __init__(
        self,
        axes: Mapping[str, float],
        *,
        strength: float = 1.0,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        pack: Pack | None = None,
    ) -> None:
        """Check names and strengths.

        Args:
            axes: strength in [0, 1] of any of `AXES`; one that is left out is not used.
            strength: in [0, 1], multiplies every axis's.
            own: further axes by name, each {"axis": an `Axis`, "strength": in [0, 1]}; they come
                last, by name.
            pack: the assets; None takes the package's own.

        Raises:
            SpecError: naming the axis that is unknown or whose strength is out of range.
        """
        check_strength(strength, "strength")
        if not isinstance(axes, Mapping):
            raise SpecError(f"axes: expected strengths by name, got {axes!r}")
        for name, value in axes.items():
            if name not in AXES:
                near = difflib.get_close_matches(str(name), AXES, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SpecError(f"axes.{name}: unknown axis{hint} (known: {', '.join(AXES)})")
            check_strength(value, f"axes.{name}")
        self.strengths = {n: strength * axes[n] for n in AXES if strength * axes.get(n, 0) > 0}
        self._steps = [(n, AXES[n], s) for n, s in self.strengths.items()]
        for name, given in sorted((own or {}).items()):
            if not isinstance(given, Mapping):
                raise SpecError(f"own.{name}: expected axis and strength, got {given!r}")
            axis, own_strength = _own(name, given, strength)
            if own_strength > 0:
                self._steps.append((name, axis, own_strength))
        self._pack = pack

    def __call__(self, scene: SceneSpec, seed: int, *index: int) -> SceneSpec:
        """Apply all axes; see `Randomisation`.

        Raises:
            SpecError: if an axis of the user's own made a scene that is not valid.
        """
        for name, axis, strength in self._steps:
            pack = self._pack or open_pack()
            rng = generator(seed, f"randomise {name}", *index)
            scene = axis(scene, pack, rng, strength=strength)
            if not isinstance(scene, SceneSpec):
                raise SpecError(
                    f"own.{name}: expected a SceneSpec from it, got {type(scene).__name__}"
                )
        check_scene(scene)
        return scene


class Randomised:
    """A composer whose scenes are randomised as soon as they are composed."""

    def __init__(self, composer: Composer, randomisation: Randomisation) -> None:
        """Keep both."""
        self._composer, self._randomisation = composer, randomisation

    def compose(self, seed: int, index: int = 0, wants: Wants = Wants()) -> SceneSpec:  # noqa: B008
        """Compose scene number `index` of a seed, and randomise it; see `Composer`."""
        return self._randomisation(self._composer.compose(seed, index, wants), seed, index)


def _own(name: str, given: Mapping[str, Any], strength: float) -> tuple[Axis, float]:
    path = f"own.{name}"
    if name in AXES:
        raise SpecError(f"{path}: the package has an axis of this name; choose another")
    if set(given) != {"axis", "strength"} or not callable(given["axis"]):
        raise SpecError(f"{path}: expected axis (something callable) and strength")
    check_strength(given["strength"], f"{path}.strength")
    return given["axis"], strength * given["strength"]
