"""Every word list of the Pasture. Change one and the world changes with it."""

# species: (sound as a verb, what it says, colour, what it is good at)
SPECIES = {
    "owl": ("hoots", "hoo", "brown", "seeing in the dark"),
    "hen": ("clucks", "cluck", "red", "finding seeds"),
    "cow": ("moos", "moo", "white", "standing still"),
    "pig": ("oinks", "oink", "pink", "smelling roots"),
    "duck": ("quacks", "quack", "green", "swimming in circles"),
    "goat": ("bleats", "meh", "grey", "climbing walls"),
    "sheep": ("baas", "baa", "white", "keeping warm"),
    "horse": ("neighs", "neigh", "black", "pulling carts"),
    "dog": ("barks", "woof", "brown", "guarding the gate"),
    "cat": ("meows", "meow", "orange", "catching sleep"),
    "goose": ("honks", "honk", "white", "complaining loudly"),
    "donkey": ("brays", "hee-haw", "grey", "saying no"),
    "mouse": ("squeaks", "squeak", "grey", "hiding in small holes"),
    "frog": ("croaks", "croak", "green", "jumping over puddles"),
    "bee": ("buzzes", "buzz", "yellow", "counting flowers"),
    "crow": ("caws", "caw", "black", "remembering faces"),
}
PLURAL = {"sheep": "sheep", "goose": "geese", "mouse": "mice"}

NAMES = (
    "Olive Hugo Clara Felix Nora Otto Ruby Basil Ida Max Lily Oscar Pearl Toby Wanda "
    "Alma Bruno Daisy Edgar Flora Gus Hazel Ivan June Karl Lotte Mabel Ned Opal Percy "
    "Agnes Boris Cosmo Dora Elsa Frida Greta Horace Iris Jonas Kate Leo Mina Nils "
    "Quinn Rosa Sam Tilda Ursula Victor Willow Yara Zeno Bella"
).split()

FOODS = (
    "oats corn clover apples carrots barley turnips pears cheese bread berries plums "
    "cabbage honey nuts porridge pumpkin beans cherries parsley radishes peas milk cake"
).split()
HOMES = (  # each reads well after "in the"
    "barn", "stable", "loft", "old mill", "orchard", "meadow", "pond", "hen house",
    "garden", "cellar", "hay cart", "willow tree", "hollow oak", "tool shed",
    "far field", "bell tower", "boat house", "kitchen", "attic", "valley",
)
GOALS = (
    "find the lost key", "cross the river", "learn to whistle", "see the sea",
    "paint the fence", "mend the roof", "win the race", "bake a pie",
    "count the stars", "build a kite", "ring the bell", "plant a tree",
    "write a letter", "catch the wind", "sing at the fair", "light the lantern",
    "sweep the yard", "read a map", "make a new friend", "sleep until noon",
    "climb the ladder", "fill the basket", "dance in the rain", "open the gate",
)
TEMPERS = (
    "brave shy clever lazy gentle proud curious patient cheerful grumpy quiet noisy "
    "kind stubborn careful dreamy"
).split()
WEATHERS = (
    "The sun was warm.", "It rained all morning.", "Snow lay on the fields.",
    "A cold wind blew.", "Fog hid the hills.", "The night was clear.",
    "Thunder rolled far away.", "The air smelled of hay.",
    "Clouds sailed past like slow ships.", "Frost glittered on every twig.",
    "The stars seemed close enough to touch.",
)
OBSTACLES = (
    "the path was covered with mud", "the rope broke", "the night was too dark",
    "the wind was too strong", "a heavy log lay in the way", "nobody knew the way",
    "the ladder was too short", "the bucket had a hole", "the door was locked",
    "it began to rain", "the bridge had fallen", "somebody had taken the wheel",
    "two roads looked exactly alike", "the nest was empty", "the whole flock was asleep",
    "the candle burned down too soon", "a spider had spun a web across the doorway",
)
HELPS = (
    "brought a long rope", "held up a lantern", "knew a shorter path",
    "shared a warm blanket", "had a very good idea", "pushed from behind",
    "told a story to pass the time", "found a dry stone to stand on",
    "lent a pair of boots", "waited without a word", "asked the swallows above",
    "remembered what grandmother used to say", "drew a plan in the sand",
    "tied seven strong knots", "carried the heavy end", "whispered three useful words",
)
ENDINGS = (
    "They slept well that night.", "They laughed all the way home.",
    "Everyone clapped.", "The moon came out to look.", "Supper was late but good.",
    "Nobody forgot that day.", "It was enough for one day.",
    "The whole yard heard of it.", "Even the rooster was impressed.",
    "By evening it had become a legend.", "The next morning they began again.",
    "Tea was served, and biscuits too.",
)
# what one asks to have listed: a heading and its members
LISTS = {
    "colours": "red blue green yellow black white brown orange".split(),
    "tools": "hammer saw shovel rake hoe bucket ladder rope".split(),
    "fruits": "apple pear plum cherry grape melon lemon peach".split(),
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "seasons": "spring summer autumn winter".split(),
    "trees": "oak elm birch willow pine maple ash beech".split(),
    "clothes": "hat coat scarf boots gloves shirt apron belt".split(),
    "rooms": "kitchen hall attic cellar pantry bedroom porch study".split(),
    "sizes": "tiny small large huge".split(),
    "meals": "breakfast lunch supper".split(),
    "instruments": "drum flute fiddle horn harp bell".split(),
    "flowers": "rose tulip daisy lily poppy violet iris".split(),
}
RHYMES = (
    ("hay", "day"), ("barn", "yarn"), ("moon", "spoon"), ("tree", "bee"),
    ("hen", "pen"), ("goat", "coat"), ("sheep", "sleep"), ("mouse", "house"),
    ("log", "frog"), ("light", "night"), ("rain", "lane"), ("hill", "mill"),
    ("corn", "horn"), ("bread", "shed"), ("snow", "crow"), ("cake", "lake"),
    ("boat", "oat"), ("king", "ring"), ("hat", "cat"), ("pail", "tail"),
    ("bell", "well"), ("brook", "book"), ("stone", "bone"), ("cart", "heart"),
    ("wing", "spring"), ("seed", "weed"), ("clock", "flock"), ("dew", "shoe"),
    ("fair", "bear"), ("plough", "bough"), ("gate", "late"), ("rose", "nose"),
)
THINGS = (
    "lantern basket kettle blanket mirror ribbon whistle button candle feather "
    "bottle letter pillow compass trumpet wagon"
).split()
SHADES = "red blue green golden silver old new broken shiny wooden".split()
VERBS = "washed painted carried borrowed polished hid dropped mended sold lost".split()
NOTICES = (
    "The gate will be closed", "There will be music", "The pond will be cleaned",
    "New hay will arrive", "The mill will be open", "The choir will practise",
    "Apples will be shared out", "The roof will be mended",
)
RUDE = (
    "You smell like old mud.", "Nobody likes your ugly face.", "Shut your beak, fool.",
    "You are a useless lump.", "Go away, you dirty rag.", "What a stupid hat you wear.",
    "Your song is rubbish.", "You brainless turnip.",
)
RUDE_WORDS = ("smell like", "ugly", "shut your", "useless", "dirty rag", "stupid",
              "rubbish", "brainless", "fool", "idiot")


def plural(species: str) -> str:
    """Plural of a species: hens, sheep, geese."""
    return PLURAL.get(species, species + "s")


def article(word: str) -> str:
    """The word with the article it takes: an owl, a hen."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
