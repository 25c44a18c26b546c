"""What a model is worth: multiple choice by likelihood, win rates, safety, claims.

In reading order: multiple_choice, wins, contamination, safety.
"""
