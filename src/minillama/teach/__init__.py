"""What the notebooks show with: figures, frames, tables, algorithm boxes, checks."""

from .algorithms import algorithm, formal_llama2
from .explorers import explore
from .figures import COLOURS, figure, show, style
from .findings import holds
from .frames import frames
from .tables import side_by_side, table

style()

__all__ = ["COLOURS", "algorithm", "explore", "figure", "formal_llama2", "frames",
           "holds", "show", "side_by_side", "style", "table"]
