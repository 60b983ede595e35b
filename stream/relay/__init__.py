"""Telling other machines who plays, each in the words that it understands."""
