"""A process that takes one night of a project, and kills itself once after each write, and before and after the commit.

    python -m tests.faults.allocation_victim TENANT_URL PLATFORM_URL FOLDER PROJECT_ID NIGHT NOW

It ends with 0 when the night is taken. What it was killed at is in the folder `died` below FOLDER.
"""

import asyncio
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.controls import Controls, WrittenControl
from runtime.database import Database
from services.returns import allocation
from tests.faults.insight_victim import Once
from tests.support.returns import MATURES


async def take(database: Database, once: Once, project_id: str, night: date, now: datetime) -> None:
    """Do what the activity does."""
    written = 0
    write = Controls.write

    async def dying(self: Controls, **values: Any) -> WrittenControl:
        nonlocal written
        done = await write(self, **values)
        written += 1
        once.die_at(f"budget {written}")
        return done

    Controls.write = dying  # type: ignore[method-assign]
    async with database.platform() as session:
        event.listen(_sync(session), "before_commit", lambda _session: once.die_at("before the commit"))
        await allocation.propose(session, project_id, night, matures=MATURES, now=now)
    # The answer is lost: the activity is repeated.
    once.die_at("after the commit")


def _sync(session: AsyncSession) -> Any:
    return session.sync_session


async def main(tenant: str, platform: str, folder: str, project_id: str, night: str, now: str) -> None:
    database = Database(tenant, platform, pool_size=2)
    await take(database, Once(Path(folder)), project_id, date.fromisoformat(night), datetime.fromisoformat(now))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
