"""Changes that go to the database together: one statement, all of it or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from models.billing.project import Project
from models.messages.alert import Alert
from models.tenants.organization import Organization
from repositories.common.batched import batched
from runtime.database import Database
from runtime.identity import new_id

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def database(db: Database) -> Database:
    return db


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Keep what is sent as the platform while the block runs."""
    sent: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = database.platform_engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def organization(org_id: str) -> Any:
    return insert(Organization).values(id=org_id, name=org_id, command_id=org_id, created_by="test")


def raised(key: str) -> Any:
    return insert(Alert).values(id=new_id("alr"), key=key, kind="test", subject=key, detail="x")


async def test_changes_of_a_block_are_one_statement(database: Database) -> None:
    org_id, key = new_id("org"), new_id("x")
    async with database.platform() as session:
        await session.execute(raised(key))
    with counted(database) as sent:
        async with database.platform() as session, batched(session) as writes:
            await writes.execute(organization(org_id))
            await writes.execute(raised(f"{key}:2"))
            await writes.execute(update(Alert).where(Alert.key == key).values(acknowledged_by="kim"))
    assert len(sent) == 1
    async with database.platform() as session:
        assert await session.get(Organization, org_id) is not None
        found = await session.execute(select(Alert.key, Alert.acknowledged_by).where(Alert.key.startswith(key)))
    assert {tuple(row) for row in found} == {(key, "kim"), (f"{key}:2", None)}


async def test_block_without_changes_sends_nothing(database: Database) -> None:
    with counted(database) as sent:
        async with database.platform() as session, batched(session):
            pass
    assert sent == []


async def test_row_and_its_references_are_written_together_in_any_order(database: Database) -> None:
    org_id, made = new_id("org"), new_id("prj")
    async with database.platform() as session, batched(session) as writes:
        values = {
            "id": made,
            "org_id": org_id,
            "name": "x",
            "slug": made,
            "occupies_slot": False,
            "created_by": "test",
            "command_id": made,
        }
        await writes.execute(insert(Project).values(**values))
        await writes.execute(organization(org_id))
    async with database.platform() as session:
        assert await session.get(Project, made) is not None


async def test_change_that_is_refused_takes_the_others_with_it(database: Database) -> None:
    org_id, key = new_id("org"), new_id("x")
    async with database.platform() as session:
        await session.execute(raised(key))

    async def both() -> None:
        async with database.platform() as session, batched(session) as writes:
            await writes.execute(organization(org_id))
            await writes.execute(raised(key))

    with pytest.raises(IntegrityError):
        await both()
    async with database.platform() as session:
        assert await session.scalar(select(func.count()).where(Organization.id == org_id)) == 0


async def test_block_that_fails_sends_nothing(database: Database) -> None:
    async def failing() -> None:
        async with database.platform() as session, batched(session) as writes:
            await writes.execute(organization(new_id("org")))
            raise RuntimeError("broken")

    with counted(database) as sent, pytest.raises(RuntimeError, match="broken"):
        await failing()
    assert sent == []
