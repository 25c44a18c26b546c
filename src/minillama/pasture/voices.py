"""Animals speaking for themselves: dialogues, notices and letters."""

from random import Random

from minillama.pasture.cast import Cast, Character
from minillama.pasture.counting import how_many
from minillama.pasture.grammar import capital, number, pick
from minillama.pasture.world import DAYS, FARMERS, TEMPERS, WEATHERS

_GREETINGS = ("Good morning, {}.", "Hello, {}.", "Good evening, {}.",
              "There you are, {}.")
_FAREWELLS = ("Until tomorrow, then.", "Mind the puddle.", "Good luck to us both.",
              "I will put the kettle on.", "I shall tell no one.")
_MISCHIEF = (
    "Let us take some hay from {farmer}.", "Let us hide the hat of {farmer}.",
    "Shall we frighten the little ones?", "Shall we laugh at the new calf?",
    "Let us untie the boots of {farmer}.", "Let us call the others names.",
)
_REFUSALS = (
    "No, I will not help with that. It would be unkind.",
    "No, I will not do that. It is not ours to take.",
    "I will not help with that. Somebody would be hurt.",
    "No, I would rather not. Let us ask politely.",
)
_AFTER = ("You are right. I am sorry.", "Oh. Then let us do something kind.",
          "I had not thought of that.", "True. Let us help somebody instead.")
_HABITS = ("my dear", "so says the farm", "by my whiskers", "old friend", "hey ho")


def dialogue(rng: Random, cast: Cast) -> str:
    """Two animals talk: about a plan, a meal, a bad idea, or with an odd habit."""
    maker = pick(rng, (_plan, _plan, _meal, _bad_idea, _habit))
    first, second = cast.character(), cast.character()
    return "\n".join(maker(rng, cast, first, second))


def _plan(rng: Random, cast: Cast, first: Character, second: Character) -> list[str]:
    goal, place = cast.goal(), cast.place()
    return [
        f"{first.full} met {second.full} {place.where}.",
        f"{first.name}: {pick(rng, _GREETINGS).format(second.name)} "
        "What will you do today?",
        f"{second.name}: I want to {goal.wish}.",
        f"{first.name}: {pick(rng, ('That is not easy.', 'May I help?', 'Again?'))}",
        f"{second.name}: {pick(rng, ('Come and see.', 'I know.', 'You may watch.'))} "
        f"{pick(rng, _FAREWELLS)}",
    ]


def _meal(rng: Random, cast: Cast, first: Character, second: Character) -> list[str]:
    one, other = cast.treat().many, cast.treat().many
    return [
        f"{first.name} the {first.animal.name}: {capital(first.animal.sound)}. "
        f"I am hungry, {second.name}.",
        f"{second.name} the {second.animal.name}: "
        f"{capital(second.animal.sound)}. I have {one}.",
        f"{first.name}: I like {other} better than {one}.",
        f"{second.name}: {pick(rng, _FOOD_REPLIES).format(one=one, other=other)}",
    ]


_FOOD_REPLIES = (
    "Then there are more {one} for me.", "We will find some {other} tomorrow.",
    "Nobody has {other} on a Monday.",
    "Shut your eyes and think of {other}.",
)


def _bad_idea(rng: Random, cast: Cast, first: Character,
              second: Character) -> list[str]:
    place = cast.place()
    idea = pick(rng, _MISCHIEF).format(farmer=pick(rng, FARMERS))
    return [
        f"{first.full} and {second.full} were {place.where}.",
        f"{first.name}: {idea}",
        f"{second.name}: {pick(rng, _REFUSALS)}",
        f"{first.name}: {pick(rng, _AFTER)}",
    ]


def _habit(rng: Random, cast: Cast, first: Character, second: Character) -> list[str]:
    """One speaker ends every line with the same words."""
    treat, place = cast.treat().many, cast.place().where
    habit = pick(rng, _HABITS)
    weather = pick(rng, WEATHERS)
    return [
        f"{first.full} met {second.full}, who ends every line with {habit}.",
        f"{first.name}: How is the weather?",
        f"{second.name}: It is {weather}, {habit}.",
        f"{first.name}: Where are the {treat}?",
        f"{second.name}: They are {place}, {habit}.",
    ]


_LOST = ("a red mitten", "one blue sock", "a silver spoon", "my good hat",
         "a pair of glasses", "the left boot", "a green ribbon", "a tin whistle")


def notice(rng: Random, cast: Cast) -> str:
    """A notice nailed to the barn, with all that one needs to know."""
    hero, place = cast.character(), cast.place()
    day = pick(rng, DAYS)
    if rng.random() < 0.4:
        reward = how_many(number(rng, 2, 9), *cast.treat())
        return (f"Notice: Lost {place.where}, {pick(rng, _LOST)}. "
                f"The finder gets {reward}. Ask for {hero.full}.")
    if rng.random() < 0.5:
        goal = cast.goal()
        return (f"Notice: {hero.full} will {goal.wish} on {day}, {place.where}. "
                f"{pick(rng, _NOTICE_ENDS)}")
    treat = cast.treat().many
    rule = pick(rng, _RULES)
    return (f"Notice: There are {treat} {place.where} on {day}. {rule} "
            f"By order of {hero.full}.")


_NOTICE_ENDS = ("All are welcome.", "Bring a chair.", "Please do not laugh.",
                "Rain or shine.", "Helpers get tea.", "Come early, leave early.")
_RULES = ("One each.", "Please wait in line.", "Wipe your feet first.",
          "No pushing.", "Small ones go first.", "Do not wake the baby.")


def letter(rng: Random, cast: Cast) -> str:
    """A short letter: where the writer is, what is wanted, and a name at the end."""
    writer, reader = cast.character(), cast.name()
    place, treat = cast.place(), cast.treat()
    count = number(rng, 2, 9)
    news = pick(rng, _NEWS).format(where=place.where, weather=pick(rng, WEATHERS),
                                   temper=pick(rng, TEMPERS), sound=writer.animal.sound)
    if rng.random() < 0.5:
        news += f" I hope to {cast.goal().wish} on {pick(rng, DAYS)}."
    wish = pick(rng, _REQUESTS).format(some=f"{count} {treat.many}", many=treat.many)
    close = pick(rng, ("Your friend", "Yours", "With love", "Kind regards"))
    return f"Dear {reader},\n{news} {wish}\n{close},\n{writer.full}"


_NEWS = (
    "I am {where} and I am well.", "It is {weather} here {where}.",
    "I now live {where}. My neighbours are {temper}.",
    "I have moved. You will find me {where}.",
    "I write to you from my new home {where}. "
    "Something goes {sound} all day. It is me.",
)
_REQUESTS = (
    "Please bring me {some}.", "Could you send me {some}?",
    "Thank you for the {many}. I ate {some} at once.",
    "I have {some} for you.", "Do you still like {many}? I saved {some} for you.",
)
