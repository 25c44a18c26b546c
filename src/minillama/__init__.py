"""Llama 2 in miniature: the model, its training and its alignment, in plain torch."""

__version__ = "0.1.0"
