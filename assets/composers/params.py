"""The parameters of the composers, checked; errors name key, value and allowed range."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from refergym.assets import records
from refergym.assets.errors import SpecError
from refergym.assets.records import Record
from refergym.assets.spec import Count, NonNegative, Positive, Unit

Range = tuple[float, float]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Split = Literal["seen", "unseen_instance", "unseen_category"]
P = TypeVar("P", bound="SceneParams")


class SceneParams(Record, frozen=True, kw_only=True):
    """What all composers share. Ranges are [low, high] and drawn from uniformly."""

    categories: tuple[str, ...] | None = None
    """only objects of these; none takes all of the pack"""
    splits: tuple[Split, ...] = ("seen", "unseen_instance", "unseen_category")
    """only objects of these parts of the pack: all by default; a policy that is to be evaluated on
    things it never met trains with ["seen"]"""
    scale: Range = (0.7, 1.3)
    """times the asset's own size"""
    max_extent: Positive = 0.32
    """m, the longest side seen from above"""
    max_height: Positive = 0.24
    """m"""
    min_width: NonNegative = 0.02
    """m, the middle one of an object's three sides: thinner things can't be named in the picture"""
    carrier_height: Positive = 0.06
    """m, the tallest flat top that carries something"""
    carried_height: Positive = 0.12
    """m, the most that a thing on a flat top or in a container stands above its edge"""
    min_grasp_rate: Unit = 0.8
    """from which an object counts as graspable"""

    reach: Range = (0.30, 0.70)
    """m from the robot's axis; where wanted graspables and receptacles are"""
    margin: NonNegative = 0.025
    """m between footprints: about a gripper's finger"""
    rows: Unit = 0.0
    """probability of a row or a grid of like things with a free place, where a task wants several
    of one category"""
    row_gap: Range = (0.03, 0.08)
    """m between neighbours in it; graspable things stand as far apart as open fingers need"""

    texture_scale: Range = (0.4, 0.9)
    """m covered by one repetition of a texture"""
    light: Range = (0.6, 1.4)
    """times the nominal light and, drawn apart, the nominal ambient light"""
    light_elevation: Range = (40.0, 75.0)
    """degrees above the table"""

    width: Count = 224
    """px"""
    height: Count = 224
    """px"""
    hfov: Range = (50.0, 60.0)
    """degrees, horizontal"""
    pitch: Range = (-60.0, -30.0)
    """degrees"""
    camera_height: Range = (0.3, 0.8)
    """m above the table"""
    azimuth: Range = (-35.0, 35.0)
    """degrees from the x axis, seen from the robot"""
    frame: Share = 0.04
    """share of the picture's width and height kept free of objects along each edge"""
    back_off: Range = (1.0, 1.08)
    """times the smallest distance that shows everything"""
    hidden: Share = 0.5
    """largest share of an object's outline that others may cover"""
    min_share: Share = 0.002
    """smallest share of the picture that the visible part of an object's outline covers; 0.002 is
    100 px of 224 x 224, of which thin things fill two thirds"""

    tries: Count = 60
    """whole scenes that are tried before giving up"""
    object_tries: Count = 30
    """places tried for each object"""
    camera_tries: Count = 8
    """cameras tried for each layout"""


class TabletopParams(SceneParams, frozen=True, kw_only=True):
    """Everything that shapes a scene of `tabletop`."""

    counts: tuple[Count, Count] = (3, 9)
    """how many objects"""
    duplicates: Unit = 0.6
    """probability of several objects of one category"""
    duplicate_counts: tuple[Count, Count] = (2, 4)
    """how many of them"""
    duplicate_gap: Share = 0.1
    """mean sides of any two things of one category differ by this share at least; not in rows"""
    inside: Unit = 0.5
    """probability that a container holds something"""
    on_top: Unit = 0.5
    """probability that a flat top carries something"""

    region_x: Range = (0.34, 0.74)
    """m, world; where the objects' middles are"""
    region_y: Range = (-0.32, 0.32)
    """m, world"""
    spill: NonNegative = 0.06
    """m that footprints may reach beyond the region"""
    density: Range = (0.3, 0.42)
    """share of the part of the table in use that footprints with their margins cover"""
    aspect: Range = (0.7, 1.3)
    """width (y) to depth (x) of the part of the table in use"""

    table_x: Range = (0.20, 1.05)
    """m, world"""
    table_y: Range = (-0.65, 0.65)
    """m, world"""
    table_thickness: Positive = 0.04
    """m; the top is at z = 0"""
    floor_z: float = -0.75
    """m, world"""


_BOUNDS: dict[str, tuple[float, float]] = {
    "scale": (0.01, 100),
    "region_x": (-10, 10),
    "region_y": (-10, 10),
    "reach": (0, 10),
    "density": (0.01, 0.9),
    "aspect": (0.1, 10),
    "table_x": (-10, 10),
    "table_y": (-10, 10),
    "texture_scale": (0.01, 100),
    "light": (0, 10),
    "light_elevation": (1, 90),
    "hfov": (5, 150),
    "pitch": (-89, -1),
    "camera_height": (0.01, 10),
    "azimuth": (-180, 180),
    "back_off": (1, 10),
    "gap": (0, 1),
    "row_gap": (0, 1),
    "room_hfov": (5, 150),
    "room_distance": (0.5, 10),
    "room_height": (0.1, 10),
}
MOST = 64
"""things of a scene"""
_COUNTS = ("counts", "duplicate_counts", "add")


def read_tabletop(given: Mapping[str, Any]) -> TabletopParams:
    """Check a config's values for `tabletop`; errors as in `read_params`."""
    params = read_params(given, TabletopParams)
    for axis in ("x", "y"):
        a, b = getattr(params, f"region_{axis}")
        low, high = getattr(params, f"table_{axis}")
        if a - params.spill < low or b + params.spill > high:
            raise SpecError(
                f"scene.region_{axis}: expected within table_{axis} less spill, "
                f"[{low + params.spill:g}, {high - params.spill:g}], got [{a:g}, {b:g}]"
            )
    return params


def read_params(given: Mapping[str, Any], kind: type[P]) -> P:
    """Check a config's values and return them as a record.

    Raises:
        SpecError: naming the key, what is allowed and what was given.
    """
    known = kind.__struct_fields__
    for key in given:
        if key not in known:
            raise SpecError(f"scene.{key}: unknown key (known: {', '.join(known)})")
    try:
        params = records.convert(_plain(given), kind)
    except SpecError as e:
        raise SpecError(f"scene.{e}") from e
    for key in known:
        _check_range(key, getattr(params, key))
    if params.frame >= 0.5:
        raise SpecError(f"scene.frame: expected < 0.5, got {params.frame:g}")
    if not params.splits:
        raise SpecError("scene.splits: expected at least one, got none")
    return params


def _check_range(key: str, value: Any) -> None:
    if key in _BOUNDS:
        (low, high), (a, b) = _BOUNDS[key], value
        if not low <= a <= b <= high:
            raise SpecError(
                f"scene.{key}: expected [low, high] with {low:g} <= low <= high <= {high:g}, "
                f"got [{a:g}, {b:g}]"
            )
    if key in _COUNTS and value[0] > value[1]:
        got = f"[{value[0]}, {value[1]}]"
        raise SpecError(f"scene.{key}: expected [low, high] with low <= high, got {got}")
    if key in _COUNTS and value[1] > MOST:
        raise SpecError(f"scene.{key}: expected at most {MOST}, got {value[1]}")


def _plain(value: Any) -> Any:
    """Configs hand over their own kinds of lists; records take plain ones."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    return value
