"""What an animal may want, and why it goes wrong at first.

A goal carries its own causal arc, so that any story about it hangs together: what is
wished for, what stands in the way, what a helper does, and how it ends. In the arcs
{n} {she} {her} stand for the one who wishes and {h} for the one who helps.
"""

from typing import NamedTuple


class Goal(NamedTuple):
    """A wish with its obstacle, its help and its two possible happy ends."""

    key: str  # the one word that tells this goal from all others
    wish: str  # after "wanted to"
    obstacle: str
    help: str
    end: str
    other_end: str


GOALS = tuple(Goal(*row) for row in (
    ("raft", "build a raft", "the planks kept floating away",
     "{h} tied the planks with a long rope",
     "the raft floated, and only one corner leaked",
     "{n} sailed the raft all the way across the puddle"),
    ("button", "find a lost button", "the straw was deep and the light was poor",
     "{h} held up a lamp and looked twice",
     "the button lay in {her} own pocket",
     "{n} found the button, and it was shiny"),
    ("race", "win the race", "{her} legs were short and the track was long",
     "{h} showed {her_obj} the dry side of the track",
     "{n} won the race by a nose",
     "{n} came last in the race but got the loudest cheer"),
    ("choir", "sing in the choir", "{her} voice cracked on every high note",
     "{h} hummed along until the note came out right",
     "the choir gave {her_obj} a solo, a short one",
     "the choir clapped, and one of them even meant it"),
    ("pie", "bake a pie", "the oven was cold and the wood was wet",
     "{h} brought a bundle of dry sticks",
     "the pie came out golden, and nobody asked what was in it",
     "they ate the pie while it was still too hot"),
    ("kite", "fly a kite", "the wind had gone to sleep",
     "{h} ran along with the string until the air woke up",
     "the kite flew so high that it looked like a bird",
     "the kite flew, then sat down on the roof to rest"),
    ("poem", "write a poem", "no word seemed to fit the end of the line",
     "{h} read out every word that came to mind",
     "the poem was finished, and it was short",
     "{n} read the poem aloud, and even the clock stopped to listen"),
    ("door", "paint the door", "the paint pot was stuck and the brush was bald",
     "{h} warmed the pot and lent {her_obj} a tail for a brush",
     "the door was green, and so was everyone else",
     "the door shone so bright that the postman saluted it"),
    ("stars", "count the stars", "{she} always fell asleep at ten",
     "{h} counted the left half of the sky",
     "they agreed that there were quite enough stars",
     "{n} counted the stars twice and got two answers"),
    ("bell", "ring the bell", "the rope hung far too high",
     "{h} stood still and let {her_obj} stand on top",
     "the bell rang, and dinner came an hour early",
     "the bell rang so loudly that the weathercock turned round"),
    ("jig", "dance a jig", "{her} feet did not agree with each other",
     "{h} clapped the time, slow at first",
     "{n} danced the jig with only one fall",
     "they all danced the jig until the lamp went out"),
    ("moon", "touch the moon", "the moon would not come down",
     "{h} pointed to the round moon in the water bucket",
     "{n} touched the moon, and it was wet",
     "{n} said that the moon was colder than it looked"),
    ("tree", "plant a tree", "the ground was as hard as a plate",
     "{h} dug a hole and said no more about it",
     "the tree took root, and in spring it had two leaves",
     "{n} sat down beside the tree to wait for shade"),
    ("nap", "take a long nap", "the whole yard was singing",
     "{h} asked the singers to whisper",
     "{n} took such a long nap that {she} missed supper",
     "the nap was so good that {she} took another"),
    ("book", "read a book", "the letters were small and looked alike",
     "{h} read the first page aloud and then the next",
     "{n} read the last page of the book alone",
     "they finished the book and began it again"),
    ("ladder", "climb the ladder", "every step creaked and {her} knees shook",
     "{h} held the ladder and looked the other way",
     "{n} stood on top of the ladder and saw three farms",
     "{n} climbed the ladder, and later even came down"),
    ("secret", "keep a secret", "it tickled and wished to get out",
     "{h} said that a secret likes company and took half of it",
     "the secret was safe, for neither of them could recall it",
     "they kept the secret until the whole farm knew it"),
    ("scarf", "knit a scarf", "the wool had rolled down the lane",
     "{h} followed the thread and wound it up again",
     "the scarf was warm and a little longer than the lane",
     "{n} wore the scarf in July to be sure of it"),
    ("treasure", "dig for treasure", "the map had been folded once too often",
     "{h} turned the map the right way up",
     "the treasure was a spoon, and they shared it",
     "{n} found the treasure where {she} had buried it last year"),
    ("lake", "swim in the lake", "the water was cold and very wide",
     "{h} went in first and said it was lovely, which was not true",
     "{n} swam in the lake and came out blue but proud",
     "{n} swam across the lake and walked home round it"),
    ("drum", "play the drum", "{she} had only two sticks and no idea",
     "{h} beat time on an old pot",
     "the drum was heard in the next village, which complained",
     "{n} played the drum until it asked for mercy"),
    ("wheel", "mend the wheel", "one spoke was gone and nobody knew where",
     "{h} cut a new spoke from a broom",
     "the wheel turned, and so did the rest of the day",
     "the wheel went round again, though it still limped"),
    ("snowman", "make a snowman", "there was not enough snow",
     "{h} swept a heap together from three roofs",
     "the snowman was small and looked surprised",
     "the snowman stayed until Tuesday and was polite"),
    ("crown", "wear a crown", "there was no gold on the farm",
     "{h} bent a crown out of yellow straw",
     "{n} wore the crown and ruled until tea",
     "the crown fitted, and the king of nothing bowed"),
))

LONELY_ENDS = (
    "{n} gave up at sunset, but slept well",
    "{n} put it off until tomorrow, which is a fine day for it",
    "nothing came of it, and nobody minded much",
)
