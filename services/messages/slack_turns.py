"""Rate limit of Slack messages, shared by all workers."""

from datetime import timedelta

from repositories.messages import slack_turn
from runtime.database import Database


class SharedTurns:
    """Turns of hooks in the database; each call is a short transaction that does not wait for the turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, hook: str, *, pause: timedelta, at_most: timedelta) -> tuple[timedelta, bool]:
        """Take the next turn of a hook, see `providers.notify.slack.HookTurns`."""
        async with self._database.platform() as session:
            return await slack_turn.take(session, hook, pause=pause, at_most=at_most)

    async def hold(self, hook: str, wait: timedelta) -> None:
        """Delay the next turn by `wait`."""
        async with self._database.platform() as session:
            await slack_turn.hold(session, hook, wait)
