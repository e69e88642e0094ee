"""The parameters of the composer `infinigen`, and their defaults."""

from typing import Annotated, Literal

import msgspec

from refergym.assets.composers.params import Range, SceneParams
from refergym.assets.spec import Count, Unit

WholeNumber = Annotated[int, msgspec.Meta(ge=0)]


class InfinigenParams(SceneParams, frozen=True, kw_only=True):
    """Everything that shapes a scene of `infinigen`.

    `categories` and `splits` hold for all things: what they do not allow is swapped or taken away.
    The sizes and `scale` hold for what is swapped in and added; the solver's things have scale 1.
    """

    scenes: tuple[str, ...] | None = None
    """only these solved scenes of the pack, by name; none takes all"""
    kinds: tuple[str, ...] | None = None
    """only scenes of these kinds, such as "desk"; none takes all"""

    swap: Unit = 0.25
    """probability, for each thing, of another one of its category in its place, if it fits"""
    remove: Unit = 0.1
    """probability, for each thing that carries nothing, of being taken away"""
    add: tuple[WholeNumber, WholeNumber] = (0, 2)
    """how many things are put where there is room in reach; what a task wants comes first"""
    stacked: Unit = 0.25
    """probability that an added thing goes into or onto another one, if there is one with room"""
    scale: Range = (0.85, 1.15)

    gap: Range = (0.05, 0.15)
    """m between the robot's pedestal and the table"""
    counts: tuple[Count, Count] = (3, 12)
    """how many things are in play: in reach, and whole in the picture"""
    crop: Literal["none", "cut", "outside"] = "cut"
    """which things are taken away for the picture's sake: none, those that its edge cuts, or those
    and all that are outside it"""

    view: Literal["table", "room"] = "table"
    """near, on what is in play; or wide, with the table and the floor round it"""
    room_hfov: Range = (60.0, 80.0)
    """degrees, of the wide view"""
    room_distance: Range = (1.8, 3.2)
    """m from the table's middle, of the wide view; within the walls in any case"""
    room_height: Range = (1.4, 2.2)
    """m above the floor, of the wide view; below the ceiling in any case"""
    floor_share: Unit = 0.2
    """least share of the wide view that shows floor"""

    light: Range = (0.8, 1.2)
    light_elevation: Range = (25.0, 70.0)
    """degrees above the table: a window's direction is brought into this range"""
    hfov: Range = (50.0, 65.0)
    pitch: Range = (-60.0, -25.0)
    camera_height: Range = (0.3, 1.3)
    azimuth: Range = (-80.0, 80.0)
    """degrees from straight opposite the robot; the wide view leaves it where walls force it to"""
    camera_tries: Count = 16
