"""What a kind of thing is: how it is named, weighed and cut into convex parts."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Category:
    """How things of one kind are named, weighed and split."""

    noun: str
    plural: str
    mass: tuple[float, float]
    """kg, least and most that a person would believe of one at scale 1"""
    wall: float | None = None
    """m, thickness of walls modelled with two sides; None for solid things"""
    density: float
    """kg/m3 of the wall, or of the solid as a whole (contents, air)"""
    friction: float
    is_open: bool = False
    """an open container, whose cavity is to be measured"""
    takes_load: bool = False
    """other things may stand on it where it is measured to be flat"""
    is_turned: bool = False
    """round about a vertical axis but for handles: `turned` makes the convex parts"""
    handle_pieces: int = 0
    """convex parts for each handle of a turned thing"""
    is_open_box: bool = False
    """four walls and a floor: `hulls.open_box` makes the convex parts"""
    slabs: tuple[int, int] | None = None
    """axis and number of slices whose hulls make the convex parts of a bent thing"""
    settles: bool = False
    """has no foot: it is turned the little way until it lies at rest"""
    lies: bool = False
    """has no foot worth the name: it is turned to lie as it is likeliest to"""
    split: bool = False
    """a hull for each connected piece of the mesh makes the convex parts"""
    is_one_hull: bool = False
    """one hull makes the convex part: boxes, bags, folded cloth"""
    directions: tuple[str, ...] = ()
    """what is measured by `directions`, at most three"""
    material: str | None = None
    """English word"""
