"""How a command ends that cannot be done. It imports nothing: a container asks for its health every few seconds."""


class CommandFailed(Exception):
    """A command that ends with a line for its user, and not with a traceback."""

    def __init__(self, *lines: str, status: int = 2) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.status = status
