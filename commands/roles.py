"""`manage roles`: sets the passwords of the database's login roles, and puts back what they changed of themselves."""

import argparse
import asyncio
import sys

from commands.base import asking_the_database
from commands.failure import CommandFailed
from runtime.roles import reset_own_settings, set_passwords
from runtime.settings import read_settings


def run(given: argparse.Namespace) -> int:  # noqa: ARG001
    """Name the roles that got a password, and say what roles had changed themselves."""
    settings = read_settings()
    try:
        with asking_the_database():
            for change in asyncio.run(reset_own_settings(settings)):
                sys.stdout.write(f"{change}\n")
            changed = asyncio.run(set_passwords(settings))
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    sys.stdout.write(f"passwords set: {', '.join(changed) or 'none'}\n")
    return 0
