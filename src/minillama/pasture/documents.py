"""Ten kinds of document about the Pasture.

Each kind is one function of a random generator and a split that returns text and the
pairs of entities it states. Instruction following needs copying, and copying must be
met in pretraining: that is why titles announce what the story repeats, and why
look-ups and questions answer from the document itself.
"""

import random
from collections.abc import Callable

from . import words
from .world import Animal, Pair, pick_animals, pick_sum

Made = tuple[str, tuple[Pair, ...]]

STORY_OPENINGS = (
    "{name} was {a_temper} {species} who lived in the {home}.",
    "In the {home} there lived {a_temper} {species} called {name}.",
    "Once there was {a_species} called {name}, and everyone called {name} {temper}.",
)
STORY_WISHES = (
    "{name} wanted to {goal}.",
    "Every day {name} dreamed of one thing: to {goal}.",
    "One morning {name} decided to {goal}.",
)
STORY_TROUBLES = (
    "But {obstacle}.", "It was not easy, for {obstacle}.", "Then {obstacle}.",
)
STORY_HELPERS = (
    "Then {b_name} the {b_species} {help}.",
    "\"Let me see,\" said {b_name} the {b_species}, and {help}.",
    "{b_name}, {b_a_temper} {b_species}, {help}.",
)
STORY_RESULTS = (
    "So {name} could {goal} after all, and shared some {food} with {b_name}.",
    "In the end {name} did {goal}. Then they ate {food} together.",
    "\"I did it,\" said {name}, and gave {b_name} some {food}.",
)
QUESTIONS = (  # about an animal just described, with the answer
    ("What does {name} like to eat?", "{name} likes to eat {food}."),
    ("Where does {name} live?", "{name} lives in the {home}."),
    ("What does {name} want?", "{name} wants to {goal}."),
    ("What kind of animal is {name}?", "{name} is {a_species}."),
)


def _two(rng: random.Random, split: str) -> tuple[Animal, Animal, dict[str, str]]:
    a, b = pick_animals(rng, 2, split)
    fields = {**a.fields(), **b.fields("b_")}
    return a, b, fields


def story(rng: random.Random, split: str) -> Made:
    """A titled story: wish, trouble, help, result. The title names what recurs."""
    a, b, fields = _two(rng, split)
    fields |= {"obstacle": rng.choice(words.OBSTACLES), "help": rng.choice(words.HELPS)}
    lines = [rng.choice(part).format(**fields) for part in (
        STORY_OPENINGS, STORY_WISHES, STORY_TROUBLES, STORY_HELPERS, STORY_RESULTS)]
    lines.insert(rng.randint(1, 2), rng.choice(words.WEATHERS))
    lines.append(rng.choice(words.ENDINGS))
    title = f"Title: {a.name} the {a.species} and {b.name} the {b.species}"
    # the opening may leave out the home, the result always names the food
    pairs = tuple(p for p in a.pairs if p[1] in " ".join(lines))
    return f"{title}\n\n" + " ".join(lines), pairs


def facts(rng: random.Random, split: str) -> Made:
    """What is always so of a species, and what is so of one animal."""
    (a,) = pick_animals(rng, 1, split)
    colour = words.SPECIES[a.species][2]
    lines = [
        f"{words.article(a.species).capitalize()} {a.sound}.",
        f"Most {words.plural(a.species)} here are {colour}.",
        f"{words.plural(a.species).capitalize()} are good at {a.talent}.",
    ]
    rng.shuffle(lines)
    lines += [f"{a.name} is {words.article(a.temper)} {a.species}.",
              f"{a.name} eats {a.food} and lives in the {a.home}."]
    pairs = ((a.species, a.food), (a.species, a.home))
    return f"About {words.plural(a.species)}\n\n" + " ".join(lines), pairs


def question_answer(rng: random.Random, split: str) -> Made:
    """A short description, then questions answered from it, or from the species."""
    (a,) = pick_animals(rng, 1, split)
    fields = a.fields()
    lead = (f"{a.name} is {words.article(a.temper)} {a.species}. {a.name} lives in the "
            f"{a.home}, eats {a.food} and wants to {a.goal}.")
    general = (("What does {a_species} say?", "{a_species} says {says}."),
               ("What are {many} good at?", "{many} are good at {talent}."))
    asked = rng.sample(QUESTIONS, 2) + [rng.choice(general)]
    lines = [lead]
    for question, answer in asked:
        reply = answer.format(**fields)
        lines.append(f"Question: {question.format(**fields)}\n"
                     f"Answer: {reply[0].upper()}{reply[1:]}")
    return "\n".join(lines), a.pairs


def lookup(rng: random.Random, split: str) -> Made:
    """A table in words, then one entry asked for: pure copying from context."""
    animals = pick_animals(rng, 4, split)
    kind = rng.choice(("food", "home", "species"))
    rows = [f"{a.name}: {getattr(a, kind)}" for a in animals]
    # the first animal carries the held-out pair, so it must not always come first
    order = rng.sample(range(4), 4)
    target = animals[0] if split == "heldout" else animals[rng.randrange(4)]
    label = {"food": "Food", "home": "Home", "species": "Animal"}[kind]
    text = f"{label} list\n" + "\n".join(rows[i] for i in order)
    text += f"\nLook up {target.name}: {getattr(target, kind)}"
    return text, ()


def sums(rng: random.Random, split: str) -> Made:
    """Three sums with small numbers."""
    pairs = [pick_sum(rng, split) for _ in range(3)]
    lines = [f"{a} + {b} = {a + b}" for a, b in pairs]
    return "Sums\n" + "\n".join(lines), tuple((str(a), str(b)) for a, b in pairs)


def listing(rng: random.Random, split: str) -> Made:
    """Some members of a family of things, as a numbered or a plain list."""
    heading = rng.choice(sorted(words.LISTS))
    members = words.LISTS[heading]
    some = rng.sample(members, min(len(members), rng.randint(3, 5)))
    if rng.random() < 0.5:
        rows = "\n".join(f"{i}. {word}" for i, word in enumerate(some, 1))
        return f"A list of {len(some)} {heading}\n{rows}", ()
    return (f"Here are {len(some)} {heading}: {', '.join(some[:-1])} and {some[-1]}.",
            ())


def rhyme(rng: random.Random, split: str) -> Made:
    """Four lines that rhyme in pairs."""
    (a,) = pick_animals(rng, 1, split)
    (x, y), (u, v) = rng.sample(words.RHYMES, 2)
    lines = (
        (f"{a.name} the {a.species} saw the {x},", f"and thought about it near the {y}."),
        (f"\"{a.says.capitalize()},\" it said, \"here comes the {u},",
         f"and after it there comes the {v}.\""),
    )
    couplets = [f"{first}\n{second}" for first, second in lines]
    return f"Rhymes: {x} and {y}, {u} and {v}\n\n" + "\n".join(couplets), ()


def dialogue(rng: random.Random, split: str) -> Made:
    """Two animals talk; each answers what it was asked."""
    a, b, fields = _two(rng, split)
    weather = rng.choice(words.WEATHERS)
    lines = [
        f"{a.name}: Good morning, {b.name}.",
        f"{b.name}: Good morning, {a.name}. {weather}",
    ]
    turns = [
        (f"{b.name}: What do you want to do today?",
         f"{a.name}: I want to {a.goal}."),
        (f"{b.name}: Would you like some {a.food}?",
         f"{a.name}: Yes please, {a.food} is what I like best."),
        (f"{b.name}: Do you still live in the {a.home}?",
         f"{a.name}: Yes, the {a.home} suits {words.article(a.species)}."),
    ]
    for question, answer in rng.sample(turns, 2):
        lines += [question, answer]
    lines.append(f"{b.name}: {b.says.capitalize()}. Goodbye, {a.name}.")
    said = " ".join(lines)
    return "\n".join(lines), tuple(p for p in a.pairs if p[1] in said)


def notice(rng: random.Random, split: str) -> Made:
    """Something to know, with a day, a place and a name to ask."""
    (a,) = pick_animals(rng, 1, split)
    what, day = rng.choice(words.NOTICES), rng.choice(words.LISTS["days"])
    thing = f"{rng.choice(words.SHADES)} {rng.choice(words.THINGS)}"
    lines = (f"{what} on {day}.", f"Come to the {a.home} and ask for {a.name} the "
             f"{a.species}.", f"Please bring {words.article(thing)}.")
    return "NOTICE\n" + "\n".join(lines), ((a.species, a.home),)


def letter(rng: random.Random, split: str) -> Made:
    """A letter that tells news and asks for something."""
    a, b, _ = _two(rng, split)
    thing = f"{rng.choice(words.SHADES)} {rng.choice(words.THINGS)}"
    news = rng.choice((
        f"I {rng.choice(words.VERBS)} your {thing}, and I am sorry about it.",
        f"I have found {words.article(thing)} in the {a.home}. Is it yours?",
        f"Thank you for the {thing}. It looks well in the {a.home}.",
    ))
    lines = [f"Dear {b.name},", news,
             f"Please send me some {a.food}, since I hope to {a.goal}.",
             f"Your friend, {a.name} the {a.species}"]
    text = "\n".join(lines)
    return text, tuple(p for p in a.pairs if p[1] in text)


KINDS: dict[str, tuple[Callable[[random.Random, str], Made], int]] = {
    # the number is the share of each kind among all documents
    "story": (story, 26), "facts": (facts, 10), "question": (question_answer, 22),
    "lookup": (lookup, 12), "sum": (sums, 8), "list": (listing, 5),
    "rhyme": (rhyme, 4), "dialogue": (dialogue, 6), "notice": (notice, 3),
    "letter": (letter, 4),
}
