"""Memory that was needed for a moment."""

import ctypes
import sys


def release_memory() -> None:
    """Give back to the system what has been freed: glibc would keep it, 75 MB after loading the embedded model."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
