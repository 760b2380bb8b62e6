"""A process that can change no file: Linux' Landlock, by its system calls.

https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import sys

CREATE_RULESET, RESTRICT_SELF = 444, 446
"""Numbers of system calls, the same on all processors."""

ASK_VERSION = 1
NEEDED_VERSION = 3
"""The first in which to cut a file short is a right of its own: Linux 6.2."""

NO_NEW_PRIVILEGES = 38

WRITE, REMOVE_FOLDER, REMOVE_FILE, MAKE_DEVICE, MAKE_FOLDER, MAKE_FILE = 1, 4, 5, 6, 7, 8
MAKE_SOCKET, MAKE_PIPE, MAKE_BLOCK_DEVICE, MAKE_LINK, MOVE, TRUNCATE = 9, 10, 11, 12, 13, 14
CHANGES = sum(
    1 << right
    for right in (
        WRITE, REMOVE_FOLDER, REMOVE_FILE, MAKE_DEVICE, MAKE_FOLDER, MAKE_FILE, MAKE_SOCKET,
        MAKE_PIPE, MAKE_BLOCK_DEVICE, MAKE_LINK, MOVE, TRUNCATE,
    )
)  # fmt: skip


def forbid_changes() -> bool:
    """From now on this thread, and what it starts, can write, make, move and remove no file.

    Files that are open stay open: a log, the pipes. It cannot be undone.

    Returns:
        Whether the system can do that; if not, nothing has changed.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    if system.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION) < NEEDED_VERSION:
        return False
    # What is handled and not allowed by any rule is forbidden; there are no rules.
    handled = ctypes.c_uint64(CHANGES)
    rules = system.syscall(
        CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(ctypes.sizeof(handled)), 0
    )
    if rules < 0:
        return False
    try:
        if system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            return False
        return bool(system.syscall(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)
