"""Which combinations of entities are kept out of training.

A text is about animals (owl) and things (plums, the mill, a raft). One pair of them in
ten is held out: a training text never mentions both of such a pair, and a held-out
text always does. Both words are well known from training, only never together, so the
loss on held-out text measures what was understood and not what was remembered. Sums
are held out the same way: one pair of addends in ten is never added in training.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from minillama.errors import UserError
from minillama.pasture.goals import GOALS
from minillama.pasture.world import ANIMALS, PLACES, TREATS

SPLITS = ("train", "heldout")
HELD_OUT_SHARE = 0.1

THINGS = (
    tuple(treat.many for treat in TREATS)
    + tuple(place.name for place in PLACES)
    + tuple(goal.key for goal in GOALS)
)


def check_split(split: str) -> None:
    """Raise UserError unless the split has a name that exists."""
    if split not in SPLITS:
        raise UserError(f'There is no split "{split}"; choose "train" or "heldout".')


@lru_cache(maxsize=None)
def is_held_out(one: str, other: str) -> bool:
    """Whether this pair is kept for the held-out split.

    The built-in hash() of a string differs from process to process, so the pair is
    hashed with BLAKE2, which gives the same number everywhere.
    """
    digest = hashlib.blake2b(f"{one}|{other}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**64


HELD_OUT_PAIRS = frozenset(
    (animal.name, thing)
    for animal in ANIMALS for thing in THINGS if is_held_out(animal.name, thing)
)


def sum_key(one: int, other: int) -> tuple[str, str]:
    """The pair under which a sum is held out; 3 + 5 and 5 + 3 are one and the same."""
    return str(min(one, other)), str(max(one, other))


def held_out_combinations(entities: Iterable[str]) -> list[tuple[str, str]]:
    """The held-out pairs among the entities of a document, as (animal, thing).

    A sum is one entity, written "3 + 5".
    """
    names = list(entities)
    pairs = [(one, other) for one in names for other in names
             if (one, other) in HELD_OUT_PAIRS]
    sums = [tuple(name.split(" + ")) for name in names if " + " in name]
    return pairs + [pair for pair in sums if is_held_out(*pair)]
