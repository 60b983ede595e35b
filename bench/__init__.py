"""Measures of the live path: how late and how right its results are, how many it can give, and for how long."""
