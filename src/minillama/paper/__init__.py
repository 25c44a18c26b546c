"""The ledger: facts, tables and equations of the Llama 2 paper and around it.

Every entry names its place, its sources and how well it is confirmed. Numbers of the
paper reach the notebooks only from here, by name.
"""

from .ledger import Entry, Table, context, equation, fact, facts, table
from .placeholders import fill
from .render import show_equation, show_table

__all__ = ["Entry", "Table", "context", "equation", "fact", "facts", "fill",
           "show_equation", "show_table", "table"]
