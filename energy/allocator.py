"""What the allocator of this process does with freed memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Options of mallopt(3)."""


@cache
def keep_freed_memory() -> None:
    """Make glibc's allocator keep what is freed for what comes next: steps, or blocks of plans.

    By default it returns large blocks to the system and later maps fresh pages, whose page faults
    cost 20 to 30 % of a training step on a CPU (in a VM, much of it hidden on the host) and 10 % of
    a search of plans. Other allocators are left alone.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(M_MMAP_THRESHOLD, 2**30):
            mallopt(M_MMAP_THRESHOLD, 2**25)  # the maximum of older versions
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**26)
