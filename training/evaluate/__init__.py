"""Exams on what was not heard, and what the answers are worth."""
