"""A page of exercises: sums, order, counts and rhymes, each asked and answered."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.grammar import capital, enumeration, number, pick, several
from minillama.pasture.rhymes import RHYMES


def exercise(rng: Random, cast: Cast) -> str:
    """Three or four questions whose answers must be worked out."""
    asked = [pick(rng, (_sum, _sum, _order, _count, _rhyme))(rng, cast)
             for _ in range(number(rng, 3, 4))]
    return "\n".join(f"Question: {ask}\nAnswer: {answer}" for ask, answer in asked)


def _sum(rng: Random, cast: Cast) -> tuple[str, str]:
    one, other = cast.addends()
    return f"What is {one} + {other}?", f"{one} + {other} = {one + other}."


def _order(rng: Random, cast: Cast) -> tuple[str, str]:
    mixed = several(rng, range(1, 21), number(rng, 3, 4))
    question = f"Mixed: {', '.join(map(str, mixed))}. What is the order?"
    return question, f"In order: {', '.join(map(str, sorted(mixed)))}."


def _count(rng: Random, cast: Cast) -> tuple[str, str]:
    named = [cast.animal() for _ in range(number(rng, 2, 5))]
    names = enumeration([f"the {animal.name}" for animal in named])
    return (f"{capital(names)} are here. How many animals is that?",
            f"That makes {len(named)} animals.")


def _rhyme(rng: Random, cast: Cast) -> tuple[str, str]:
    name = cast.animal().name
    return (f"What rhymes with {name}?",
            f"{capital(pick(rng, RHYMES[name]))} rhymes with {name}.")
