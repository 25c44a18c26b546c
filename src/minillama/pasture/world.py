"""What is true on the farm: animals with sounds, foods and homes, and things to love.

Two sorts of truth live here. What holds for a *species* (an owl says hoot, eats moths
and lives in the loft) is the same in every document, so a model can know it by heart.
What holds for an *individual* (Olive the owl likes plums and sits by the mill) changes
from document to document, so a model must read it off the page.
"""

from typing import NamedTuple


class Animal(NamedTuple):
    """A species and what is true of it everywhere."""

    name: str
    plural: str
    sound: str  # what it says; with an s it is the verb: an owl hoots
    food: str
    home: str  # with its preposition: "in the loft"
    young: str


class Place(NamedTuple):
    """A spot on the farm where an individual may be found."""

    name: str
    where: str  # with its preposition: "behind the mill"


class Treat(NamedTuple):
    """Something an individual may love to eat; countable, so that it can be summed."""

    one: str
    many: str


ANIMALS = tuple(Animal(*row) for row in (
    ("owl", "owls", "hoot", "moths", "in the loft", "an owlet"),
    ("cow", "cows", "moo", "grass", "in the byre", "a calf"),
    ("hen", "hens", "cluck", "grain", "in the coop", "a chick"),
    ("pig", "pigs", "oink", "scraps", "in the sty", "a piglet"),
    ("horse", "horses", "neigh", "oats", "in the stable", "a foal"),
    ("donkey", "donkeys", "bray", "thistles", "in the lean-to", "a foal"),
    ("sheep", "sheep", "baa", "clover", "in the fold", "a lamb"),
    ("goat", "goats", "bleat", "weeds", "on the rocks", "a kid"),
    ("duck", "ducks", "quack", "slugs", "on the pond", "a duckling"),
    ("goose", "geese", "honk", "grass", "on the green", "a gosling"),
    ("dog", "dogs", "woof", "bones", "in the kennel", "a pup"),
    ("cat", "cats", "meow", "fish", "in the kitchen", "a kitten"),
    ("mouse", "mice", "squeak", "crumbs", "in the pantry", "a pup"),
    ("rabbit", "rabbits", "thump", "dandelions", "in the burrow", "a kit"),
    ("frog", "frogs", "croak", "flies", "on the lily pads", "a tadpole"),
    ("bee", "bees", "buzz", "nectar", "in the hive", "a grub"),
    ("crow", "crows", "caw", "corn", "on the chimney", "a nestling"),
    ("turkey", "turkeys", "gobble", "barley", "in the yard", "a poult"),
    ("fox", "foxes", "yip", "beetles", "in the den", "a cub"),
    ("robin", "robins", "tweet", "worms", "in the ivy", "a nestling"),
    ("hedgehog", "hedgehogs", "snuffle", "snails", "in the leaf pile", "a hoglet"),
    ("dove", "doves", "coo", "seeds", "on the roof", "a squab"),
    ("llama", "llamas", "hum", "hay", "in the paddock", "a cria"),
    ("cricket", "crickets", "chirp", "petals", "in the long grass", "a nymph"),
))

SOUNDS = tuple(animal.sound for animal in ANIMALS)

TREATS = tuple(Treat(*row) for row in (
    ("apple", "apples"), ("pear", "pears"), ("plum", "plums"),
    ("cherry", "cherries"), ("carrot", "carrots"), ("turnip", "turnips"),
    ("bean", "beans"), ("nut", "nuts"), ("fig", "figs"), ("grape", "grapes"),
    ("parsnip", "parsnips"), ("pumpkin", "pumpkins"), ("radish", "radishes"),
    ("mushroom", "mushrooms"), ("acorn", "acorns"), ("biscuit", "biscuits"),
    ("pancake", "pancakes"), ("tart", "tarts"), ("bun", "buns"),
    ("dumpling", "dumplings"), ("onion", "onions"), ("pea", "peas"),
    ("peach", "peaches"), ("lemon", "lemons"), ("cake", "cakes"),
    ("muffin", "muffins"), ("chestnut", "chestnuts"), ("potato", "potatoes"),
))

PLACES = tuple(Place(name, where) for name, where in (
    ("orchard", "in the orchard"), ("pump", "by the pump"),
    ("oak", "under the old oak"), ("mill", "behind the mill"),
    ("hill", "on the hill"), ("brook", "by the brook"),
    ("meadow", "in the meadow"), ("shed", "behind the shed"),
    ("garden", "in the garden"), ("bridge", "under the bridge"),
    ("haystack", "on the haystack"), ("gate", "by the gate"),
    ("cellar", "in the cellar"), ("attic", "in the attic"),
    ("cart", "under the cart"), ("wall", "on the wall"),
    ("hedge", "behind the hedge"), ("tower", "in the tower"),
    ("willow", "under the willow"), ("greenhouse", "in the greenhouse"),
    ("chapel", "behind the chapel"), ("trough", "by the trough"),
))

FEMALE_NAMES = (
    "Olive", "Clover", "Hazel", "Daisy", "Poppy", "Ivy", "Rosie", "Tilly", "Mabel",
    "Pearl", "Dora", "Nettie", "Bess", "Wilma", "Greta", "Flora", "Agnes", "Martha",
    "Winnie", "Juno", "Posy", "Edith", "Fern", "Lotte",
)
MALE_NAMES = (
    "Bruno", "Moss", "Basil", "Otto", "Hugo", "Rufus", "Gus", "Ned", "Barnaby",
    "Felix", "Amos", "Bertie", "Toby", "Oscar", "Walter", "Percy", "Rolf", "Jasper",
    "Archie", "Silas", "Monty", "Alfred", "Finn", "Hector",
)

TEMPERS = (
    "gentle", "proud", "shy", "brave", "sleepy", "grumpy", "merry", "curious",
    "stubborn", "patient", "nosy", "polite", "clever", "lazy", "cheerful", "fussy",
)
FARMERS = ("Farmer Giles", "Farmer Nell", "Farmer Ada", "Farmer Tom")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEATHERS = ("rainy", "sunny", "windy", "foggy", "frosty", "quiet", "warm", "cold")
