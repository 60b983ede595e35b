"""The contract at which training and streaming meet: labels, signal, model cards, the catalogue, the shipped graphs."""
