"""Audio taggers of others, to be measured against: never trained on, never shipped."""
