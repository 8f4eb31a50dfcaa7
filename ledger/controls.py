"""The gateway to the SQL function that writes spend controls: one call, one version, refusals as domain errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from domain.common import accounts, errors as refusals
from domain.common.errors import DomainError, Invalid, NotFound, other_request
from domain.credits.spend.control import MAX_LEVELS
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.spends import ControlRefusal, RefusalReason, Spender

MISSING = "There is no such spend control."

_WRITE = "SELECT * FROM ledger.write_control($1, $2, $3, $4, $5, $6, $7, $8)"
_FROZEN = """
    SELECT c.id, c.subject_kind, c.subject_id, c.asset, c.status = 'frozen' AS is_frozen
    FROM ledger.controls_of($1, $2, $3, $4, NULL, $5, $6) c
    WHERE c.status = 'frozen' OR $7 AND (cardinality(c.windows) > 0 OR c.per_spend IS NOT NULL)
    ORDER BY is_frozen DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class WrittenControl:
    """A written control; `replayed`: the command had written it before."""

    control_id: UUID
    version: int
    replayed: bool


async def frozen_by(
    connection: asyncpg.Connection, org_id: str, spender: Spender, *, at: datetime, or_limited: bool = False
) -> ControlRefusal | None:
    """Return the refusal of a frozen spender, or with `or_limited` also of a limited one; None if there is none.

    Controls of the organization, agent, department, project and key apply, and those above.
    """
    row = await connection.fetchrow(
        _FROZEN, org_id, spender.agent_id, spender.department_id, spender.project_id, spender.key_id, at, or_limited
    )
    if row is None:
        return None
    return ControlRefusal(
        reason=RefusalReason.FROZEN if row["is_frozen"] else RefusalReason.PAYMENT,
        control_id=row["id"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        asset=row["asset"],
        window=None,
        limit=None,
        remaining=None,
        resets_at=None,
    )


class Controls:
    """Opens and changes spend controls over one connection of the platform role, inside the caller's transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
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
    ) -> WrittenControl:
        """Open a control, if `control_id` is None, or write another version of it; once per command.

        Args:
            org_id: the owner.
            control_id: the control to change.
            expected_version: the version that the change was made for; None for any.
            wanted: the columns to set, as JSON values; others stay.
            by: the principal.
            reason: as stated by the principal.
            command_id: identifies a repeated command.
            at: the time of the change.

        Raises:
            NotFound: the organization has no such control.
            Conflict: `spend_control.version` if it has changed since, `spend_control.closed`, `spend_control.exists`,
                `spend_control.has_children`.
            Invalid: the parent is not an open control, or is below this one, or there are too many levels.
            IdempotencyConflict: the command had other contents.
        """
        with translated(self._connection, self._ids.forget, org_id):
            await self._ids.of(accounts.org_credits(org_id))
            row = await self._connection.fetchrow(
                _WRITE, org_id, control_id, expected_version, json.dumps(wanted), by, reason, command_id, at
            )
        assert row is not None
        if row["outcome"] not in {"written", "replayed"}:
            raise _refusal(row["outcome"], row["version"])
        return WrittenControl(row["control_id"], row["version"], row["outcome"] == "replayed")


def _refusal(outcome: str, version: int | None) -> DomainError:
    match outcome:
        case "missing":
            return NotFound(MISSING)
        case "other_request":
            return other_request()
        case "stale":
            return refusals.SpendControlVersion(
                f"The control has changed: it is at version {version}. Read it again and repeat the change.",
                extra={"version": version},
            )
        case "closed":
            return refusals.SpendControlClosed("The control is closed. Create another one.")
        case "exists":
            return refusals.SpendControlExists(
                "This subject has a control in this currency. Change that one, or close it first."
            )
        case "has_children":
            return refusals.SpendControlHasChildren(
                "Other controls are below this one. Close them or change their parent first."
            )
        case "parent":
            return Invalid("parent_id must name an open control of the organization.", extra={"field": "parent_id"})
        case "cycle":
            return Invalid("A control cannot be below itself.", extra={"field": "parent_id"})
        case "too_deep":
            return Invalid(f"There can be at most {MAX_LEVELS} levels of controls.", extra={"field": "parent_id"})
    raise AssertionError(outcome)
