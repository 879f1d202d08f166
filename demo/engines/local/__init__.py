"""The local model as an Engine. Tensors live here and nowhere else."""

import os

# Before torch's matrix library begins: else its sums differ by how a thread's scratch is aligned, and thus by the rows.
os.environ.setdefault("MKL_CBWR", "AUTO")
