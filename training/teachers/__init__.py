"""Teachers: large taggers whose judgement of a window a small network learns to foretell. None of them is shipped."""
