"""The local model as an Engine. Tensors live here and nowhere else."""
