"""The Pasture: a seeded generator of a farm world in which every truth is known.

Text to pretrain on (`corpus`, `texts`), tasks to answer (`make_tasks`), requests to
refuse (`make_unsafe`) and not to refuse (`make_borderline`), rules to keep
(`SYSTEM_PROMPTS`), and simulated annotators to judge it all (`Annotator`). Everything
comes from a seed. `python -m minillama.pasture` prints one document of every kind.

The files, in the order in which the world is built: grammar, world, goals, split, cast;
stories, knowledge, counting, exercises, rhymes, voices, rude, generator for the corpus;
scoring, tasks and its makers; safety; system_prompts; annotators; reading.
"""

from minillama.pasture.annotators import DEGREES, Annotator, Preference
from minillama.pasture.generator import (
    KINDS, LESSONS, Document, corpus, describe, stream, texts)
from minillama.pasture.reading import read_text
from minillama.pasture.rude import is_rude
from minillama.pasture.safety import (
    Request, is_refusal, is_violation, make_borderline, make_unsafe)
from minillama.pasture.safety_words import CATEGORIES
from minillama.pasture.split import SPLITS, held_out_combinations, is_held_out
from minillama.pasture.system_prompts import SYSTEM_PROMPTS, SystemPrompt
from minillama.pasture.tasks import TASK_KINDS, Task, make_tasks

__all__ = [
    "CATEGORIES", "DEGREES", "KINDS", "LESSONS", "SPLITS", "SYSTEM_PROMPTS",
    "TASK_KINDS", "Annotator", "Document", "Preference", "Request", "SystemPrompt",
    "Task", "corpus", "describe", "held_out_combinations", "is_held_out", "is_refusal",
    "is_rude", "is_violation", "make_borderline", "make_tasks", "make_unsafe",
    "read_text", "stream", "texts",
]
