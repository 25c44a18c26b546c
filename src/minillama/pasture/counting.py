"""Sums and lists: numbers, order and counting."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.grammar import capital, enumeration, number, pick, several
from minillama.pasture.world import DAYS

_CHORES = (
    "sweep the yard", "fill the buckets", "mend the fence", "carry the water",
    "open the windows", "air the blankets", "polish the lantern", "sort the nails",
    "shut the barn", "oil the hinges", "sing to the calves", "greet the postman",
    "rest for an hour", "wake the others", "count the buckets", "feed the fire",
)


def how_many(count: int, one: str, many: str) -> str:
    """A number with its noun: "1 plum", "4 plums"."""
    return f"{count} {one if count == 1 else many}"


def sums(rng: Random, cast: Cast) -> str:
    """Sums in figures, or one told as a small story; the result is always right."""
    if rng.random() < 0.55:
        lines = [_figures(*cast.addends()) for _ in range(number(rng, 3, 5))]
        return "\n".join(lines)
    one, other = cast.addends()
    hero, treat = cast.character(), cast.treat()
    had = how_many(one, *treat)
    total = how_many(one + other, *treat)
    n, she = hero.name, hero.she
    told = pick(rng, (
        f"{hero.full} had {had}. Then {she} found {other} more.",
        f"{hero.full} had {had}. A friend brought {other} more.",
        f"{hero.full} picked {had} in the morning and {other} more at noon.",
    ))
    end = pick(rng, (
        f"Question: How many {treat.many} does {n} have?\n"
        f"Answer: {n} has {total}.",
        f"Now {she} has {total}, because {one} + {other} = {one + other}.",
        f"That makes {total}. {n} counted them twice and ate one to be sure.",
    ))
    return told + ("\n" if end.startswith("Q") else " ") + end


def _figures(one: int, other: int) -> str:
    return f"{one} + {other} = {one + other}."


def lists(rng: Random, cast: Cast) -> str:
    """A shopping list, the chores of a day, numbers in order, or a count of guests."""
    maker = pick(rng, (_shopping, _chores, _order, _guests))
    return maker(rng, cast)


def _numbered(items: list[str]) -> str:
    return "\n".join(f"{place}. {capital(item)}."
                     for place, item in enumerate(items, 1))


def _shopping(rng: Random, cast: Cast) -> str:
    hero = cast.character()
    treats = [cast.treat() for _ in range(number(rng, 2, 4))]
    goods = [how_many(number(rng, 1, 9), *treat) for treat in treats]
    return f"A shopping list for {hero.full}:\n{_numbered(goods)}"


def _chores(rng: Random, cast: Cast) -> str:
    hero, place = cast.character(), cast.place()
    chores = several(rng, _CHORES, number(rng, 3, 4))
    last = f"sit {place.where} and be proud"
    return (f"What {hero.full} must do on {pick(rng, DAYS)}:\n"
            + _numbered([*chores, last]))


def _order(rng: Random, cast: Cast) -> str:
    """Numbers of treats sorted; the smallest comes first."""
    hero, treat = cast.character(), cast.treat()
    numbers = several(rng, range(1, 21), number(rng, 3, 5))
    mixed = ", ".join(map(str, numbers))
    in_order = ", ".join(map(str, sorted(numbers)))
    return (f"{hero.full} sorts baskets of {treat.many}.\n"
            f"Mixed: {mixed}.\nIn order: {in_order}.")


def _guests(rng: Random, cast: Cast) -> str:
    guests = [cast.animal() for _ in range(number(rng, 2, 5))]
    place = cast.place()
    names = enumeration([f"the {guest.name}" for guest in guests])
    was_were = pick(rng, ("Supper was {}.", "The meeting was {}.", "The party was {}."))
    came = pick(rng, ("came", "were there", "sat down"))
    return (f"{was_were.format(place.where)} {capital(names)} {came}. "
            f"That makes {len(guests)} animals.")
