"""Measures of the live path: how late its results are, and how many windows a second it can judge."""
