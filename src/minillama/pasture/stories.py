"""Titled stories: a wish, an obstacle, a helper, an end.

The title names what the story is about and the story says it again. Text that repeats
itself in this way rewards a model for looking back and copying, and copying is what
following an instruction takes.
"""

from random import Random

from minillama.pasture.cast import Cast, Character
from minillama.pasture.goals import LONELY_ENDS, Goal
from minillama.pasture.grammar import a, capital, number, pick, several
from minillama.pasture.world import DAYS, TEMPERS, WEATHERS, Place, Treat

_OPENINGS = (
    "One {weather} morning, {full} sat {where}.",
    "{n} was {a_temper} {animal} who lived {where}.",
    "There was once {a_temper} {animal} named {n}. {She} lived {where}.",
    "On {day}, {full} was {where}, as usual.",
    "It was a {weather} day, and {full} was resting {where}.",
    "Long ago, {a_temper} {animal} named {n} lived {where}.",
)
_WISHES = (
    "{She} wanted to {wish}.",
    "{n} wanted to {wish} before {deadline}.",
    "More than anything, {n} wanted to {wish}.",
    "All week {she} had wanted to {wish}.",
    "{n} had one plan for the day: to {wish}.",
)
_OBSTACLES = (
    "But {obstacle}.",
    "There was only one trouble: {obstacle}.",
    "It did not go well, for {obstacle}.",
    "{n} tried twice, but {obstacle}.",
)
_MEETINGS = (
    "Then {helper} came along.",
    "{n} asked {helper} for help.",
    "Luckily, {helper} was passing by.",
    "{helper} heard the sighing and came over.",
    '"May I help?" said {helper}.',
    '"{Sound}," said {n}. That is how {helper} found out.',
)
_ENDS = (
    "In the end, {end}.",
    "At last {end}.",
    "Soon {end}.",
    "By evening, {end}.",
)
_THANKS = (
    "{n} thanked {h} with {some}.",
    "They shared {some} and said no more about it.",
    "{n} gave {h} {some}, which was fair.",
    "Afterwards there were {many} for both.",
    "{h} would take no thanks, only {some}.",
    "From that day on, {n} kept {some} for {h}.",
)
_MORALS = (
    "A small friend is better than a large plan.",
    "Two heads are better than one, even on a farm.",
    "It is never too late to ask.",
    "What is shared is seldom spilt.",
)
_ALONE = ("Nobody came to help.", "{n} asked around, but everyone was busy.",
          "{n} thought about it until noon.", "{n} sighed, and tried once more.")
_TITLES = (
    "{n} and the {key}",
    "The {animal} and the {key}",
    "The {animal} who wanted to {wish}",
    "How {full} wanted to {wish}",
    "{n}, {h} and the {key}",
)


def story(rng: Random, cast: Cast) -> str:
    """A story of four to eight sentences under its title."""
    hero, goal, place = cast.character(), cast.goal(), cast.place()
    slots = _slots(rng, hero, goal, place)
    if rng.random() < 0.15:
        return _lonely_story(rng, slots)
    helper = cast.character()
    slots.update(h=helper.name, helper=helper.full)
    end = pick(rng, (goal.end, goal.other_end))
    parts = [
        pick(rng, _OPENINGS), pick(rng, _WISHES),
        pick(rng, _OBSTACLES).replace("{obstacle}", goal.obstacle),
        pick(rng, _MEETINGS), goal.help + ".",
        pick(rng, _ENDS).replace("{end}", end),
    ]
    if rng.random() < 0.6:
        parts.append(pick(rng, _THANKS))
        slots.update(_thanks_slots(rng, cast.treat()))
    elif rng.random() < 0.3:
        parts.append(pick(rng, _MORALS))
    title = pick(rng, _TITLES).format_map(slots)
    return f"Title: {title}\n" + " ".join(parts).format_map(slots)


def _lonely_story(rng: Random, slots: dict[str, str]) -> str:
    """A story without a helper, and therefore without much success."""
    parts = (pick(rng, _OPENINGS), pick(rng, _WISHES),
             pick(rng, _OBSTACLES), pick(rng, _ALONE),
             pick(rng, _ENDS).replace("{end}", pick(rng, LONELY_ENDS)))
    title = pick(rng, _TITLES[:4])
    return f"Title: {title}\n{' '.join(parts)}".format_map(
        slots | {"obstacle": slots["obstacle"].format_map(slots)})


def _slots(rng: Random, hero: Character, goal: Goal, place: Place) -> dict[str, str]:
    temper = pick(rng, TEMPERS)
    day, deadline = several(rng, DAYS, 2)
    return {
        "n": hero.name, "full": hero.full, "animal": hero.animal.name,
        "she": hero.she, "She": capital(hero.she), "her": hero.her,
        "her_obj": hero.her_obj, "Sound": capital(hero.animal.sound),
        "a_temper": a(temper), "weather": pick(rng, WEATHERS), "day": day,
        "deadline": deadline, "where": place.where, "key": goal.key,
        "wish": goal.wish, "obstacle": goal.obstacle,
    }


def _thanks_slots(rng: Random, treat: Treat) -> dict[str, str]:
    count = number(rng, 1, 9)
    some = a(treat.one) if count == 1 else f"{count} {treat.many}"
    return {"some": some, "many": treat.many}
