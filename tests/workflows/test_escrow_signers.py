"""Two required signatures are two people's, whichever names one of them can sign by."""

import asyncio
from dataclasses import replace

import pytest

from domain.access import Actor
from domain.errors import Conflict
from domain.escrow.state import Milestone
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


async def test_of_two_signatures_by_one_person_at_once_one_counts(award):
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
    job = await (await award(named_operators=True)).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim"})
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim"})
    refused = await job.told("command_refused")
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
