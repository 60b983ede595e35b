"""Corpora, grouped splits, mixing, networks, fitting, evaluation: everything from recordings to a run folder."""
