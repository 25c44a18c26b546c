"""Facts, questions with answers, and lookups: what is true, and where it is written."""

from random import Random

from minillama.pasture.cast import Cast, Character
from minillama.pasture.grammar import a, capital, number, pick, several
from minillama.pasture.world import SOUNDS, TEMPERS, Animal

_SPECIES = (  # one sentence of each line at most
    ("{A} says {sound}.", "All {plural} say {sound}.", "Listen: {a} says {sound}."),
    ("{A} lives {home}.", "All {plural} live {home}.", "Look for {a} {home}."),
    ("{A} eats {food}.", "All {plural} eat {food}.", "The food of {a} is {food}."),
    ("A young {animal} is called {young}.", "{A} was once {young}."),
)
_FOND = ("{full} likes {treat}.", "{n} is fond of {treat}.",
         "{Her} favourite food is {treat}.")
_FOUND = ("You will find {her_obj} {where}.", "{n} often sits {where}.")
_HOPES = ("{She} wants to {wish}.", "One day {she} will {wish}.")


def fact(rng: Random, cast: Cast) -> str:
    """What holds for a whole species, then what holds for one of its kind."""
    hero = cast.character()
    slots = _species_slots(hero.animal) | {
        "n": hero.name, "full": hero.full, "She": capital(hero.she),
        "she": hero.she, "Her": capital(hero.her), "her_obj": hero.her_obj,
        "a_temper": a(pick(rng, TEMPERS)),
    }
    own = ["{n} is {a_temper} {animal}."]
    for ways in several(rng, (_FOND, _FOUND, _HOPES), 2):
        own.append(pick(rng, ways))
        # Only what is told is drawn: the entities of a document are all in its text.
        if ways is _FOND:
            slots["treat"] = cast.treat().many
        elif ways is _FOUND:
            slots["where"] = cast.place().where
        else:
            slots["wish"] = cast.goal().wish
    known = [pick(rng, ways) for ways in several(rng, _SPECIES, 3)]
    return " ".join(known + own).format_map(slots)


def _species_slots(animal: Animal) -> dict[str, str]:
    return {
        "animal": animal.name, "a": a(animal.name), "A": capital(a(animal.name)),
        "plural": animal.plural, "sound": animal.sound,
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
    """One to three questions, answered by common knowledge or by what was just said."""
    known = pick(rng, (_about_species, _about_treat, _about_place))(rng, cast)
    asked = several(rng, known, min(len(known), number(rng, 1, 3)))
    return "\n".join(f"Question: {ask}\nAnswer: {answer}" for ask, answer in asked)


def _about_species(rng: Random, cast: Cast) -> list[tuple[str, str]]:
    animal = cast.animal()
    who = a(animal.name)
    return [
        (f"What does {who} say?", f"{capital(who)} says {animal.sound}."),
        (f"What does {who} eat?", f"{capital(who)} eats {animal.food}."),
        (f"Where does {who} live?", f"{capital(who)} lives {animal.home}."),
        (f"Who says {animal.sound}?", f"{capital(who)} says {animal.sound}."),
        (f"What is a young {animal.name} called?",
         f"A young {animal.name} is called {animal.young}."),
    ]


def _about_treat(rng: Random, cast: Cast) -> list[tuple[str, str]]:
    hero, treat = cast.character(), cast.treat().many
    name, told = hero.name, likes(rng, hero, treat)
    return [
        (f"{told} What does {name} like?", f"{name} likes {treat}."),
        (f"{told} What does {name} say?", f"{name} says {hero.animal.sound}."),
        _yes_or_no(rng, hero, told),
    ]


def _about_place(rng: Random, cast: Cast) -> list[tuple[str, str]]:
    hero, where = cast.character(), cast.place().where
    name, told = hero.name, stays(rng, hero, where)
    return [
        (f"{told} Where is {name}?", f"{name} is {where}."),
        (f"{told} What is {name}?", f"{name} is {a(hero.animal.name)}."),
    ]


def _yes_or_no(rng: Random, hero: Character, told: str) -> tuple[str, str]:
    """Does the animal make this sound? No is corrected, which is more useful."""
    sound, name = hero.animal.sound, hero.name
    if rng.random() < 0.5:
        return f"{told} Does {name} say {sound}?", f"Yes, {name} says {sound}."
    wrong = pick(rng, [other for other in SOUNDS if other != sound])
    return f"{told} Does {name} say {wrong}?", f"No, {name} says {sound}."


def lookup(rng: Random, cast: Cast) -> str:
    """Two or three animals with their treats or places, then questions about them."""
    heroes = [cast.character() for _ in range(2 + (rng.random() < 0.5))]
    about_food = rng.random() < 0.5
    lines, asked = [], []
    for hero in heroes:
        name = hero.name
        if about_food:
            treat = cast.treat().many
            lines.append(likes(rng, hero, treat))
            asked.append((f"What does {name} like?", f"{name} likes {treat}."))
            asked.append((f"Who likes {treat}?", f"{hero.full} likes {treat}."))
        else:
            where = cast.place().where
            lines.append(stays(rng, hero, where))
            asked.append((f"Where is {name}?", f"{name} is {where}."))
            asked.append((f"Who is {where}?", f"{hero.full} is {where}."))
        asked.append((f"What is {name}?", f"{name} is {a(hero.animal.name)}."))
    chosen = several(rng, asked, 5)
    return "\n".join([" ".join(lines)] + [
        f"Question: {ask}\nAnswer: {answer}" for ask, answer in chosen])
