"""Who and what appears in one document, chosen so that the split is respected."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from minillama.pasture.goals import GOALS, Goal
from minillama.pasture.grammar import number, pick
from minillama.pasture.split import HELD_OUT_PAIRS, is_held_out, sum_key
from minillama.pasture.world import (
    ANIMALS, FEMALE_NAMES, MALE_NAMES, PLACES, TREATS, Animal, Place, Treat)

Thing = TypeVar("Thing", Treat, Place, Goal)
_TRIES = 400  # a pair is held out one time in ten, so this many tries always suffice


class Character(NamedTuple):
    """One animal with a name of its own."""

    name: str
    animal: Animal
    she: str
    her: str  # her plums
    her_obj: str  # helped her

    @property
    def full(self) -> str:
        """Name and species: "Olive the owl"."""
        return f"{self.name} the {self.animal.name}"


class Cast:
    """Draws the entities of one document and remembers them.

    In the split "train" an entity is drawn again while it forms a held-out pair with
    one already there. In "heldout" it is drawn again until there is at least one.
    """

    def __init__(self, rng: Random, split: str = "train") -> None:
        self.rng = rng
        self.train = split == "train"
        self.entities: list[str] = []
        self._animals: list[str] = []
        self._things: list[str] = []
        self._names: set[str] = set()
        self._has_held_out = False

    def animal(self) -> Animal:
        """A species that is not in the document yet."""
        return self._draw(ANIMALS, self._animals, lambda item: item.name,
                          lambda name: [(name, thing) for thing in self._things])

    def treat(self) -> Treat:
        """A treat that is not in the document yet."""
        return self._thing(TREATS, lambda item: item.many)

    def place(self) -> Place:
        """A place that is not in the document yet."""
        return self._thing(PLACES, lambda item: item.name)

    def goal(self) -> Goal:
        """A goal that is not in the document yet."""
        return self._thing(GOALS, lambda item: item.key)

    def character(self) -> Character:
        """A named animal; neither the name nor the species is in the document yet."""
        animal = self.animal()
        is_female = self.rng.random() < 0.5
        name = self.name(FEMALE_NAMES if is_female else MALE_NAMES)
        pronouns = ("she", "her", "her") if is_female else ("he", "his", "him")
        return Character(name, animal, *pronouns)

    def name(self, names: Sequence[str] = FEMALE_NAMES + MALE_NAMES) -> str:
        """A name that is not in the document yet, of nobody in particular."""
        name = pick(self.rng, names)
        while name in self._names:
            name = pick(self.rng, names)
        self._names.add(name)
        return name

    def addends(self, highest: int = 15) -> tuple[int, int]:
        """Two numbers from 1 to highest whose sum belongs to this split."""
        for _ in range(_TRIES):
            one, other = number(self.rng, 1, highest), number(self.rng, 1, highest)
            held_out = is_held_out(*sum_key(one, other))
            if held_out != self.train:
                break
        self._has_held_out |= held_out
        self.entities.append(" + ".join(sum_key(one, other)))
        return one, other

    def _thing(self, items: Sequence[Thing], name_of: Callable[[Thing], str]) -> Thing:
        return self._draw(items, self._things, name_of,
                          lambda name: [(animal, name) for animal in self._animals])

    def _draw(self, items, present, name_of, pairs_with):
        """Draw an item that is new here and keeps to the split."""
        for _ in range(_TRIES):
            item = pick(self.rng, items)
            name = name_of(item)
            if name in present:
                continue
            pairs = pairs_with(name)
            held_out = any(pair in HELD_OUT_PAIRS for pair in pairs)
            if self.train and held_out:
                continue
            if self.train or held_out or self._has_held_out or not pairs:
                break
        self._has_held_out |= held_out
        present.append(name)
        self.entities.append(name)
        return item
