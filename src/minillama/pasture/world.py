"""Who lives in the Pasture, and which combinations the training text never shows.

An animal has a name, a species, a temper, a food, a home and a goal. The species
fixes its sound and its talent everywhere; the rest is drawn anew in each document and
must be read there. One in eight of the pairs (species, food), (species, home) and
(species, goal), and of the sums, is held out: it occurs in no training document, so a
model that gets it right has generalised and not remembered.
"""

import random
import zlib
from dataclasses import dataclass

from ..errors import UserError
from . import words

SPLITS = ("train", "heldout")
HELD_OUT_SHARE = 8  # one in so many combinations

Pair = tuple[str, str]


def is_held_out(first: str, second: str) -> bool:
    """Whether training text avoids this combination; the same on every machine."""
    return zlib.crc32(f"{first}|{second}".encode()) % HELD_OUT_SHARE == 0


@dataclass(frozen=True)
class Animal:
    """One inhabitant, as one document knows it."""

    name: str
    species: str
    temper: str
    food: str
    home: str
    goal: str

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The combinations by which the split decides."""
        return tuple((self.species, x) for x in (self.food, self.home, self.goal))

    @property
    def sound(self) -> str:
        """The verb for its voice, third person: hoots."""
        return words.SPECIES[self.species][0]

    @property
    def says(self) -> str:
        """What it says: hoo."""
        return words.SPECIES[self.species][1]

    @property
    def talent(self) -> str:
        """What its species is good at."""
        return words.SPECIES[self.species][3]

    def fields(self, prefix: str = "") -> dict[str, str]:
        """Everything a template may ask for, under names that start with prefix."""
        values = {
            "name": self.name, "species": self.species, "temper": self.temper,
            "food": self.food, "home": self.home, "goal": self.goal,
            "sound": self.sound, "says": self.says, "talent": self.talent,
            "a_species": words.article(self.species),
            "a_temper": words.article(self.temper),
            "many": words.plural(self.species),
        }
        return {prefix + key: value for key, value in values.items()}


def check_split(split: str) -> None:
    """Raise UserError for a split that does not exist."""
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}: use 'train' or 'heldout'")


def pick_animals(rng: random.Random, n: int, split: str) -> list[Animal]:
    """``n`` animals with different names, species, foods, homes and goals.

    In the training split all their pairs are allowed ones; in the held-out split the
    first animal's pairs are all held out.
    """
    species = rng.sample(sorted(words.SPECIES), n)
    names, tempers = rng.sample(words.NAMES, n), rng.sample(words.TEMPERS, n)
    taken: set[str] = set()
    animals = []
    for i in range(n):
        held_out = split == "heldout" and i == 0
        chosen = [_pick(rng, species[i], options, held_out, taken)
                  for options in (words.FOODS, words.HOMES, words.GOALS)]
        taken.update(chosen)
        animals.append(Animal(names[i], species[i], tempers[i], *chosen))
    return animals


def _pick(rng: random.Random, species: str, options: tuple[str, ...] | list[str],
          held_out: bool, taken: set[str]) -> str:
    fitting = [x for x in options if is_held_out(species, x) == held_out]
    free = [x for x in fitting if x not in taken]
    return rng.choice(free or fitting or list(options))


def pick_sum(rng: random.Random, split: str, largest: int = 20) -> tuple[int, int]:
    """Two numbers to add, from 1 to ``largest``, held out or not as the split says."""
    while True:
        a, b = rng.randint(1, largest), rng.randint(1, largest)
        if is_held_out(str(a), str(b)) == (split == "heldout"):
            return a, b
