"""Rhymes: every animal with words that sound like its name."""

from random import Random

from minillama.pasture.cast import Cast
from minillama.pasture.grammar import a, capital, number, pick

# Every family ends alike to the ear. The words are no animals, treats or places, so
# that a rhyme never brings a second entity into a text by accident.
RHYMES = {
    "owl": ("towel", "growl", "howl"),
    "cow": ("now", "bow", "how"),
    "hen": ("pen", "ten", "again"),
    "pig": ("wig", "twig", "big"),
    "horse": ("course", "force", "sauce"),
    "donkey": ("wonky", "on key"),
    "sheep": ("sleep", "deep", "heap"),
    "goat": ("boat", "coat", "note"),
    "duck": ("luck", "truck", "stuck"),
    "goose": ("loose", "juice", "excuse"),
    "dog": ("fog", "log", "jog"),
    "cat": ("hat", "mat", "flat"),
    "mouse": ("house", "blouse"),
    "rabbit": ("habit", "grab it"),
    "frog": ("fog", "log", "jog"),
    "bee": ("tea", "sea", "key"),
    "crow": ("snow", "slow", "toe"),
    "turkey": ("murky", "perky"),
    "fox": ("box", "socks", "rocks"),
    "robin": ("bobbin", "sobbing"),
    "hedgehog": ("fog", "log", "jog"),
    "dove": ("love", "glove", "above"),
    "llama": ("drama", "pyjama"),
    "cricket": ("ticket", "thicket"),
}

# One closing line for each word above; {she} {her} are those of the animal.
_LINES = {
    "towel": "who dried {her} feet upon a towel",
    "growl": "who never once was heard to growl",
    "howl": "who gave at night a tiny howl",
    "now": "who wanted all {her} dinner now",
    "bow": "who made to all a little bow",
    "how": "who could not dance, but showed us how",
    "pen": "who wrote long letters with a pen",
    "ten": "who woke at six and slept at ten",
    "again": "who lost {her} hat and lost it again",
    "wig": "who went to market in a wig",
    "twig": "who sat and chewed upon a twig",
    "big": "who was not small and was not big",
    "course": "who ate three meals, course by course",
    "force": "who pushed the gatepost down by force",
    "sauce": "who ate the spoon, but left the sauce",
    "wonky": "whose hat was always rather wonky",
    "on key": "who sang all night but seldom on key",
    "sleep": "who told long stories in {her} sleep",
    "deep": "who looked for puddles wide and deep",
    "heap": "who lay all morning in a heap",
    "boat": "who crossed the puddle in a boat",
    "coat": "who lost a penny in {her} coat",
    "note": "who left us all a little note",
    "luck": "who found a horseshoe and had luck",
    "truck": "who saw the world from off a truck",
    "stuck": "who tried the window and got stuck",
    "loose": "whose left front tooth was rather loose",
    "juice": "who asked for rain and got some juice",
    "excuse": "who always had a fine excuse",
    "fog": "who lost {her} slippers in the fog",
    "log": "who fell asleep upon a log",
    "jog": "who went each morning for a jog",
    "hat": "who kept a sandwich in {her} hat",
    "mat": "who wiped all feet upon the mat",
    "flat": "who liked {her} pillow rather flat",
    "house": "who built of cheese a little house",
    "blouse": "who wore on Sundays a silk blouse",
    "habit": "who had one very curious habit",
    "grab it": "who saw a chance and ran to grab it",
    "tea": "who asked the neighbours round to tea",
    "sea": "who wished to live beside the sea",
    "key": "who locked the barn and lost the key",
    "snow": "who told us stories in the snow",
    "slow": "whose jokes were good but rather slow",
    "toe": "who stood all day upon one toe",
    "murky": "who liked the water dark and murky",
    "perky": "who rose at five and felt quite perky",
    "box": "who kept the morning in a box",
    "socks": "who went to bed in woollen socks",
    "rocks": "who gave a speech to seven rocks",
    "bobbin": "who wound the thread upon a bobbin",
    "sobbing": "who read sad tales and started sobbing",
    "love": "who wrote to everyone with love",
    "glove": "who wore in summer one wool glove",
    "above": "who shook {her} head at those above",
    "drama": "who made of breakfast quite a drama",
    "pyjama": "who walked to church in a pyjama",
    "ticket": "who went to town without a ticket",
    "thicket": "who kept a shop inside a thicket",
}

_SECOND = (
    ("{She} ate {count} {treats} every day", "and gave the other one away"),
    ("{She} kept {count} {treats} in {her} bed", "and wore another on {her} head"),
    ("{She} sold {her} {treats}, all but one", "and thought that it was rather fun"),
    ("{She} hid {count} {treats} out of sight", "and ate them in the dead of night"),
    ("{She} never had the time to play", "but cooked {count} {treats} every day"),
    ("{She} put {count} {treats} on a plate", "and waited, for the guests were late"),
    ("{She} dropped {her} {treats} down the stair",
     "and said that {she} did not much care"),
    ("{She} asked for {treats}, two or three",
     "and got {count} more, and all for free"),
)


def rhyme(rng: Random, cast: Cast) -> str:
    """Four lines in two couplets; the first rhymes with the animal."""
    hero, treat, place = cast.character(), cast.treat(), cast.place()
    where, name = capital(place.where), hero.animal.name
    first = pick(rng, (f"{where} there lived {a(name)}", f"{where} we met {a(name)}",
                       f"{where} you may see {a(name)}"))
    second = _LINES[pick(rng, RHYMES[name])]
    third, fourth = pick(rng, _SECOND)
    lines = f"{first},\n{second}.\n{third}\n{fourth}."
    return lines.format(she=hero.she, She=capital(hero.she), her=hero.her,
                        treats=treat.many, count=number(rng, 2, 9))
