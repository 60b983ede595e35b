"""Recipes, one a file, each a `RECIPE`."""
