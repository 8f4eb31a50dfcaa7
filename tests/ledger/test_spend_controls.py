"""`ledger.write_control`: one version for each change, a tree of six levels, and one writer at a time."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain.common.calendar import Window
from domain.common.errors import Conflict, DomainError, IdempotencyConflict, Invalid, NotFound
from domain.credits.spend.control import MAX_LEVELS, Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls, WrittenControl
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, Books, fresh, open_books
from tests.support.connections import connected
from tests.support.plans import vacuum
from tests.support.spends import Tenant, department, limits

pytestmark = pytest.mark.db

HUNDRED = LimitTerms(limits=(Limit(window=Window.DAY, amount_minor=100),))


def new(run: str, **others: Any) -> dict[str, object]:
    return {
        **NewControl(subject_kind=SubjectKind.RUN, subject_id=run, asset="CREDIT").columns(),
        **HUNDRED.columns(),
        **others,
    }


async def write(
    books: Books,
    org: str,
    wanted: dict[str, object],
    control_id: UUID | None = None,
    *,
    expected: int | None = None,
    command: str | None = None,
    at: datetime = NOW,
    client: int = 0,
) -> WrittenControl:
    return await Controls(books.connections[client]).write(
        org_id=org,
        control_id=control_id,
        expected_version=expected,
        wanted=wanted,
        by="owner",
        reason="a reason",
        command_id=command or fresh("command"),
        at=at,
    )


async def row_of(books: Books, control_id: UUID) -> asyncpg.Record:
    row = await books.connections[0].fetchrow("SELECT * FROM ledger.controls WHERE id = $1", control_id)
    assert row is not None
    return row


async def versions_of(books: Books, control_id: UUID) -> list[asyncpg.Record]:
    return await books.connections[0].fetch(
        "SELECT * FROM ledger.control_versions WHERE control_id = $1 ORDER BY version", control_id
    )


async def chain(books: Books, org: str, length: int) -> list[UUID]:
    controls: list[UUID] = []
    for level in range(length):
        parent = str(controls[-1]) if controls else None
        controls.append((await write(books, org, new(fresh(f"level{level}"), parent_id=parent))).control_id)
    return controls


async def test_every_change_is_a_version_and_omitted_fields_stay(books: Books) -> None:
    org = fresh("org")
    opened = await write(books, org, new("r"))
    raised = LimitTerms(limits=(Limit(window=Window.MONTH, amount_minor=None, uses=3, hard=False),), per_spend_minor=7)
    changed = await write(books, org, raised.columns(), opened.control_id, at=NOW + timedelta(1))
    frozen = await write(books, org, {"status": "frozen"}, opened.control_id, at=NOW + timedelta(2))

    assert [written.version for written in (opened, changed, frozen)] == [1, 2, 3]
    now = await row_of(books, opened.control_id)
    assert (now["windows"], now["amounts"], now["uses"], now["hard"]) == (["month"], [None], [3], [False])
    assert (now["per_spend"], now["status"], now["version"], now["path"]) == (7, "frozen", 3, [opened.control_id])
    kept = await versions_of(books, opened.control_id)
    assert [(v["windows"], v["amounts"], v["per_spend"], v["status"], v["changed_at"]) for v in kept] == [
        (["day"], [100], None, "active", NOW),
        (["month"], [None], 7, "active", NOW + timedelta(1)),
        (["month"], [None], 7, "frozen", NOW + timedelta(2)),
    ]
    assert {(v["changed_by"], v["reason"]) for v in kept} == {("owner", "a reason")}


async def test_of_changes_for_one_version_at_once_one_is_made(books: Books) -> None:
    org = fresh("org")
    control = (await write(books, org, new("r"))).control_id

    async def change(client: int) -> WrittenControl | DomainError:
        try:
            return await write(books, org, {"per_spend": client}, control, expected=1, client=client)
        except DomainError as refusal:
            return refusal

    results = await asyncio.gather(*(change(client) for client in range(len(books.connections))))
    refused = [result for result in results if isinstance(result, Conflict)]
    assert len(refused) == len(results) - 1
    assert {(refusal.error_code, refusal.extra["version"]) for refusal in refused} == {("spend_control.version", 2)}
    assert (await row_of(books, control))["version"] == 2


async def test_a_repeated_command_changes_nothing_and_its_id_with_other_contents_is_refused(books: Books) -> None:
    org, opening, changing = fresh("org"), fresh("command"), fresh("command")
    control = (await write(books, org, new("r"), command=opening)).control_id
    await write(books, org, {"per_spend": 5}, control, command=changing)
    await write(books, org, {"per_spend": 9}, control)

    again = [
        await write(books, org, new("r"), command=opening),
        await write(books, org, {"per_spend": 5}, control, command=changing),
    ]
    assert again == [WrittenControl(control, 1, replayed=True), WrittenControl(control, 2, replayed=True)]
    with pytest.raises(IdempotencyConflict):
        await write(books, org, {"per_spend": 6}, control, command=changing)
    with pytest.raises(IdempotencyConflict):
        await write(books, org, new("other"), command=opening)
    assert (await row_of(books, control))["per_spend"] == 9


async def test_a_subject_has_one_open_control_in_a_currency(books: Books) -> None:
    org = fresh("org")
    control = (await write(books, org, new("r"))).control_id
    with pytest.raises(Conflict) as exists:
        await write(books, org, new("r"))
    assert exists.value.error_code == "spend_control.exists"
    await write(books, org, new("r", asset="USD"))
    await write(books, org, {"status": "closed"}, control)
    assert (await write(books, org, new("r"))).control_id != control


async def test_a_closed_control_stays_closed_even_for_the_owner_of_the_books(
    books: Books, owner: asyncpg.Connection
) -> None:
    org = fresh("org")
    control = (await write(books, org, new("r"))).control_id
    await write(books, org, {"status": "closed"}, control)
    with pytest.raises(Conflict) as closed:
        await write(books, org, {"status": "active"}, control)
    assert closed.value.error_code == "spend_control.closed"
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute("UPDATE ledger.controls SET status = 'active' WHERE id = $1", control)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute("UPDATE ledger.control_versions SET reason = 'x' WHERE control_id = $1", control)


async def test_moving_a_control_moves_the_controls_below(books: Books) -> None:
    org = fresh("org")
    top, middle, leaf = await chain(books, org, 3)
    (other,) = await chain(books, org, 1)
    await write(books, org, {"parent_id": str(other)}, middle)
    assert (await row_of(books, middle))["path"] == [other, middle]
    assert (await row_of(books, leaf))["path"] == [other, middle, leaf]
    await write(books, org, {"parent_id": None}, middle)
    assert (await row_of(books, leaf))["path"] == [middle, leaf]
    assert (await row_of(books, top))["path"] == [top]


async def test_a_control_cannot_be_below_itself_or_too_many_levels(books: Books) -> None:
    org = fresh("org")
    controls = await chain(books, org, MAX_LEVELS)
    with pytest.raises(Invalid, match="levels"):
        await write(books, org, new("deeper", parent_id=str(controls[-1])))
    with pytest.raises(Invalid, match="below itself"):
        await write(books, org, {"parent_id": str(controls[3])}, controls[1])
    with pytest.raises(Invalid, match="below itself"):
        await write(books, org, {"parent_id": str(controls[1])}, controls[1])
    top, _ = await chain(books, org, 2)
    with pytest.raises(Invalid, match="levels"):
        await write(books, org, {"parent_id": str(controls[-2])}, top)
    with pytest.raises(Conflict) as below:
        await write(books, org, {"status": "closed"}, controls[0])
    assert below.value.error_code == "spend_control.has_children"


async def test_two_moves_at_once_never_make_a_circle(books: Books) -> None:
    org = fresh("org")
    first, second = (await chain(books, org, 1))[0], (await chain(books, org, 1))[0]

    async def move(client: int, control: UUID, below: UUID) -> str:
        try:
            await write(books, org, {"parent_id": str(below)}, control, client=client)
        except Invalid as refusal:
            return refusal.detail
        return "moved"

    results = await asyncio.gather(move(0, first, second), move(1, second, first))
    assert sorted(results) == ["A control cannot be below itself.", "moved"]


async def test_another_organization_cannot_change_a_control_or_use_it_as_a_parent(books: Books) -> None:
    org, other = fresh("org"), fresh("org")
    control = (await write(books, org, new("r"))).control_id
    with pytest.raises(NotFound):
        await write(books, other, {"status": "frozen"}, control)
    with pytest.raises(Invalid, match="parent_id"):
        await write(books, other, new("r", parent_id=str(control)))
    assert (await row_of(books, control))["status"] == "active"


async def test_tenants_read_their_own_controls_and_write_none(books: Books, database_urls: DatabaseUrls) -> None:
    org, other = fresh("org"), fresh("org")
    control = (await write(books, org, new("r"))).control_id
    await write(books, other, new("r"))
    async with connected(database_urls.tenant) as tenant:
        await tenant.execute("SELECT set_config('bursar.org_id', $1, false)", org)
        assert [row["id"] for row in await tenant.fetch("SELECT id FROM ledger.controls")] == [control]
        seen = await tenant.fetch("SELECT control_id FROM ledger.control_versions")
        assert [row["control_id"] for row in seen] == [control]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tenant.execute("UPDATE ledger.controls SET status = 'closed'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tenant.execute("SELECT ledger.write_control($1, NULL, NULL, '{}', 'me', NULL, 'cmd', now())", org)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Olympus"},
        {"windows": ["day", "day"], "amounts": [1, 2], "uses": [None, None], "hard": [True, True]},
        {"windows": ["day"], "amounts": [1, 2], "uses": [None], "hard": [True]},
        {"amounts": [-1]},
        {"windows": ["fortnight"]},
        {"subject_kind": "organization", "subject_id": "org_of_somebody_else"},
        {"week_starts": 0},
    ],
)
async def test_the_database_refuses_a_control_that_breaks_a_rule(books: Books, wrong: dict[str, object]) -> None:
    with pytest.raises((DomainError, asyncpg.PostgresError)):
        await write(books, fresh("org"), new("r", **wrong))


async def test_a_spend_has_to_fit_into_every_control_above_its_subjects(
    books: Books, owner: asyncpg.Connection
) -> None:
    org, department, team = fresh("org"), fresh("dep"), fresh("dep")
    await owner.execute("INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, 'x', 'x', $1)", org)
    await owner.execute(
        "INSERT INTO departments (id, org_id, name, parent_id, path, created_by, command_id) VALUES"
        " ($1, $3, 'department', NULL, ARRAY[$1], 'x', $1), ($2, $3, 'team', $1, ARRAY[$1, $2], 'x', $2)",
        department,
        team,
        org,
    )

    async def control(kind: SubjectKind, subject: str, **others: Any) -> UUID:
        wanted = {**NewControl(subject_kind=kind, subject_id=subject, asset="CREDIT").columns(), **HUNDRED.columns()}
        return (await write(books, org, {**wanted, **others})).control_id

    whole = await control(SubjectKind.ORGANIZATION, org)
    upper = await control(SubjectKind.DEPARTMENT, department)
    pool = await control(SubjectKind.RUN, "not this run")
    agent = await control(SubjectKind.AGENT, "agt_1", parent_id=str(pool))
    key = await control(SubjectKind.KEY, "key_1")
    later = await control(SubjectKind.PROJECT, "prj_1", starts_at=(NOW + timedelta(days=1)).isoformat())
    over = await control(SubjectKind.RUN, "run", ends_at=NOW.isoformat())

    async def found(*subjects: str | None, at: datetime = NOW) -> set[UUID]:
        rows = await owner.fetch("SELECT id FROM ledger.controls_of($1, $2, $3, $4, $5, $6, $7)", org, *subjects, at)
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        return {row["id"] for row in rows}

    assert await found("agt_1", team, "prj_1", "run", "key_1") == {whole, upper, pool, agent, key}
    assert await found(None, None, None, None, None) == {whole}
    assert later in await found(None, None, "prj_1", None, None, at=NOW + timedelta(days=1))
    assert over in await found(None, None, None, "run", None, at=NOW - timedelta(seconds=1))


@pytest.mark.slow
async def test_cost_of_a_spend_does_not_depend_on_the_number_of_controls(fresh_database_urls: DatabaseUrls) -> None:
    """Runs may have a control each, which is never closed."""
    acts = {
        "charge": "ledger.charge_at($1, $2, 'a', 1, 1, 'agt_1', $3, NULL, 'run_1', 'key_1', NULL, NULL,"
        " 'operating', 'refuse', $4)",
        "reserve": "ledger.authorize_at($1, $2, 'a', 1, 1, 'agt_1', $3, NULL, 'run_1', 'key_1', NULL, NULL, $5, false,"
        " 'operating', 'refuse', $4)",
    }
    owner = await asyncpg.connect(fresh_database_urls.owner)
    async with open_books(fresh_database_urls.platform, clients=1) as books:
        tenant = await Tenant.opened(books)
        within = await department(owner, tenant.org_id, "team", await department(owner, tenant.org_id, "department"))
        for subject in (("organization", tenant.org_id), ("department", within), ("agent", "agt_1"), ("run", "run_1")):
            await tenant.control(limits(lifetime=1_000), subject=subject)
        await tenant.charge(1, agent_id="agt_1", department_id=within, run_id="run_1")
        read: dict[str, list[int]] = {name: [] for name in acts}
        for size in (100, 20_000):
            await owner.execute(
                "INSERT INTO ledger.controls SELECT (jsonb_populate_record(c, jsonb_build_object('id', n.id,"
                " 'subject_kind', 'run', 'subject_id', n.id, 'path', ARRAY[n.id]))).* FROM ledger.controls c,"
                " (SELECT uuidv7() AS id FROM generate_series(1, $2::int)) n"
                " WHERE c.org_id = $1 AND c.subject_kind = 'organization'",
                tenant.org_id,
                size,
            )
            await vacuum(owner, "ledger.controls")
            for name, act in acts.items():
                blocks = []
                for _ in range(8):  # the first ones are planned anew, which reads as well
                    explained = await books.connections[0].fetchval(
                        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {act}",
                        *(tenant.org_id, fresh("use"), within, NOW),
                        *([NOW + timedelta(hours=1)] if name == "reserve" else []),
                    )
                    plan = json.loads(explained)[0]["Plan"]
                    blocks.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
                read[name].append(min(blocks))
        await books.assert_proven()
    await owner.close()
    # Each index is a level higher at 20,000, which adds a page to a look-up; a scan of the table reads over 500.
    assert all(many <= 2 * few for few, many in read.values()), read
