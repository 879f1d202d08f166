"""The local model as an Engine. Only this package knows tensors."""

import os

# Set before torch loads MKL: without it, sums depend on the alignment of a thread's scratch, and so on the rows.
os.environ.setdefault("MKL_CBWR", "AUTO")
