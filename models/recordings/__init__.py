"""Reading recordings: what is trained on and what is listened to are decoded by the same code."""
