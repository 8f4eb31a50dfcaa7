"""The schedule that sends mails."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages.mail import MailActivities
from contracts.messages.mail import MailSweep
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import MailKind
from models.tenants.organization import Organization
from repositories.tenants import contact
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from services.messages import mail
from tests.support.histories import replay_and_keep
from tests.support.mails import CONTACTS, listening, mailer
from tests.workflows.conftest import with_plugin
from workflows.common.handling import PAGE, MailSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_a_run_sends_page_by_page_and_ends(database: Database, timeskip_env: WorkflowEnvironment) -> None:
    queue, org = new_id("queue"), new_id("org")
    client, mailbox = with_plugin(timeskip_env.client), Mailbox()
    now = datetime.now(UTC)
    async with database.platform() as session:
        session.add(Organization(id=org, name="x", created_by="x", command_id=org))
        await session.flush()
        await contact.put(session, org, "en", CONTACTS, by="x", now=now)
        for number in range(PAGE + 1):
            data = {"month": "2026-10"}
            await mail.queue(session, key=str(number), org_id=org, kind=MailKind.STATEMENT_READY, data=data)
    async with listening(mailbox) as port:
        work = MailActivities(database, mailer(port))
        async with Worker(client, task_queue=queue, workflows=[MailSweepWorkflow], activities=[work.send_mails]):
            handle = await client.start_workflow(
                MailSweepWorkflow.run,
                MailSweep(now=now + timedelta(minutes=1), limit=PAGE),
                id=new_id("mails"),
                task_queue=queue,
            )
            done = await handle.result()
            assert (done.found, done.sent, done.failed) == (PAGE + 1, PAGE + 1, 0)
            assert f"sent: {PAGE + 1}" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "mail-sweep/completed")
    assert len(mailbox.mails) == PAGE + 1


def test_mails_are_sent_every_minute() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "mail-sweep"]
    assert (job.workflow, [interval.every for interval in job.spec.intervals]) == ("mail-sweep", [timedelta(minutes=1)])
