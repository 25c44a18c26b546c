"""Tasks whose answer must be known or worked out: sounds, sums, counts, order."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.grammar import capital, enumeration, number, pick, several
from minillama.pasture.knowledge import likes
from minillama.pasture.scoring import Criterion, mentions, numbers, sentence_criterion
from minillama.pasture.task_parts import Parts, right_option, short_answer
from minillama.pasture.world import SOUNDS


def sound(rng: Random, cast: Cast) -> Parts:
    """What does an animal say, whose species is given and whose sound is not?"""
    hero, treat = cast.character(), cast.treat().many
    name, right = hero.name, hero.animal.sound
    wrong = pick(rng, [other for other in SOUNDS if other != right])
    return Parts(
        f"{likes(rng, hero, treat)} What does {name} say?", f"{name} says {right}.",
        (f"{name} says {wrong}.", f"{name} likes {treat}.",
         f"{name} says {right} and {wrong}.", right, wrong),
        short_answer("the sound", right, SOUNDS, name))


def truth(rng: Random, cast: Cast) -> Parts:
    """Is a claim about a sound true? A false one must be put right."""
    hero, place = cast.character(), cast.place()
    name, right = hero.name, hero.animal.sound
    wrong = pick(rng, [other for other in SOUNDS if other != right])
    is_true = rng.random() < 0.5
    claimed = right if is_true else wrong
    word, opposite = ("yes", "no") if is_true else ("no", "yes")
    criteria = (
        Criterion(0.4, f"says {word} and not {opposite}", lambda answer:
                  mentions(answer, word) and not mentions(answer, opposite)),
        right_option(0.4, "the right sound", right, SOUNDS), sentence_criterion(0.2))
    return Parts(
        f"{hero.full} is {place.where}. Does {name} say {claimed}?",
        f"{capital(word)}, {name} says {right}.",
        (f"{capital(opposite)}, {name} says {wrong}.",
         f"{capital(opposite)}, {name} says {right}.", f"{capital(word)}.", right,
         f"{name} is {place.where}."), criteria)


def addition(rng: Random, cast: Cast) -> Parts:
    """A sum. The last number of the answer is taken for its result."""
    one, other = cast.addends()
    result = one + other

    def closeness(answer: str) -> float:
        """Full credit for the sum, a quarter for one off: a slip is not a guess."""
        found = numbers(answer)[-1:]
        gap = abs(found[0] - result) if found else 99
        return 1.0 if gap == 0 else 0.25 if gap == 1 else 0.0

    slip = result + pick(rng, (-1, 1))
    criteria = (
        Criterion(0.8, f"ends in the result ({result}); a quarter for one off",
                  closeness),
        sentence_criterion(0.2, longest=8))
    return Parts(
        f"What is {one} + {other}?", f"{one} + {other} = {result}.",
        (f"{one} + {other} = {slip}.", f"{one} + {other} = {result + 7}.",
         f"{one} + {other}.", f"{result}"), criteria)


def count(rng: Random, cast: Cast) -> Parts:
    """How many animals were just named?"""
    guests = [cast.animal() for _ in range(number(rng, 2, 5))]
    place, right = cast.place(), len(guests)
    names = enumeration([f"the {guest.name}" for guest in guests])
    criteria = (
        Criterion(0.7, f"names the number ({right}) and no other",
                  lambda answer: numbers(answer) == [right]),
        Criterion(0.1, "says what is counted (animals)",
                  lambda answer: mentions(answer, "animals")),
        sentence_criterion(0.2))
    return Parts(
        f"{capital(names)} are {place.where}. How many animals is that?",
        f"That makes {right} animals.",
        (f"That makes {right + 1} animals.", f"That makes {max(1, right - 2)} animals.",
         f"{right} animals", f"They are {place.where}."), criteria)


def sort(rng: Random, cast: Cast) -> Parts:
    """Put three or four numbers in order."""
    hero, treat = cast.character(), cast.treat()
    mixed = several(rng, range(1, 21), number(rng, 3, 4))
    while mixed == sorted(mixed):
        mixed = several(rng, range(1, 21), len(mixed))
    right = sorted(mixed)

    def in_place(answer: str) -> float:
        """The share of numbers that stand where they belong; none if one is added."""
        found = numbers(answer)
        fits = sum(ours == theirs for ours, theirs in zip(found, right))
        return fits / len(right) if len(found) <= len(right) else 0.0

    def line(items: list[int]) -> str:
        return f"In order: {', '.join(map(str, items))}."

    criteria = (Criterion(0.8, "puts each number where it belongs", in_place),
                sentence_criterion(0.2))
    swapped = [right[1], right[0], *right[2:]]
    return Parts(
        f"{hero.full} sorts baskets of {treat.many}. "
        f"Mixed: {', '.join(map(str, mixed))}. What is the order?", line(right),
        (line(mixed), line(right[::-1]), line(swapped), line(right[:-1])), criteria)
