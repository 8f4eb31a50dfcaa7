"""Two required signatures are two people's, whichever names one of them can sign by."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.common.access import Actor, Role
from domain.common.errors import Conflict, Forbidden
from domain.escrow.state import Milestone
from models.tenants.api_key import ApiKey
from models.tenants.session import Session
from runtime.identity import new_id
from tests.workflows.conftest import Job

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


def by_link(actor: Actor, made_by: str) -> Actor:
    """Return the actor in a session that somebody else's link opened."""
    return replace(actor, session_id=f"ses_{actor.principal}", made_by=made_by)


async def signed(job: Job) -> list[str]:
    return [signature.signatory for signature in (await job.state()).signatures]


async def test_maker_of_two_links_signs_once(award):
    job = await (await award()).delivered()
    maker = f"{job.terms.payer_org_id}/mallory"
    await job.send("approve", by_link(job.finance, maker))
    with pytest.raises(Conflict) as refused:
        await job.send("approve", by_link(job.procurement, maker.upper().replace("ORG_", "org_")))
    assert refused.value.error_code == "escrow.already_signed"
    assert await signed(job) == ["finance"]
    assert (await job.send("approve", job.procurement)).status == "released"


@pytest.mark.parametrize("links_first", [True, False])
async def test_signatory_does_not_sign_for_another_by_a_link_of_its_own(award, links_first):
    job = await (await award()).delivered()
    own, link = job.procurement, by_link(job.finance, job.procurement.qualified())
    first, second = (link, own) if links_first else (own, link)
    await job.send("approve", first)
    with pytest.raises(Conflict) as refused:
        await job.send("approve", second)
    assert refused.value.error_code == "escrow.already_signed"
    assert (await job.state()).status == "delivered"


async def test_one_of_two_concurrent_signatures_of_a_person_counts(award):
    job = await (await award()).delivered()
    maker = f"{job.terms.payer_org_id}/mallory"
    answers = await asyncio.gather(
        *(job.send("approve", by_link(actor, maker)) for actor in (job.finance, job.procurement)),
        return_exceptions=True,
    )
    [refused] = [answer for answer in answers if isinstance(answer, BaseException)]
    assert isinstance(refused, Conflict)
    assert refused.error_code == "escrow.already_signed"
    assert len(await signed(job)) == 1


async def test_repeated_signature_gets_its_first_answer(award):
    job = await (await award()).delivered()
    link = by_link(job.finance, f"{job.terms.payer_org_id}/mallory")
    for _ in range(2):
        assert (await job.send("approve", link, key="once")).status == "delivered"
    assert await signed(job) == ["finance"]


async def test_operator_signs_for_one_signatory(award):
    job = await (await award()).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim"})
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim"})
    refused = await job.recorded("command_refused")
    assert refused.details["code"] == "escrow.already_signed"
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "nora"})
    assert await job.end() == "released"


async def test_next_milestone_is_signed_by_the_same_people(award):
    parts = tuple(Milestone(name=name, amount_minor=25_000_000) for name in "ab")
    job = await (await award(milestones=parts)).delivered()
    link = by_link(job.finance, f"{job.terms.payer_org_id}/mallory")
    for then in ("funded", "released"):
        if then == "released":
            await job.send("deliver", job.bot)
        part = await job.under_review()
        await job.send("approve", link, delivery=part)
        assert (await job.send("approve", job.procurement, delivery=part)).status == then


async def with_key(job: Job, actor: Actor, *, by: Actor | None, days: int, ends: int | None = None) -> Actor:
    """Return the actor with a key issued some days ago by `by`, or by an owner who signs nothing."""
    key_id, now = new_id("key"), datetime.now(UTC)
    async with job.stage.database.platform() as session:
        session.add(
            ApiKey(
                id=key_id,
                org_id=actor.org_id,
                principal=actor.principal,
                place=1 + (ends is None),
                role=actor.role.value,
                secret_hash=b"0" * 32,
                created_by=f"{actor.org_id}/root" if by is None else by.qualified(),
                command_id=key_id,
                created_at=now - timedelta(days=days),
                revoked_at=None if ends is None else now - timedelta(days=ends),
            )
        )
    return replace(actor, key_id=key_id)


async def with_session(job: Job, maker: Actor) -> str:
    """Return a session of finance that a link opened, which was made with a key."""
    session_id = new_id("ses")
    async with job.stage.database.platform() as session:
        session.add(
            Session(
                id=session_id,
                secret_hash=b"0" * 32,
                key_id=maker.key_id,
                org_id=maker.org_id,
                principal="finance",
                role="finance",
                browser="",
                idle_seconds=60,
                expires_at=datetime.now(UTC) + timedelta(days=1),
            )
        )
    return session_id


async def refused_as_one(job: Job, first: Actor, second: Actor) -> None:
    await job.send("approve", first)
    with pytest.raises(Conflict) as refused:
        await job.send("approve", second)
    assert refused.value.error_code == "escrow.already_signed"
    assert "count as one person" in refused.value.detail
    assert (await job.state()).status == "delivered"


@pytest.mark.parametrize("owner_first", [True, False])
async def test_owner_does_not_sign_again_with_a_key_that_it_issued_for_another(award, owner_first):
    job = await (await award()).delivered()
    owner = await with_key(job, job.procurement, by=None, days=9)
    own = await with_key(job, job.finance, by=None, days=8, ends=0)
    slipped = await with_key(job, job.finance, by=owner, days=1)
    await refused_as_one(job, *((owner, slipped) if owner_first else (slipped, owner)))
    if owner_first:
        # The signatory's own key is another person's.
        assert (await job.send("approve", own)).status == "released"


async def test_owner_does_not_sign_with_two_keys_that_it_issued_for_others(award):
    job = await (await award()).delivered()
    owner = Actor(principal="boss", role=Role.OWNER, org_id=job.terms.payer_org_id)
    slipped = []
    for signatory in (job.finance, job.procurement):
        await with_key(job, signatory, by=None, days=9, ends=2)
        slipped.append(await with_key(job, signatory, by=owner, days=1))
    await refused_as_one(job, *slipped)


async def test_key_that_an_issued_key_has_issued_is_its_issuers_too(award):
    job = await (await award()).delivered()
    owner = await with_key(job, job.procurement, by=None, days=9)
    await with_key(job, job.finance, by=None, days=8, ends=5)
    await with_key(job, job.finance, by=owner, days=4, ends=1)
    own = await with_key(job, job.finance, by=job.finance, days=2)
    await refused_as_one(job, owner, own)


async def test_link_made_with_an_issued_key_is_its_issuers_too(award):
    job = await (await award()).delivered()
    owner = await with_key(job, job.procurement, by=None, days=9)
    ben = Actor(principal="ben", role=Role.OWNER, org_id=job.terms.payer_org_id)
    await with_key(job, ben, by=None, days=8, ends=2)
    slipped = await with_key(job, ben, by=owner, days=1)
    session_id = await with_session(job, slipped)
    await refused_as_one(job, replace(job.finance, session_id=session_id, made_by=ben.qualified()), owner)


@pytest.mark.parametrize("shape", ["key", "rotated", "two between", "link"])
async def test_names_in_between_do_not_hide_a_person(award, shape):
    job = await (await award()).delivered()
    org_id = job.terms.payer_org_id
    owner = await with_key(job, job.procurement, by=None, days=9)
    made_up = await with_key(job, Actor(principal="made-up", role=Role.OWNER, org_id=org_id), by=owner, days=8)
    if shape == "rotated":
        made_up = await with_key(job, made_up, by=made_up, days=7, ends=0)
    if shape == "two between":
        made_up = await with_key(job, Actor(principal="another", role=Role.OWNER, org_id=org_id), by=made_up, days=7)
    if shape == "link":
        slipped = replace(job.finance, session_id=await with_session(job, made_up), made_by=made_up.qualified())
    else:
        await with_key(job, job.finance, by=None, days=6, ends=5)
        slipped = await with_key(job, job.finance, by=made_up, days=4)
    await refused_as_one(job, slipped, owner)


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_key_in_an_operators_line_signs_nothing_and_the_first_one_of_an_organization_signs(award, steps):
    job = await (await award()).delivered()
    kim = Actor(principal="kim", role=Role.OPERATOR)
    owner = await with_key(job, job.procurement, by=kim, days=9)
    slipped = await with_key(job, job.finance, by=kim, days=8, ends=3)
    for step in range(steps):
        slipped = await with_key(job, job.finance, by=slipped, days=4 - step, ends=2 - step)
    by_link = replace(job.finance, session_id=await with_session(job, slipped), made_by=slipped.qualified())
    for actor in (slipped, by_link):
        with pytest.raises(Forbidden) as refused:
            await job.send("approve", actor)
        assert refused.value.error_code == "api_key.operator_issued"
    assert await signed(job) == []
    await job.send("approve", owner)
    assert (await job.send("approve", await with_key(job, job.finance, by=None, days=7))).status == "released"


async def test_owner_and_the_holder_of_a_first_key_are_two(award):
    job = await (await award()).delivered()
    owner = await with_key(job, job.procurement, by=None, days=9)
    await job.send("approve", owner)
    assert (await job.send("approve", await with_key(job, job.finance, by=owner, days=8))).status == "released"
