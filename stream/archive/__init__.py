"""Labelling of recordings: who plays when in each, for many of them, resumably."""
