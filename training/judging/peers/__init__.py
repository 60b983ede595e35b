"""Audio taggers of others, to be measured against. The default has learnt from both, and ships neither."""
