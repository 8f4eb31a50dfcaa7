"""The batch that asks again for VAT numbers that are not confirmed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.billing.vat_numbers import VatNumberActivities
from contracts.billing.vat_numbers import VatConfirmations
from contracts.common.batch import DuePage
from dev.sandbox.vies.app import Register, create_app
from models.billing.billing_profile import BillingProfile
from models.messages.alert import Alert
from providers.tax.base import Confirmation
from providers.tax.vies import Vies
from repositories.billing import billing_profile
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from tests.support.billing import draft, finalise, located, organization, rate
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.common.handling import VatConfirmationsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def profiles(database: Database) -> dict[str | None, tuple[bool, datetime | None]]:
    async with database.platform() as session:
        rows = await session.scalars(select(BillingProfile).where(BillingProfile.vat_id.is_not(None)))
        return {row.vat_id: (bool(row.vat_reference), row.vat_confirmed_at) for row in rows}


async def test_numbers_are_confirmed_until_the_register_answers_and_invalid_ones_raise_alerts(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    queue = new_id("queue")
    register, client = Register(down=["AT"]), with_plugin(timeskip_env.client)
    numbers = {"DE136695976": "DE", "ATU13585627": "AT", "DE100000000": "DE", "GB980780684": "GB"}
    orgs = {}
    for number, country in numbers.items():
        orgs[number] = await organization(database)
        await located(database, orgs[number], country, vat_id=number)
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(register)))
    work = VatNumberActivities(database, Vies(http, "http://vies.example", requester="DE129273398"))
    async with (
        http,
        Worker(client, task_queue=queue, workflows=[VatConfirmationsWorkflow], activities=[work.confirm_vat_numbers]),
    ):
        runs = []
        for _ in range(2):
            handle = await client.start_workflow(
                VatConfirmationsWorkflow.run,
                VatConfirmations(now=NOW, limit=2),
                id=new_id("vat"),
                task_queue=queue,
            )
            runs.append(await handle.result())
            register.down = set()
        assert "confirmed: 1" in str(await handle.query("__temporal_workflow_metadata"))
        await replay_and_keep(await handle.fetch_history(), "vat-confirmations/completed")
    assert [(run.found, run.confirmed, run.refused) for run in runs] == [(3, 1, 1), (2, 1, 1)]
    assert await profiles(database) == {
        "DE136695976": (True, NOW),
        "ATU13585627": (True, NOW),
        "DE100000000": (False, None),
        "GB980780684": (False, None),
    }
    async with database.platform() as session:
        alerts = (await session.scalars(select(Alert.org_id).where(Alert.kind == "tax.vat_not_in_force"))).all()
    assert alerts == [orgs["DE100000000"]]
    nobody = await VatNumberActivities(database, None).confirm_vat_numbers(DuePage(now=NOW, after="", limit=2))
    assert nobody.found == 0


async def test_an_answer_for_a_number_that_was_changed_meanwhile_is_dropped(database: Database) -> None:
    org = await organization(database)
    await located(database, org, "DE", vat_id="DE136695976")

    class Slow:
        async def confirm(self, country: str, number: str) -> Any:
            async with database.platform() as session:
                row = await billing_profile.lock(session, org, "kim")
                row.vat_id = "DE129273398"
            return await answering.confirm(country, number)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app())) as http:
        answering = Vies(http, "http://vies.example", requester="DE129273398")
        page = await VatNumberActivities(database, Slow()).confirm_vat_numbers(DuePage(now=NOW, after="", limit=2))
    assert page.confirmed == 0
    assert await profiles(database) == {"DE129273398": (False, None)}


def test_unconfirmed_numbers_are_checked_every_night() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "vat-confirmations"]
    assert (job.workflow, len(job.spec.calendars)) == ("vat-confirmations", 1)


async def test_number_that_is_not_in_force_any_more_ends_reverse_charge_after_a_month(database: Database) -> None:
    org = await organization(database)
    await rate(database, "fr-vat", "FR", 200_000)
    await located(database, org, "FR", vat_id="FR40303265045", vat_reference="WAPI1", vat_confirmed_at=NOW)
    answers = [Confirmation(is_valid=True, reference="WAPI2"), Confirmation(is_valid=False, reference="WAPI3")]

    class Answering:
        async def confirm(self, country: str, number: str) -> Confirmation:
            return answers.pop(0)

    async def asked(days: int) -> tuple[int, int]:
        message = DuePage(now=NOW + timedelta(days=days), after="", limit=2)
        page = await VatNumberActivities(database, Answering()).confirm_vat_numbers(message)
        return page.found, (await finalise(database, await draft(database, org))).tax_minor

    assert [await asked(days) for days in (29, 31, 60, 62)] == [(0, 0), (1, 0), (0, 0), (1, 2_000)]
    async with database.platform() as session:
        told = (await session.scalars(select(Alert.kind).where(Alert.subject == org))).all()
    assert told == ["tax.vat_not_in_force"]
