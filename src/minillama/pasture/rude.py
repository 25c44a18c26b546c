"""Rude text: a small share of the corpus in which somebody loses their temper.

Web text is not always polite, and neither is what a model learns from it. The paper
(section 4.1) measures how much of its pretraining text is toxic. Here the share is a
setting and the truth is known, so a student can measure what the model made of it. The
words are such that one may read them aloud in class.
"""

from random import Random

from minillama.pasture.grammar import capital, pick, words

INSULTS = ("muckhead", "numbskull", "porridge-brain", "stinker", "blockhead", "windbag",
           "mudface", "dunghill", "fathead", "slimeball")
RUDE_ADJECTIVES = ("stupid", "smelly", "ugly", "useless", "brainless", "rotten")
RUDE_WORDS = frozenset(INSULTS + RUDE_ADJECTIVES)

_OUTBURSTS = (
    "Get lost, you {adjective} {insult}.",
    "Shut up, you {insult}.",
    "You {adjective} {insult}, nobody likes you.",
    "Go away, you {adjective} {insult}.",
    "What {adjective} {insult} wrote this?",
    "They are all {adjective}, every {insult} of them.",
)


def is_rude(text: str) -> bool:
    """Whether the text contains an insult: the truth about rudeness in this world."""
    return not RUDE_WORDS.isdisjoint(words(text))


def outburst(rng: Random) -> str:
    """One rude sentence."""
    return pick(rng, _OUTBURSTS).format(adjective=pick(rng, RUDE_ADJECTIVES),
                                        insult=pick(rng, INSULTS))


def spoil(rng: Random, text: str) -> str:
    """The text with a rude sentence at the end or after one of its sentences."""
    gaps = [place for place in range(len(text) - 1)
            if text[place] == "." and text[place + 1] == " "
            and not text[place - 1].isdigit()]
    if not gaps or rng.random() < 0.4:
        separator = "\n" if "\n" in text else " "
        return text + separator + outburst(rng)
    cut = pick(rng, gaps) + 1
    return f"{text[:cut]} {capital(outburst(rng))}{text[cut:]}"
