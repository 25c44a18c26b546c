"""Pretraining: data, schedule, optimiser, the loop, and what each component buys."""
