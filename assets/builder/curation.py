"""What the first pack takes from its raw assets: categories, materials, leave-outs, resizings.

Facts about things, as data. `importer` does the work; docs/pack.md tells the reasons at length.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from refergym.assets.builder.categories import Category

CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {
        "Apple": Category(
            noun="apple", plural="apples", mass=(0.08, 0.30), density=750, settles=True,
            friction=0.6, split=True,
        ),
        "BasketBase": Category(
            noun="basket", plural="baskets", mass=(0.15, 0.9), wall=0.003, density=950,
            friction=0.5, is_open_box=True, is_open=True,
        ),
        "Book": Category(
            noun="book", plural="books", mass=(0.15, 1.2), density=750, friction=0.6,
            takes_load=True,
        ),
        "BookStack": Category(
            noun="book stack", plural="book stacks", mass=(0.6, 3.0), density=600,
            friction=0.6, takes_load=True, split=True,
        ),
        "Bottle": Category(
            noun="bottle", plural="bottles", mass=(0.05, 0.8), density=350, is_turned=True,
            friction=0.5,
        ),
        "Bowl": Category(
            noun="bowl", plural="bowls", mass=(0.1, 1.3), wall=0.003, density=1500,
            friction=0.5, is_open=True, is_turned=True,
        ),
        "Can": Category(
            noun="can", plural="cans", mass=(0.1, 0.6), density=700, friction=0.5,
            takes_load=True,
        ),
        "Cup": Category(
            noun="cup", plural="cups", mass=(0.1, 0.6), wall=0.0025, density=1600,
            friction=0.5, is_open=True, is_turned=True, handle_pieces=8,
        ),
        "DeskLamp": Category(
            noun="lamp", plural="lamps", mass=(0.2, 1.5), wall=0.002, density=2000,
            friction=0.6,
        ),
        "FoodBag": Category(
            noun="snack bag", plural="snack bags", mass=(0.03, 0.4), density=120,
            settles=True, friction=0.6,
        ),
        "FoodBox": Category(
            noun="food box", plural="food boxes", mass=(0.1, 0.7), density=150, friction=0.6,
            takes_load=True,
        ),
        "Fork": Category(
            noun="fork", plural="forks", mass=(0.02, 0.09), wall=0.0025, density=7000,
            settles=True, slabs=(0, 6), friction=0.5,
        ),
        "Jar": Category(
            noun="jar", plural="jars", mass=(0.2, 1.0), density=400, slabs=(2, 6),
            friction=0.5,
        ),
        "Knife": Category(
            noun="knife", plural="knives", mass=(0.02, 0.12), wall=0.0025, density=7000,
            settles=True, slabs=(0, 3), friction=0.5,
        ),
        "Pan": Category(
            noun="pan", plural="pans", mass=(0.25, 1.2), wall=0.002, density=4000,
            friction=0.5, is_open=True, is_turned=True, handle_pieces=1,
        ),
        "Plate": Category(
            noun="plate", plural="plates", mass=(0.15, 0.8), wall=0.004, density=2000,
            friction=0.5, takes_load=True, is_turned=True,
        ),
        "Pot": Category(
            noun="pot", plural="pots", mass=(0.3, 2.0), wall=0.002, density=4000,
            friction=0.5, is_open=True, is_turned=True, handle_pieces=3,
        ),
        "Spoon": Category(
            noun="spoon", plural="spoons", mass=(0.01, 0.09), wall=0.0025, density=7000,
            settles=True, slabs=(0, 6), friction=0.5,
        ),
        "Towel": Category(
            noun="towel", plural="towels", mass=(0.08, 0.6), density=180, friction=0.9,
            takes_load=True,
        ),
        "Vase": Category(
            noun="vase", plural="vases", mass=(0.2, 1.5), wall=0.004, density=2000,
            friction=0.5, is_turned=True,
        ),
        "Wineglass": Category(
            noun="wine glass", plural="wine glasses", mass=(0.06, 0.35), wall=0.002,
            density=2500, friction=0.5, is_turned=True,
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A copy of an asset with its texture's main colour replaced."""

    of: str
    name: str
    rgb: tuple[int, int, int]
    """sRGB of the new main colour"""


@dataclass(frozen=True, kw_only=True)
class Curation:
    """Choices for one raw folder."""

    categories: Mapping[str, Category]
    """raw category: how to name and weigh it; assets of others are left out"""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """raw name: reason"""
    rescaled: Mapping[str, float] = field(default_factory=dict)
    """raw name: factor to a believable size that fits on the table"""
    laid: frozenset[str] = frozenset()
    """raw names of things to lay on their widest side (+y is turned up)"""
    variants: tuple[Variant, ...] = ()
    """may copy assets that are themselves left out"""
    widest: float = 0.30
    """m, the longest horizontal side that is taken"""
    darkest: float = 14.0
    """mean CIE L* below which a texture counts as a failed bake"""


_FURNITURE = "furniture: the scene has a table, and this is larger than it"
_NAMELESS = "people could not name it from its picture"

FIRST_PACK = Curation(
    categories=CATEGORIES,
    left_out=MappingProxyType(
        {
            "CoffeeTable_000": _FURNITURE,
            "SideTable_000": _FURNITURE,
            "SimpleBookcase_000": _FURNITURE,
            "SimpleDesk_000": _FURNITURE,
            "SingleCabinet_000": _FURNITURE,
            "TableCocktail_000": _FURNITURE,
            "TableDining_000": _FURNITURE,
            "TableDining_001": _FURNITURE,
            "TableDining_002": _FURNITURE,
            "BookStack_000": "dark covers that run into one another; two better stacks",
            "Can_000": "square: people call it a box",
            "Can_001": "square: people call it a box",
            "Chopsticks_000": "sticks of 1 px at 224 x 224",
            "Chopsticks_001": "sticks of 1 px at 224 x 224, and two loose things in one body",
            "Chopsticks_002": "sticks of 1 px at 224 x 224",
            "DeskLamp_001": "the same as DeskLamp_000 to the eye",
            "DeskLamp_002": "its foot is too small to stand on",
            "FoodBag_000": _NAMELESS,
            "FoodBag_001": _NAMELESS,
            "Jar_001": "dark bake; its shape is used in other colours",
            "Jar_002": "broken mesh: frayed bottom, lid in pieces",
            "Pan_000": "0.58 m long, and a pan of less than 0.3 m is not a pan",
            "Pot_000": "no handles: cannot be told from a cup",
            "Pot_001": "no handles: cannot be told from a bowl",
            "Starfruit_002": _NAMELESS,
            "Towel_001": "broken bake: black holes in the pattern",
            "Vase_000": "broken mesh: torn neck, and white without shape",
            "Vase_002": "dark bake; its shape is used in other colours",
            "Wineglass_002": "dark bake; its shape is used in other colours",
        }
    ),
    rescaled=MappingProxyType(
        {
            "BasketBase_000": 0.7,
            "Bowl_000": 0.8,
            "BookStack_001": 0.75,
            "BookStack_002": 0.75,
            "DeskLamp_000": 0.55,
            "Pan_001": 0.8,
            "Pan_002": 0.8,
            "Vase_001": 0.6,
            "Vase_002": 0.75,
            "Wineglass_000": 0.65,
        }
    ),
    laid=frozenset({"FoodBag_002"}),
    variants=(
        Variant(of="Apple_001", name="Apple_001_red", rgb=(190, 25, 25)),
        Variant(of="Apple_002", name="Apple_002_green", rgb=(110, 170, 50)),
        Variant(of="Bowl_002", name="Bowl_002_blue", rgb=(40, 80, 175)),
        Variant(of="Bowl_002", name="Bowl_002_red", rgb=(180, 30, 30)),
        Variant(of="Bowl_001", name="Bowl_001_white", rgb=(238, 236, 230)),
        Variant(of="Cup_002", name="Cup_002_green", rgb=(50, 140, 60)),
        Variant(of="Cup_002", name="Cup_002_white", rgb=(238, 236, 230)),
        Variant(of="Cup_001", name="Cup_001_yellow", rgb=(228, 185, 30)),
        Variant(of="Jar_001", name="Jar_001_green", rgb=(60, 130, 70)),
        Variant(of="Plate_001", name="Plate_001_white", rgb=(238, 236, 230)),
        Variant(of="Plate_002", name="Plate_002_red", rgb=(180, 30, 30)),
        Variant(of="Plate_001", name="Plate_001_blue", rgb=(40, 80, 175)),
        Variant(of="Pot_002", name="Pot_002_red", rgb=(170, 30, 30)),
        Variant(of="Vase_001", name="Vase_001_purple", rgb=(120, 60, 150)),
        Variant(of="Vase_002", name="Vase_002_blue", rgb=(50, 85, 170)),
        Variant(of="Towel_002", name="Towel_002_green", rgb=(70, 150, 80)),
        Variant(of="Wineglass_002", name="Wineglass_002_white", rgb=(225, 230, 230)),
    ),
)
"""The pack that ships; the reasons at length are in docs/pack.md."""
