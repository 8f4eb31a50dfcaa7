"""Writes an approval's events: its row and its timeline in one transaction."""

import json

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.books.books import BooksRefused, is_next, require_local
from runtime.database import Database
from tests.workflows.approval.messages import LoadApproval, RecordApproval, RecordedApproval
from tests.workflows.approval.rules import Approval

TABLES = """
CREATE SCHEMA IF NOT EXISTS example;
CREATE TABLE IF NOT EXISTS example.approvals (id text PRIMARY KEY, state jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS example.approval_events (
    approval_id text REFERENCES example.approvals, number integer, kind text NOT NULL, actor text NOT NULL,
    command_id text NOT NULL, details jsonb NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (approval_id, number), UNIQUE (approval_id, command_id)
);
GRANT USAGE ON SCHEMA example TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON example.approvals, example.approval_events TO bursar_platform;
"""
STATE: TypeAdapter[Approval] = TypeAdapter(Approval)
READ = "SELECT state::text FROM example.approvals WHERE id = :id"
WRITE = "INSERT INTO example.approvals VALUES (:id, CAST(:state AS jsonb))"
REWRITE = "UPDATE example.approvals SET state = CAST(:state AS jsonb) WHERE id = :id"
TELL = """
INSERT INTO example.approval_events
VALUES (:id, :number, :kind, :actor, :command_id, CAST(:details AS jsonb), :at)
"""


class ApprovalActivities:
    """The effects of `ApprovalWorkflow` on the books."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="record_approval")
    async def record(self, message: RecordApproval) -> RecordedApproval:
        """Write one event, or report what the books hold instead.

        Effect: the approval's row and a row of its timeline.
        Idempotent by: the event's number and the command's id, both unique within the approval, under the row's lock.
        Fails with: nothing that is final.
        """
        require_local()
        after = message.approval
        async with self._database.platform() as session:
            held = await locked(session, after.approval_id)
            if held is not None and held.has_done(message.command_id):
                return RecordedApproval(applied=True, stored=held)
            if not is_next(held, after.version, message.decided_from, after.approval_id):
                return RecordedApproval(applied=False, stored=held)
            row = {"id": after.approval_id, "state": STATE.dump_json(after).decode()}
            await session.execute(text(WRITE if held is None else REWRITE), row)
            event = {"number": after.version, "kind": message.event, "command_id": message.command_id}
            event |= {"actor": message.actor, "details": json.dumps(message.details), "at": message.at}
            await session.execute(text(TELL), {"id": after.approval_id, **event})
        return RecordedApproval(applied=True)

    @activity.defn(name="load_approval")
    async def load(self, message: LoadApproval) -> Approval:
        """Return the state that the books hold, for a run that starts again.

        Effect: none.
        Idempotent by: reading only.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            found = await session.scalar(text(READ), {"id": message.approval_id})
        if found is None:
            raise BooksRefused(f"The books do not know {message.approval_id}; were they set back?")
        return STATE.validate_json(found)


async def locked(session: AsyncSession, approval_id: str) -> Approval | None:
    """Keep every other writer out until the transaction ends, and return what the books hold."""
    found = await session.scalar(text(f"{READ} FOR UPDATE"), {"id": approval_id})
    return None if found is None else STATE.validate_json(found)
