"""The seed's whole table."""
