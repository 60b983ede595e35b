"""Test sets of what models were not trained on, their predictions, and what these are worth."""
