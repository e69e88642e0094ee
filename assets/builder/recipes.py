"""What the pack that ships is made of: factories, sizes, seeds, and which tables things stand on.

Facts about things, as data. Seeds were chosen by looking at the pictures of many; docs/pack.md
says what was left out and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from refergym.assets.builder.categories import Category

OBJECTS = "infinigen.assets.objects."


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How Infinigen makes things of one kind for a pack."""

    factory: str
    """below infinigen.assets.objects"""
    category: Category
    seeds: tuple[int, ...]
    longest: tuple[float, float] | None = None
    """m, believable longest side; smaller and larger things are scaled to the nearer bound"""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """of the factory, set before it spawns"""
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """degrees about x, y, z"""
    wrap: bool = False
    """wrap the mesh in a new surface: for things of very many or very small pieces"""
    triangles: int = 1200
    texture: int = 256
    """px"""
    paints: tuple[tuple[int, str], ...] = ()
    """(seed, colour) of copies in another colour"""
    is_furniture: bool = False
    is_unseen: bool = False
    """the whole category is kept for evaluation"""
    unseen: tuple[int, ...] = ()
    """seeds whose shapes are kept for evaluation"""


PAINTS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (185, 28, 28),
        "orange": (240, 125, 20),
        "yellow": (228, 190, 35),
        "green": (55, 145, 60),
        "blue": (40, 80, 175),
        "purple": (120, 60, 150),
        "pink": (235, 140, 170),
        "brown": (110, 68, 38),
        "white": (238, 236, 230),
        "grey": (128, 128, 128),
        "black": (44, 44, 44),
    }
)
"""sRGB of each paint"""


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # tableware
        "mug": Recipe(
            factory="tableware.cup.CupFactory",
            attributes={"is_short": True, "has_guard": True},
            longest=(0.09, 0.14),
            seeds=(0, 1, 3, 4, 5),
            unseen=(1,),
            paints=((4, 'red'), (0, 'blue'), (3, 'yellow')),
            category=Category(
                noun="mug", plural="mugs", mass=(0.1, 0.7), wall=0.003, density=1600, friction=0.5,
                is_open=True, is_turned=True, handle_pieces=8,
                directions=("opening", "handle"),
                material="ceramic",
            ),
        ),
        "cup": Recipe(
            factory="tableware.cup.CupFactory",
            attributes={"has_guard": False},
            longest=(0.07, 0.11),
            seeds=(0, 3, 5),
            unseen=(5,),
            paints=((0, 'orange'), (3, 'green')),
            category=Category(
                noun="cup", plural="cups", mass=(0.05, 0.5), wall=0.0025, density=1600,
                friction=0.5, is_open=True, is_turned=True, directions=("opening",),
                material="ceramic",
            ),
        ),
        "bowl": Recipe(
            factory="tableware.bowl.BowlFactory",
            longest=(0.10, 0.16),
            seeds=(0, 1, 4, 5),
            unseen=(1,),
            paints=((4, 'blue'), (0, 'red'), (5, 'yellow')),
            category=Category(
                noun="bowl", plural="bowls", mass=(0.1, 1.3), wall=0.003, density=1500,
                friction=0.5, is_open=True, is_turned=True, directions=("opening",),
                material="ceramic",
            ),
        ),
        "plate": Recipe(
            factory="tableware.plate.PlateFactory",
            longest=(0.14, 0.22),
            seeds=(0, 1, 2, 5),
            unseen=(5,),
            paints=((1, 'blue'), (0, 'red')),
            category=Category(
                noun="plate", plural="plates", mass=(0.12, 0.8), wall=0.004, density=2000,
                friction=0.5, takes_load=True, is_turned=True,
                material="ceramic",
            ),
        ),
        "bottle": Recipe(
            factory="tableware.bottle.BottleFactory",
            longest=(0.16, 0.23),
            seeds=(0, 1, 2, 3, 4),
            unseen=(3,),
            paints=((1, 'green'), (2, 'red')),
            category=Category(
                noun="bottle", plural="bottles", mass=(0.05, 0.9), density=350, friction=0.5,
                is_turned=True, directions=("neck",),
            ),
        ),
        "can": Recipe(
            factory="tableware.can.CanFactory",
            attributes={"shape": "circle", "skewness": 1},
            longest=(0.065, 0.085),
            seeds=(0, 2, 3, 4),
            unseen=(2,),
            category=Category(
                noun="can", plural="cans", mass=(0.04, 0.7), density=700, friction=0.5,
                takes_load=True, is_turned=True,
                material="metal",
            ),
        ),
        "wine_glass": Recipe(
            factory="tableware.wineglass.WineglassFactory",
            longest=(0.13, 0.20),
            seeds=(0, 1, 4, 5),
            unseen=(5,),
            paints=((4, 'blue'),),
            category=Category(
                noun="wine glass", plural="wine glasses", mass=(0.05, 0.35), wall=0.002,
                density=2500, friction=0.5, is_turned=True, directions=("opening",),
                material="glass",
            ),
        ),
        "fork": Recipe(
            factory="tableware.fork.ForkFactory",
            longest=(0.16, 0.20),
            seeds=(0, 1, 2, 3),
            unseen=(3,),
            category=Category(
                noun="fork", plural="forks", mass=(0.02, 0.09), wall=0.0025, density=7000,
                friction=0.5, settles=True, slabs=(0, 6), directions=("tines", "handle"),
            ),
        ),
        "knife": Recipe(
            factory="tableware.knife.KnifeFactory",
            longest=(0.16, 0.24),
            seeds=(0, 2, 4),
            unseen=(4,),
            category=Category(
                noun="knife", plural="knives", mass=(0.02, 0.25), wall=0.0025, density=7000,
                friction=0.5, settles=True, slabs=(0, 3), directions=("blade", "handle", "edge"),
            ),
        ),
        "spoon": Recipe(
            factory="tableware.spoon.SpoonFactory",
            longest=(0.14, 0.19),
            seeds=(0, 1, 2, 4),
            unseen=(2,),
            category=Category(
                noun="spoon", plural="spoons", mass=(0.01, 0.09), wall=0.0025, density=7000,
                friction=0.5, settles=True, slabs=(0, 6), directions=("bowl", "handle"),
            ),
        ),
        "spatula": Recipe(
            factory="tableware.fork.SpatulaFactory",
            longest=(0.20, 0.28),
            seeds=(0, 1, 2, 5),
            unseen=(1,),
            paints=((5, 'red'),),
            category=Category(
                noun="spatula", plural="spatulas", mass=(0.02, 0.2), wall=0.0025, density=5000,
                friction=0.5, settles=True, slabs=(0, 6), directions=("blade", "handle"),
            ),
        ),
        "square_bottle": Recipe(
            factory="tableware.jar.JarFactory",
            longest=(0.09, 0.16),
            seeds=(0, 2, 4, 7, 8),
            unseen=(8,),
            paints=((4, 'green'),),
            category=Category(
                noun="bottle", plural="bottles", mass=(0.1, 1.0), wall=0.003, density=2500,
                friction=0.5,
                slabs=(2, 6), directions=("neck",),
            ),
        ),
        "pan": Recipe(
            factory="tableware.pan.PanFactory",
            longest=(0.22, 0.30),
            seeds=(0, 1, 3, 4, 5),
            unseen=(5,),
            category=Category(
                noun="pan", plural="pans", mass=(0.2, 1.2), wall=0.002, density=4000,
                friction=0.5, is_open=True, is_turned=True, handle_pieces=1,
                directions=("opening", "handle"),
            ),
        ),
        "pot": Recipe(
            factory="tableware.pot.PotFactory",
            attributes={"has_bar": True, "has_handle": False, "has_guard": False},
            longest=(0.16, 0.24),
            seeds=(0, 1, 3, 4),
            unseen=(1,),
            paints=((4, 'orange'),),
            category=Category(
                noun="pot", plural="pots", mass=(0.25, 2.0), wall=0.002, density=4000,
                friction=0.5, is_open=True, is_turned=True, handle_pieces=3,
                directions=("opening",),
                material="metal",
            ),
        ),
        "lid": Recipe(
            factory="tableware.lid.LidFactory",
            longest=(0.10, 0.18),
            seeds=(0, 1, 3, 5),
            unseen=(5,),
            category=Category(
                noun="pot lid", plural="pot lids", mass=(0.05, 0.8), wall=0.003, density=2500,
                friction=0.5, is_turned=True,
            ),
        ),
        # food
        "snack_bag": Recipe(
            factory="tableware.food_bag.FoodBagFactory",
            longest=(0.12, 0.20),
            turn=(90.0, 0.0, 0.0),
            seeds=(2, 6, 8),
            unseen=(8,),
            category=Category(
                noun="snack bag", plural="snack bags", mass=(0.02, 0.4), density=120, friction=0.6,
                settles=True, is_one_hull=True,
                material="plastic",
            ),
        ),
        "food_box": Recipe(
            factory="tableware.food_box.FoodBoxFactory",
            longest=(0.10, 0.20),
            seeds=(0, 1, 2, 4, 5),
            unseen=(5,),
            category=Category(
                noun="box", plural="boxes", mass=(0.05, 0.8), density=150, friction=0.6,
                takes_load=True, is_one_hull=True,
                material="cardboard",
            ),
        ),
        "apple": Recipe(
            factory="fruits.apple.FruitFactoryApple",
            longest=(0.07, 0.09),
            seeds=(0, 1, 2),
            unseen=(1,),
            paints=((0, 'yellow'), (2, 'green'), (2, 'red')),
            category=Category(
                noun="apple", plural="apples", mass=(0.06, 0.30), density=750, friction=0.6,
                settles=True, split=True, directions=("stem",),
            ),
        ),
        "pineapple": Recipe(
            factory="fruits.pineapple.FruitFactoryPineapple",
            longest=(0.18, 0.24),
            wrap=True,
            seeds=(0, 1, 2, 3),
            unseen=(2,),
            category=Category(
                noun="pineapple", plural="pineapples", mass=(0.2, 1.6), density=600,
                friction=0.6, lies=True,
                slabs=(2, 5), directions=("leaves",),
            ),
        ),
        "star_fruit": Recipe(
            factory="fruits.starfruit.FruitFactoryStarfruit",
            longest=(0.08, 0.11),
            wrap=True,
            seeds=(0, 1, 2, 4),
            unseen=(1,),
            category=Category(
                noun="star fruit", plural="star fruits", mass=(0.05, 0.4), density=800,
                friction=0.6, lies=True, directions=("stem",),
            ),
        ),
        "strawberry": Recipe(
            factory="fruits.strawberry.FruitFactoryStrawberry",
            longest=(0.045, 0.06),
            wrap=True,
            seeds=(0, 2, 4, 5),
            unseen=(5,),
            category=Category(
                noun="strawberry", plural="strawberries", mass=(0.008, 0.08), density=700,
                friction=0.6, settles=True, directions=("stem",),
            ),
        ),
        "coconut": Recipe(
            factory="fruits.coconutgreen.FruitFactoryCoconutgreen",
            longest=(0.10, 0.14),
            wrap=True,
            seeds=(0, 1, 2, 4),
            unseen=(2,),
            category=Category(
                noun="coconut", plural="coconuts", mass=(0.2, 1.6), density=700, friction=0.6,
                settles=True, directions=("stem",),
            ),
        ),
        "durian": Recipe(
            factory="fruits.durian.FruitFactoryDurian",
            longest=(0.11, 0.16),
            wrap=True,
            seeds=(0, 1, 3, 4),
            is_unseen=True,
            category=Category(
                noun="durian", plural="durians", mass=(0.2, 2.2), density=700, friction=0.6,
                settles=True, directions=("stem",),
            ),
        ),
        # the table's decoration, reading, household
        "vase": Recipe(
            factory="table_decorations.vase.VaseFactory",
            longest=(0.14, 0.23),
            seeds=(0, 1, 3, 4),
            unseen=(4,),
            paints=((1, 'purple'), (4, 'blue')),
            category=Category(
                noun="vase", plural="vases", mass=(0.15, 1.5), wall=0.004, density=2000,
                friction=0.5, is_turned=True, directions=("opening",),
            ),
        ),
        "book": Recipe(
            factory="table_decorations.book.BookFactory",
            longest=(0.15, 0.24),
            seeds=(0, 1, 2, 4, 5),
            unseen=(4,),
            category=Category(
                noun="book", plural="books", mass=(0.05, 1.4), density=750, friction=0.6,
                takes_load=True, is_one_hull=True, directions=("spine", "cover"),
                material="paper",
            ),
        ),
        "book_stack": Recipe(
            factory="table_decorations.book.BookStackFactory",
            longest=(0.18, 0.26),
            seeds=(0, 1, 2, 5),
            unseen=(2,),
            category=Category(
                noun="book stack", plural="book stacks", mass=(0.3, 3.0), density=600,
                friction=0.6, takes_load=True, split=True,
                material="paper",
            ),
        ),
        "lamp": Recipe(
            factory="lamp.lamp.DeskLampFactory",
            longest=(0.18, 0.26),
            seeds=(0, 2, 3, 5),
            unseen=(2,),
            category=Category(
                noun="lamp", plural="lamps", mass=(0.1, 1.5), wall=0.002, density=2000,
                friction=0.6, slabs=(2, 8),
            ),
        ),
        "towel": Recipe(
            factory="clothes.towel.TowelFactory",
            longest=(0.15, 0.22),
            seeds=(0, 1, 2, 3),
            unseen=(1,),
            paints=((2, 'yellow'),),
            category=Category(
                noun="towel", plural="towels", mass=(0.03, 0.6), density=180, friction=0.9,
                takes_load=True, is_one_hull=True,
                material="fabric",
            ),
        ),
        "cushion": Recipe(
            factory="seating.pillow.PillowFactory",
            longest=(0.16, 0.24),
            seeds=(0, 1, 2, 5),
            unseen=(2,),
            paints=((1, 'orange'),),
            category=Category(
                noun="cushion", plural="cushions", mass=(0.02, 0.5), density=70, friction=0.9,
                settles=True, is_one_hull=True,
                material="fabric",
            ),
        ),
        "crate": Recipe(
            factory="organizer.basket.BasketBaseFactory",
            longest=(0.14, 0.24),
            seeds=(0, 8, 9, 12),
            unseen=(9,),
            paints=((12, 'pink'),),
            category=Category(
                noun="crate", plural="crates", mass=(0.1, 0.9), wall=0.003, density=950,
                friction=0.5, is_open_box=True, is_open=True, directions=("opening",),
                material="plastic",
            ),
        ),
        "monitor": Recipe(
            factory="appliances.tv.MonitorFactory",
            longest=(0.20, 0.28),
            turn=(0.0, 0.0, 180.0),
            seeds=(0, 1, 3, 4),
            is_unseen=True,
            category=Category(
                noun="monitor", plural="monitors", mass=(0.2, 2.0), density=600, friction=0.6,
                directions=("face",),
            ),
        ),
        # shells
        "seashell": Recipe(
            factory="mollusk.generate.AugerFactory",
            longest=(0.09, 0.12),
            wrap=True,
            seeds=(0, 2, 3, 4),
            unseen=(2,),
            category=Category(
                noun="seashell", plural="seashells", mass=(0.008, 0.4), density=900, friction=0.6,
                lies=True,
            ),
        ),
        # furniture
        "dining_table": Recipe(
            factory="tables.dining_table.TableDiningFactory",
            seeds=(0, 1, 2, 3), triangles=4000, texture=512, is_furniture=True,
            category=Category(
                noun="dining table", plural="dining tables", mass=(5, 120), density=300,
                friction=0.6,
            ),
        ),
        "desk": Recipe(
            factory="shelves.simple_desk.SimpleDeskFactory",
            seeds=(0, 1, 3, 4), triangles=4000, texture=512, is_furniture=True,
            category=Category(
                noun="desk", plural="desks", mass=(3, 120), density=500, friction=0.6,
            ),
        ),
        "coffee_table": Recipe(
            factory="tables.dining_table.CoffeeTableFactory",
            seeds=(3, 4, 5), triangles=4000, texture=512, is_furniture=True,
            category=Category(
                noun="coffee table", plural="coffee tables", mass=(3, 120), density=300,
                friction=0.6,
            ),
        ),
        "kitchen_island": Recipe(
            factory="shelves.kitchen_space.KitchenIslandFactory",
            longest=(1.2, 2.0),
            seeds=(2, 10, 11), triangles=6000, texture=512, is_furniture=True,
            category=Category(
                noun="kitchen counter", plural="kitchen counters", mass=(10, 400), density=100,
                friction=0.6,
            ),
        ),
    }
)  # fmt: skip
"""by the beginning of the assets' names"""
