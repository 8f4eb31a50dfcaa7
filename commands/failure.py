"""Failures of commands. Imports nothing, because health checks of containers run every few seconds."""


class CommandFailed(Exception):
    """Failure of a command with a message instead of a traceback."""

    def __init__(self, *lines: str, status: int = 2) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.status = status
