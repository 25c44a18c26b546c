"""The Pasture: a small written world in which every claim has a measurable truth.

``python -m minillama.pasture`` prints a document of every kind. The whole world is in
``words.py``; who lives in it and what is held out in ``world.py``; the ten kinds of
document in ``documents.py``; tasks with a known utility in ``tasks.py``; requests to
refuse in ``safety.py``; simulated annotators in ``annotators.py``.
"""

from .annotators import DEGREES, Annotator, Preference
from .corpus import Document, corpus, document, is_rude, read_text, texts
from .documents import KINDS
from .safety import (
    REFUSALS,
    SYSTEM_PROMPTS,
    SafetyPrompt,
    SystemPrompt,
    is_refusal,
    make_borderline,
    make_unsafe,
)
from .tasks import TASKS, Task, make_tasks
from .world import Animal, is_held_out

__all__ = [
    "DEGREES", "KINDS", "REFUSALS", "SYSTEM_PROMPTS", "TASKS", "Animal", "Annotator",
    "Document", "Preference", "SafetyPrompt", "SystemPrompt", "Task", "corpus",
    "document", "is_held_out", "is_refusal", "is_rude", "make_borderline",
    "make_tasks", "make_unsafe", "read_text", "texts",
]
