"""The gateway to the SQL function that writes spend controls: one call, one version, refusals as domain errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from domain import accounts
from domain.errors import Conflict, DomainError, Invalid, NotFound, SpendLimitExceeded, other_request
from domain.ids import uuid_id
from domain.spend.control import MAX_LEVELS
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.spends import RefusalReason

MISSING = "There is no such spend control."

_WRITE = "SELECT * FROM ledger.write_control($1, $2, $3, $4, $5, $6, $7, $8)"
_FROZEN = """
    SELECT c.id, c.subject_kind, c.subject_id FROM ledger.controls c
    WHERE c.org_id = $1 AND c.status = 'frozen'
      AND (c.starts_at IS NULL OR c.starts_at <= $5) AND (c.ends_at IS NULL OR $5 < c.ends_at)
      AND c.id IN (
        SELECT unnest(n.path) FROM ledger.controls n WHERE n.org_id = $1 AND n.status <> 'closed'
          AND (n.subject_kind, n.subject_id) IN (
            SELECT 'organization', $1 UNION ALL SELECT 'key', $2 UNION ALL SELECT 'agent', $3
            UNION ALL SELECT 'department', unnest(d.path) FROM public.departments d WHERE d.id = $4 AND d.org_id = $1
          )
      )
    ORDER BY c.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A control as it was written; `replayed` when the command had done so before."""

    control_id: UUID
    version: int
    replayed: bool


async def refuse_frozen(
    connection: asyncpg.Connection,
    org_id: str,
    *,
    key_id: str | None = None,
    agent_id: str | None = None,
    department_id: str | None = None,
    at: datetime,
) -> None:
    """Refuse what takes an organization's credits and is no spend, such as funding an escrow, while they are frozen.

    It counts against no limit. Frozen are the organization, the key, the agent or the department, or what stands above.

    Raises:
        SpendLimitExceeded: one of them is; `extra` names the control.
    """
    found = await connection.fetchrow(_FROZEN, org_id, key_id, agent_id, department_id, at)
    if found is not None:
        raise SpendLimitExceeded(
            "Spending is frozen.",
            extra={
                "reason": RefusalReason.FROZEN.value,
                "control_id": uuid_id("ctl", found["id"]),
                "subject": {"type": found["subject_kind"], "id": found["subject_id"]},
            },
        )


class Controls:
    """Opens and changes spend controls over one connection of the platform role, inside the caller's transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        """Borrow the connection."""
        self._connection = connection
        self._ids = AccountIds(connection)

    async def write(
        self,
        *,
        org_id: str,
        control_id: UUID | None,
        expected_version: int | None,
        wanted: Mapping[str, object],
        by: str,
        reason: str | None,
        command_id: str,
        at: datetime,
    ) -> Written:
        """Open a control, where `control_id` is None, or make one more version of it; once per command.

        Args:
            org_id: whose it is.
            control_id: which one.
            expected_version: the version that the change was made for; None is any.
            wanted: the columns to set, as JSON values; others stay.
            by: the principal.
            reason: why, in its words.
            command_id: what the command is told by when it is repeated.
            at: the time of the change.

        Raises:
            NotFound: there is no such control of the organization.
            Conflict: `spend_control.version` when it has changed since, `spend_control.closed`,
                `spend_control.exists`, `spend_control.has_children`.
            Invalid: the parent is not an open control, stands below, or there are too many levels.
            IdempotencyConflict: the command stands for something else.
        """
        with translated(self._connection, self._ids.forget, org_id):
            await self._ids.of(accounts.org_credits(org_id))
            row = await self._connection.fetchrow(
                _WRITE, org_id, control_id, expected_version, json.dumps(wanted), by, reason, command_id, at
            )
        assert row is not None
        if row["outcome"] not in {"written", "replayed"}:
            raise _refusal(row["outcome"], row["version"])
        return Written(row["control_id"], row["version"], row["outcome"] == "replayed")


def _refusal(outcome: str, version: int | None) -> DomainError:
    match outcome:
        case "missing":
            return NotFound(MISSING)
        case "other_request":
            return other_request()
        case "stale":
            return Conflict(
                f"The control was changed meanwhile: it is at version {version}. Read it and decide again.",
                code="spend_control.version",
                extra={"version": version},
            )
        case "closed":
            return Conflict("The control is closed. Open another one.", code="spend_control.closed")
        case "exists":
            return Conflict(
                "This subject has a control in this currency. Change that one, or close it first.",
                code="spend_control.exists",
            )
        case "has_children":
            return Conflict(
                "Other controls stand below this one. Close them or give them another parent first.",
                code="spend_control.has_children",
            )
        case "parent":
            return Invalid("parent_id must name an open control of the organization.", extra={"field": "parent_id"})
        case "cycle":
            return Invalid("A control cannot stand below itself.", extra={"field": "parent_id"})
        case "too_deep":
            return Invalid(f"There can be at most {MAX_LEVELS} levels of controls.", extra={"field": "parent_id"})
    raise AssertionError(outcome)
