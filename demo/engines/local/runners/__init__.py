"""What computes the logits of a step."""
