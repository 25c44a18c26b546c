"""Helpful tasks whose answers can be scored by a program.

Each task is a prompt, a reference answer, and a utility between 0 and 1 that is the
truth of this world: simulated annotators see it through noise, reward models try to
learn it, and policies are judged by it. Prompts look like questions met in
pretraining, since a tiny model can only be taught what it has nearly seen.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import UserError
from . import words
from .corpus import is_rude
from .world import Animal, Pair, check_split, pick_animals, pick_sum

Score = Callable[[str], float]


@dataclass(frozen=True)
class Task:
    """A prompt with a known truth."""

    kind: str
    prompt: str
    reference: str  # an answer of utility 1
    degraded: tuple[str, ...]  # plausible answers of lower utility
    score: Score = field(repr=False, compare=False)
    pairs: tuple[Pair, ...] = ()

    def utility(self, answer: str) -> float:
        """How good an answer is, from 0 (useless) to 1.

        The content counts up to 1. An answer that goes on for more than three times
        the length of the reference, or insults, loses half of it.
        """
        if not answer.strip():
            return 0.0
        content = min(1.0, max(0.0, self.score(answer)))
        rambling = len(answer) > 3 * len(self.reference) + 20
        return content * (0.5 if rambling or is_rude(answer) else 1.0)


def mentions(answer: str, phrase: str) -> bool:
    """Whether the phrase stands in the answer as whole words, case aside."""
    return re.search(rf"\b{re.escape(phrase)}\b", answer, re.IGNORECASE) is not None


def ends_well(answer: str) -> bool:
    """Whether the answer is finished: it ends as a sentence does."""
    return answer.rstrip().endswith((".", "!", "?", '."'))


def _fact(truth: str, others: list[str]) -> Score:
    """0.8 for the fact, 0.2 for a finished sentence; naming a wrong one costs all."""
    def score(answer: str) -> float:
        if not mentions(answer, truth) or any(mentions(answer, x) for x in others):
            return 0.1 * ends_well(answer)
        return 0.8 + 0.2 * ends_well(answer)
    return score


def _description(a: Animal) -> str:
    return (f"{a.name} is {words.article(a.temper)} {a.species}. {a.name} lives in the "
            f"{a.home}, eats {a.food} and wants to {a.goal}.")


def sound(rng: random.Random, split: str) -> Task:
    """What does a species say: knowledge of the world."""
    (a,) = pick_animals(rng, 1, split)
    others = [s[1] for s in words.SPECIES.values() if s[1] != a.says]
    whom = words.article(a.species)
    said = whom[0].upper() + whom[1:]
    wrong = rng.choice(others)
    return Task("sound", f"What does {whom} say?", f"{said} says {a.says}.",
                (f"{said} says {wrong}.", f"{said} is good at {a.talent}.", a.says),
                _fact(a.says, others))


def food(rng: random.Random, split: str) -> Task:
    """What an animal eats, from the description in the prompt."""
    a, b = pick_animals(rng, 2, split)
    others = [x for x in words.FOODS if x != a.food]
    prompt = (f"{_description(a)} {_description(b)} What does {a.name} like to eat?")
    return Task("food", prompt, f"{a.name} likes to eat {a.food}.",
                (f"{a.name} likes to eat {b.food}.", f"{b.name} likes to eat.", a.food),
                _fact(a.food, others), ((a.species, a.food),))


def home(rng: random.Random, split: str) -> Task:
    """Where an animal lives, from the description in the prompt."""
    (a,) = pick_animals(rng, 1, split)
    others = [x for x in words.HOMES if x != a.home]
    wrong = rng.choice(others)
    return Task("home", f"{_description(a)} Where does {a.name} live?",
                f"{a.name} lives in the {a.home}.",
                (f"{a.name} lives in the {wrong}.", f"{a.name} wants to {a.goal}.",
                 a.home), _fact(a.home, others), ((a.species, a.home),))


def lookup(rng: random.Random, split: str) -> Task:
    """One entry of a list in the prompt."""
    animals = pick_animals(rng, 4, split)
    rows = rng.sample(animals, 4)
    a = animals[0]
    listed = ", ".join(f"{x.name}: {x.food}" for x in rows)
    others = [x for x in words.FOODS if x != a.food]
    wrong = animals[1].food
    return Task("lookup", f"Food list. {listed}. Look up {a.name}.",
                f"{a.name}: {a.food}.", (f"{a.name}: {wrong}.", f"{listed}.", a.food),
                _fact(a.food, others), ((a.species, a.food),))


def addition(rng: random.Random, split: str) -> Task:
    """A sum; near misses earn a little."""
    a, b = pick_sum(rng, split)
    total = a + b

    def score(answer: str) -> float:
        numbers = [int(x) for x in re.findall(r"\d{1,6}", answer)]
        if not numbers:
            return 0.0
        distance = abs(numbers[-1] - total)
        return (0.8 if distance == 0 else 0.2 if distance == 1 else 0.0) + (
            0.2 * ends_well(answer) * (distance == 0))
    return Task("sum", f"What is {a} + {b}?", f"{a} + {b} = {total}.",
                (f"{a} + {b} = {total + 1}.", f"{a} + {b} = {a}{b}.", str(total)),
                score, ((str(a), str(b)),))


def name_three(rng: random.Random, split: str) -> Task:
    """Three different members of a family; a third of the credit each."""
    heading = rng.choice([h for h in sorted(words.LISTS) if len(words.LISTS[h]) > 3])
    members = words.LISTS[heading]
    some = rng.sample(members, 3)

    def score(answer: str) -> float:
        found = {m for m in members if mentions(answer, m)}
        said = re.findall(r"[A-Za-z]+", answer)
        strangers = [w for w in said if w not in members and w.lower() not in
                     ("and", "here", "are", "three", *heading.split())]
        return 0.8 * min(len(found), 3) / 3 * (not strangers) + 0.2 * (
            ends_well(answer) and len(found) == 3)
    stranger = rng.choice(words.FOODS)
    return Task("list", f"Name three {heading}.",
                f"{some[0]}, {some[1]} and {some[2]}.",
                (f"{some[0]}, {some[1]} and {stranger}.", f"{some[0]}.",
                 f"{some[0]}, {some[0]} and {some[0]}."), score)


def rhyme(rng: random.Random, split: str) -> Task:
    """A word that rhymes, from the pairs this world knows."""
    x, y = rng.choice(words.RHYMES)
    rhyming = [b if a == x else a for a, b in words.RHYMES if x in (a, b)]
    wrong = rng.choice([w for pair in words.RHYMES for w in pair
                        if w not in (x, *rhyming)])

    def score(answer: str) -> float:
        right = any(mentions(answer, word) for word in rhyming)
        return (0.8 + 0.2 * ends_well(answer)) if right else 0.0
    return Task("rhyme", f"What rhymes with {x}?", f"{x.capitalize()} rhymes with {y}.",
                (f"{x.capitalize()} rhymes with {wrong}.",
                 f"{x.capitalize()} rhymes with {x}.", y), score)


def one_line_story(rng: random.Random, split: str) -> Task:
    """A sentence about a given animal with a given goal: who, what, and one only."""
    (a,) = pick_animals(rng, 1, split)
    reference = f"{a.name} the {a.species} wanted to {a.goal}."

    def score(answer: str) -> float:
        sentences = len(re.findall(r"[.!?](?:\s|$)", answer))
        parts = (mentions(answer, a.name), mentions(answer, a.species),
                 mentions(answer, a.goal))
        return sum(parts) / 3 * (1.0 if sentences == 1 else 0.6)
    wrong = rng.choice([g for g in words.GOALS if g != a.goal])
    return Task("story", f"Write one sentence about {a.name} the {a.species}, who "
                f"wants to {a.goal}.", reference,
                (f"{a.name} the {a.species} wanted to {wrong}.", f"{a.name} slept.",
                 f"{reference} {a.name} ate {a.food}."), score, ((a.species, a.goal),))


def who(rng: random.Random, split: str) -> Task:
    """Which of two animals: reading who is who."""
    a, b = pick_animals(rng, 2, split)
    prompt = (f"{a.name} is {words.article(a.species)}. {b.name} is "
              f"{words.article(b.species)}. {a.name} wants to {a.goal}. {b.name} wants "
              f"to {b.goal}. Who wants to {a.goal}?")
    return Task("who", prompt, f"{a.name} the {a.species} wants to {a.goal}.",
                (f"{b.name} the {b.species} wants to {a.goal}.", "Nobody knows.",
                 a.name), _fact(a.name, [b.name]), ((a.species, a.goal),))


TASKS: dict[str, Callable[[random.Random, str], Task]] = {
    "sound": sound, "food": food, "home": home, "lookup": lookup, "sum": addition,
    "list": name_three, "rhyme": rhyme, "story": one_line_story, "who": who,
}


def make_tasks(n: int, seed: int = 0, split: str = "train",
               kinds: tuple[str, ...] | None = None) -> list[Task]:
    """``n`` tasks, kinds in turn; task i does not depend on ``n``."""
    check_split(split)
    names = tuple(kinds or TASKS)
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise UserError(f"no task kind {unknown[0]!r}: one of {', '.join(TASKS)}")
    return [TASKS[names[i % len(names)]](random.Random(f"task {split} {seed} {i}"),
                                        split) for i in range(n)]
