"""The pace at which Slack is posted to, which all workers share."""

from datetime import timedelta

from repositories.messages import slack_turn
from runtime.database import Database


class SharedTurns:
    """Assigns turns of hooks in the database, each in a transaction of its own, and never waits inside one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, hook: str, *, pause: timedelta, at_most: timedelta) -> tuple[timedelta, bool]:
        """Take the next turn of a hook, see `providers.notify.slack.HookTurns`."""
        async with self._database.platform() as session:
            return await slack_turn.take(session, hook, pause=pause, at_most=at_most)

    async def hold(self, hook: str, wait: timedelta) -> None:
        """Give no turn before a time."""
        async with self._database.platform() as session:
            await slack_turn.hold(session, hook, wait)
