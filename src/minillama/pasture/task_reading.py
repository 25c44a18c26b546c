"""Tasks whose answer stands in the prompt: read, find, copy."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.grammar import number, pick
from minillama.pasture.knowledge import likes, stays
from minillama.pasture.scoring import Criterion, numbers, sentence_criterion
from minillama.pasture.task_parts import Parts, about, right_option, short_answer
from minillama.pasture.world import ANIMALS, DAYS, PLACES, TREATS

TREAT_WORDS = tuple(treat.many for treat in TREATS)
PLACE_WORDS = tuple(place.name for place in PLACES)
ANIMAL_WORDS = tuple(animal.name for animal in ANIMALS)


def food(rng: Random, cast: Cast) -> Parts:
    """What does one of two or three animals like?"""
    heroes = [cast.character() for _ in range(number(rng, 2, 3))]
    treats = [cast.treat().many for _ in heroes]
    told = " ".join(likes(rng, *pair) for pair in zip(heroes, treats))
    asked = int(rng.random() * len(heroes))
    other = (asked + 1) % len(heroes)
    name, right, wrong = heroes[asked].name, treats[asked], treats[other]
    return Parts(
        f"{told} What does {name} like?", f"{name} likes {right}.",
        (f"{name} likes {wrong}.", f"{heroes[other].name} likes {wrong}.",
         f"{name} likes {right} and {wrong}.", right),
        short_answer("the treat", right, TREAT_WORDS, name))


def home(rng: Random, cast: Cast) -> Parts:
    """Where is one of two or three animals?"""
    heroes = [cast.character() for _ in range(number(rng, 2, 3))]
    places = [cast.place() for _ in heroes]
    told = " ".join(stays(rng, hero, place.where)
                    for hero, place in zip(heroes, places))
    asked = int(rng.random() * len(heroes))
    other = (asked + 1) % len(heroes)
    name, right, wrong = heroes[asked].name, places[asked], places[other]
    return Parts(
        f"{told} Where is {name}?", f"{name} is {right.where}.",
        (f"{name} is {wrong.where}.", f"{heroes[other].name} is {wrong.where}.",
         f"{name} is {right.where}. {heroes[other].name} is not.", right.where),
        short_answer("the place", right.name, PLACE_WORDS, name))


def who(rng: Random, cast: Cast) -> Parts:
    """Which animal likes this treat? The answer needs its name and its species."""
    heroes = [cast.character() for _ in range(number(rng, 2, 3))]
    treats = [cast.treat().many for _ in heroes]
    told = " ".join(likes(rng, *pair) for pair in zip(heroes, treats))
    asked = int(rng.random() * len(heroes))
    other = (asked + 1) % len(heroes)
    hero, stranger, treat = heroes[asked], heroes[other], treats[asked]
    names = [each.name for each in heroes]
    criteria = (
        right_option(0.5, "the one", hero.name, names),
        right_option(0.3, "the animal", hero.animal.name, ANIMAL_WORDS),
        sentence_criterion(0.2))
    return Parts(
        f"{told} Who likes {treat}?", f"{hero.full} likes {treat}.",
        (f"{stranger.full} likes {treat}.",
         f"{hero.name} the {stranger.animal.name} likes {treat}.",
         f"{hero.name} likes {treat}.", hero.name), criteria)


def letter(rng: Random, cast: Cast) -> Parts:
    """What does the writer of a letter ask for, and how many?"""
    hero, place, treat = cast.character(), cast.place(), cast.treat()
    wanted = number(rng, 2, 9)
    news = pick(rng, (f"I am {place.where}.", f"I will be {place.where} on "
                      f"{pick(rng, DAYS)}.", f"It is quiet here {place.where}."))
    wish = pick(rng, ("Please bring me", "Could you bring me", "I would like"))
    mark = "?" if wish.startswith("Could") else "."
    wrong = wanted + 1 if wanted < 9 else 2
    criteria = (
        right_option(0.4, "the treat", treat.many, TREAT_WORDS),
        Criterion(0.2, f"names the number ({wanted}) and no other",
                  lambda answer: numbers(answer) == [wanted]),
        about(0.2, hero.name), sentence_criterion(0.2))
    other = pick(rng, [word for word in TREAT_WORDS if word != treat.many])
    return Parts(
        f"{hero.full} writes: {news} {wish} {wanted} {treat.many}{mark} "
        f"What does {hero.name} want?",
        f"{hero.name} wants {wanted} {treat.many}.",
        (f"{hero.name} wants {wrong} {treat.many}.", f"{hero.name} wants {treat.many}.",
         f"{hero.name} wants {wanted} {other}.", f"{hero.name} is {place.where}."),
        criteria)
