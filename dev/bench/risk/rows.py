"""Rows that the product's workflows write after acts, written at the simulated time, so that detectors find them."""

import json
from collections.abc import Mapping
from datetime import datetime

import asyncpg

from domain.common.ids import make_id

_COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type FROM pg_attribute a
WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
    AND a.attidentity = '' AND a.attgenerated = ''
"""
_EMPTY: Mapping[str, object] = {"bigint": 0, "integer": 0, "smallint": 0, "boolean": False, "jsonb": "{}", "bytea": b""}


class Rows:
    """Writes as the owner, without triggers and foreign keys. What is not given is empty."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        """Take a connection of a superuser, on which `open` was called."""
        self._owner = owner
        self._columns: dict[str, dict[str, str]] = {}
        self._numbers = 0

    @classmethod
    async def open(cls, url: str) -> "Rows":
        """Connect to the database of the simulation."""
        owner = await asyncpg.connect(url.replace("+asyncpg", ""))
        await owner.execute("SET session_replication_role = replica")
        return cls(owner)

    async def close(self) -> None:
        """Close the connection."""
        await self._owner.close()

    def id(self, prefix: str, at: datetime) -> str:
        """Return a new id of a time."""
        self._numbers += 1
        return make_id(prefix, unix_ms=int(at.timestamp() * 1000), entropy=self._numbers.to_bytes(10, "big"))

    async def add(self, table: str, at: datetime, **values: object) -> None:
        """Write a row; times that are not given are `at`."""
        columns = self._columns.get(table)
        if columns is None:
            found = await self._owner.fetch(_COLUMNS, table)
            columns = self._columns[table] = {row["name"]: row["type"] for row in found}
        row = {name: _empty(kind, at) for name, kind in columns.items()} | values
        names, places = ", ".join(row), ", ".join(f"${place}" for place in range(1, len(row) + 1))
        await self._owner.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())

    async def change(self, statement: str, *values: object) -> None:
        """Run a statement that changes rows."""
        await self._owner.execute(statement, *values)

    async def organization(self, org_id: str, at: datetime) -> None:
        """Write an organization with an agent of the name `agt_…`."""
        await self.add("organizations", at, id=org_id, command_id=org_id, created_at=at)
        agent = {"id": agent_of(org_id), "org_id": org_id, "command_id": org_id, "created_at": at}
        await self.add("agents", at, visibility="public", pricing_model="free", **agent)

    async def key(self, key_id: str, org_id: str, at: datetime) -> None:
        """Write an API key of an owner."""
        given = {"id": key_id, "org_id": org_id, "principal": key_id, "command_id": key_id, "created_at": at}
        await self.add("api_keys", at, role="owner", secret_hash=key_id.encode(), **given)

    async def payment(self, org_id: str, amount: int, at: datetime) -> str:
        """Write a payment that succeeded, and return its id."""
        payment_id = self.id("pay", at)
        money = {"currency": "USD", "amount_minor": amount, "received_minor": amount}
        given = {"id": payment_id, "org_id": org_id, "provider": "stripe", "status": "succeeded", **money}
        await self.add("payments", at, **given)
        return payment_id

    async def refund(self, payment_id: str, amount: int) -> None:
        """Write that a part of a payment was refunded."""
        await self.change("UPDATE payments SET refunded_minor = refunded_minor + $2 WHERE id = $1", payment_id, amount)

    async def escrow(self, payer: str, payee: str, amount: int, at: datetime) -> str:
        """Write an escrow whose work is delivered, and return its id."""
        escrow_id = self.id("esc", at)
        money = {"currency": "USD", "amount_minor": amount, "funded_minor": amount}
        who = {"org_id": payer, "payee_org_id": payee, "agent_id": agent_of(payee), "contract_id": escrow_id}
        await self.add("escrows", at, id=escrow_id, status="delivered", **who, **money)
        await self.add("escrow_parties", at, org_id=payee, escrow_id=escrow_id, status="delivered")
        return escrow_id

    async def release(self, escrow_id: str) -> None:
        """Write that an escrow was released."""
        released = "SET status = 'released', released_minor = funded_minor"
        await self.change(f"UPDATE escrows {released} WHERE id = $1", escrow_id)
        await self.change("UPDATE escrow_parties SET status = 'released' WHERE escrow_id = $1", escrow_id)

    async def delivered(self, payer: str, payee: str, seconds: int, at: datetime) -> None:
        """Write the evidence of a job that ended well."""
        event = self.id("rev", at)
        who = {"agent_id": agent_of(payee), "agent_org_id": payee, "counterparty_org_id": payer, "counterparty": payer}
        what = {"kind": "released", "source": "escrow", "key": event, "delivery_seconds": seconds}
        await self.add("reputation_events", at, id=event, day=at.date(), **who, **what)

    async def rating(self, payer: str, payee: str, at: datetime) -> None:
        """Write a client's best feedback."""
        feedback = self.id("fbk", at)
        who = {"agent_id": agent_of(payee), "agent_org_id": payee, "org_id": payer, "contract_id": feedback}
        ratings = json.dumps({"quality": 5})
        await self.add("reputation_feedback", at, id=feedback, command_id=feedback, ratings=ratings, **who)

    async def payout_account(self, org_id: str, at: datetime) -> None:
        """Write that an organization is paid to a new account from now on."""
        await self.change("DELETE FROM creator_accounts WHERE org_id = $1", org_id)
        await self.add("creator_accounts", at, org_id=org_id, ref=org_id, destination_changed_at=at)


def agent_of(org_id: str) -> str:
    """Return the id of an organization's agent."""
    return org_id.replace("org", "agt", 1)


def _empty(kind: str, at: datetime) -> object:
    if kind == "date":
        return at.date()
    if kind.startswith("timestamp"):
        return at
    return [] if kind.endswith("[]") else _EMPTY.get(kind, "")
