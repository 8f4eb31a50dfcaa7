"""Run a program as another account and on a leash: it is signalled when its parent dies for any reason.

    python leash.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM [ARGUMENT ...]

UID and GID are `-` to stay who we are. The program replaces this process, so its process id is the one the caller got.
A program of its own instead of a `preexec_fn`: the caller has threads, and Python code between fork and exec may
deadlock there. Linux only as to the leash; elsewhere the program just runs.

The kernel forgets the death signal when credentials change, so the account is changed first. The signal comes when the
*thread* that forked ends: start programs from a thread that lives as long as they should.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def put_on(parent: int, death_signal: int) -> None:
    """Send this process a signal when its parent dies; exit if the parent has died."""
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != parent:
            sys.exit("the launcher is gone already")


def main(arguments: list[str]) -> None:
    """Change the account, put the leash on and become the program."""
    parent, death_signal, uid, gid, *command = arguments
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    put_on(int(parent), int(death_signal))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
