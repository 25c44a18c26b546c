"""Tasks with many good answers: a rhyme, a title, a sentence of a story."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.goals import GOALS
from minillama.pasture.grammar import capital, pick, sentences
from minillama.pasture.rhymes import RHYMES
from minillama.pasture.scoring import Criterion, mentions, sentence_criterion
from minillama.pasture.task_parts import Parts, about, right_option

GOAL_WORDS = tuple(goal.key for goal in GOALS)


def rhyme(rng: Random, cast: Cast) -> Parts:
    """A word that rhymes with an animal; any of its family will do, but only of it."""
    hero, treat = cast.character(), cast.treat().many
    animal = hero.animal.name
    family = RHYMES[animal]
    strangers = sorted({word for words in RHYMES.values() for word in words}
                       - set(" ".join(family).split()) - set(family))

    def rhymes(answer: str) -> bool:
        return (any(mentions(answer, word) for word in family)
                and not any(mentions(answer, word) for word in strangers))

    good, wrong = pick(rng, family), pick(rng, strangers)
    criteria = (
        Criterion(0.7, f"offers a rhyme ({', '.join(family)}) and no other word",
                  rhymes),
        about(0.1, animal), sentence_criterion(0.2, longest=8))
    return Parts(
        f"{hero.full} writes a rhyme about {treat}. What rhymes with {animal}?",
        f"{capital(good)} rhymes with {animal}.",
        (f"{capital(wrong)} rhymes with {animal}.",
         f"{capital(animal)} rhymes with {animal}.", good, f"{hero.name} likes {treat}."
         ), criteria)


def title(rng: Random, cast: Cast) -> Parts:
    """A title: whom the story is about, and what about, in one line."""
    hero, goal, place = cast.character(), cast.goal(), cast.place()
    other = pick(rng, [key for key in GOAL_WORDS if key != goal.key])

    def names_hero(answer: str) -> bool:
        return mentions(answer, hero.name) or mentions(answer, hero.animal.name)

    def is_title(answer: str) -> bool:
        line = answer.strip()
        return (line.startswith("Title: ") and "\n" not in line
                and len(line.split()) <= 10 and line[-1].isalpha())

    criteria = (
        Criterion(0.4, f"names the hero ({hero.name} or {hero.animal.name})",
                  names_hero),
        right_option(0.4, "the wish", goal.key, GOAL_WORDS),
        Criterion(0.2, 'is one line that begins "Title: " and has no full stop',
                  is_title))
    return Parts(
        f"{hero.full} was {place.where} and wanted to {goal.wish}. "
        "What is the title of this story?",
        f"Title: {hero.name} and the {goal.key}",
        (f"Title: {hero.name} and the {other}", f"Title: {hero.name}",
         f"{hero.name} and the {goal.key}.", "Title: A story"), criteria)


def story(rng: Random, cast: Cast) -> Parts:
    """One sentence of a story about a given hero with a given wish, and a trouble."""
    hero, goal = cast.character(), cast.goal()
    slots = {"n": hero.name, "she": hero.she, "her": hero.her,
             "her_obj": hero.her_obj}
    trouble = goal.obstacle.format_map(slots)
    other = pick(rng, [each for each in GOALS if each != goal])

    def turns(answer: str) -> bool:
        """A story needs a "but", a "so" or a "because"."""
        return any(mentions(answer, word)
                   for word in ("but", "so", "because", "until"))

    criteria = (
        Criterion(0.3, f"is about {hero.full}", lambda answer:
                  (mentions(answer, hero.name)
                   + mentions(answer, hero.animal.name)) / 2),
        right_option(0.3, "the wish", goal.key, GOAL_WORDS),
        Criterion(0.2, "has a turn (but, so, because, until)", lambda answer:
                  turns(answer) and len(sentences(answer)) == 1),
        sentence_criterion(0.2, longest=26))
    full, wish = hero.full, goal.wish
    return Parts(
        f"Write one sentence about {full}, who wants to {wish}.",
        f"{full} wanted to {wish}, but {trouble}.",
        (f"{full} wanted to {wish}.",
         f"{full} wanted to {other.wish}, but {other.obstacle.format_map(slots)}.",
         f"{hero.name} wanted to {wish}. It was hard. Then it was not.",
         f"{capital(hero.she)} wanted to {wish}"), criteria)
