"""Networks: `audio float32 [batch, 2, 132300]` in [-1, 1] to `logits float32 [batch, labels]`."""
