"""Drawings of the notebooks that would bury the lesson if they stood in a cell."""
