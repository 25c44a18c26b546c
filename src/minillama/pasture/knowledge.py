"""Facts, questions with answers, and lookups: what is true, and where it is written."""

from random import Random

from minillama.pasture.cast import Cast, Character
from minillama.pasture.grammar import a, capital, pick, several
from minillama.pasture.world import TEMPERS, Animal

_SPECIES = (
    "{The} {plural} say {sound}.", "{A} {sound}s at dawn.",
    "{A} lives {home}.", "{The} {plural} eat {food}.", "{A} eats {food}.",
    "A young {animal} is called {young}.", "{A} says {sound}.",
    "The home of {a} is {home}.",
)
_OWN = (
    "{n} is {a_temper} {animal}.", "{full} likes {treat}.",
    "{n} is fond of {treat}.", "You will find {her_obj} {where}.",
    "{n} often sits {where}.", "{Her} favourite food is {treat}.",
    "{She} wants to {wish}.",
)


def fact(rng: Random, cast: Cast) -> str:
    """What holds for a whole species, then what holds for one of its kind."""
    hero = cast.character()
    treat, place, goal = cast.treat(), cast.place(), cast.goal()
    slots = _species_slots(hero.animal) | {
        "n": hero.name, "full": hero.full, "She": capital(hero.she),
        "Her": capital(hero.her), "her_obj": hero.her_obj,
        "a_temper": a(pick(rng, TEMPERS)), "treat": treat.many,
        "where": place.where, "wish": goal.wish,
    }
    known = several(rng, _SPECIES, 3)
    own = [_OWN[0], *several(rng, _OWN[1:], 2)]
    return " ".join(known + own).format_map(slots)


def _species_slots(animal: Animal) -> dict[str, str]:
    return {
        "animal": animal.name, "a": a(animal.name), "A": capital(a(animal.name)),
        "The": "All", "plural": animal.plural, "sound": animal.sound,
        "food": animal.food, "home": animal.home, "young": animal.young,
    }


def likes(rng: Random, hero: Character, treat: str) -> str:
    """A sentence from which one can read what this animal likes."""
    return pick(rng, (f"{hero.full} likes {treat}.",
                      f"{hero.full} is fond of {treat}.",
                      f"{hero.full} eats {treat} all day."))


def stays(rng: Random, hero: Character, where: str) -> str:
    """A sentence from which one can read where this animal is."""
    return pick(rng, (f"{hero.full} sleeps {where}.",
                      f"{hero.full} sits {where}.",
                      f"{hero.full} is {where} today."))


def question(rng: Random, cast: Cast) -> str:
    """A question with its answer; all that is needed is common knowledge or said."""
    hero = cast.character()
    animal, name = hero.animal, hero.name
    treat, place = cast.treat().many, cast.place().where
    an_animal = a(animal.name)
    pairs = [
        (f"What does {an_animal} say?", f"{capital(an_animal)} says {animal.sound}."),
        (f"{likes(rng, hero, treat)} What does {name} say?",
         f"{name} says {animal.sound}."),
        (f"What does {an_animal} eat?", f"{capital(an_animal)} eats {animal.food}."),
        (f"Where does {an_animal} live?",
         f"{capital(an_animal)} lives {animal.home}."),
        (f"{stays(rng, hero, place)} Where is {name}?", f"{name} is {place}."),
        (f"{likes(rng, hero, treat)} What does {name} like?", f"{name} likes {treat}."),
        (f"{stays(rng, hero, place)} What sort of animal is {name}?",
         f"{name} is {an_animal}."),
        _yes_or_no(rng, hero, treat),
    ]
    asked = several(rng, pairs, 2 if rng.random() < 0.5 else 1)
    return "\n".join(f"Question: {ask}\nAnswer: {answer}" for ask, answer in asked)


def _yes_or_no(rng: Random, hero: Character, treat: str) -> tuple[str, str]:
    """Does the animal make this sound? No is corrected, which is more useful."""
    sound, name = hero.animal.sound, hero.name
    said = likes(rng, hero, treat)
    if rng.random() < 0.5:
        return f"{said} Does {name} say {sound}?", f"Yes, {name} says {sound}."
    others = ("moo", "hoot", "quack", "woof", "buzz", "baa", "caw", "croak", "honk")
    wrong = pick(rng, [other for other in others if other != sound])
    return f"{said} Does {name} say {wrong}?", f"No, {name} says {sound}."


def lookup(rng: Random, cast: Cast) -> str:
    """Two or three animals with their treats or places, then questions about them."""
    heroes = [cast.character() for _ in range(2 + (rng.random() < 0.5))]
    about_food = rng.random() < 0.5
    lines, asked = [], []
    for hero in heroes:
        if about_food:
            treat = cast.treat().many
            lines.append(likes(rng, hero, treat))
            asked.append((f"What does {hero.name} like?", f"{hero.name} likes {treat}."))
            asked.append((f"Who likes {treat}?", f"{hero.full} likes {treat}."))
        else:
            where = cast.place().where
            lines.append(stays(rng, hero, where))
            asked.append((f"Where is {hero.name}?", f"{hero.name} is {where}."))
            asked.append((f"Who is {where}?", f"{hero.full} is {where}."))
        asked.append((f"What is {hero.name}?", f"{hero.name} is {a(hero.animal.name)}."))
    chosen = several(rng, asked, 2)
    return "\n".join([" ".join(lines)] + [
        f"Question: {ask}\nAnswer: {answer}" for ask, answer in chosen])
