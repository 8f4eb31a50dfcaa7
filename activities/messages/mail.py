"""Sends mails that are queued."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from contracts.common.batch import DuePage
from contracts.messages.mail import SentMails
from domain.common.mail import GIVE_UP_AFTER, Formats, MailKind, MailStatus
from domain.messages.mail_kind import purpose_of, render_mail
from domain.messages.mentions import ids_in, localize_mail
from domain.tenants.session import SIGN_IN_PERIOD
from models.messages.mail import QueuedMail
from providers.formats import formats_of
from providers.notify.base import Delivery, Message, Notifier
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from repositories.messages import alert, mail as mails
from repositories.tenants import contact, name
from runtime.database import Database
from runtime.sealing import Sealer

NO_SERVER = "No mail server is set up."
NO_CONTACT = "The organization has no contact for this."
NO_KEY = "The link cannot be opened: the key that sealed it is not among BURSAR_ENCRYPTION_KEYS."


class MailActivities:
    """The activity of `MailSweepWorkflow`. An attempt is claimed in one transaction and recorded in another."""

    def __init__(
        self,
        database: Database,
        mailer: Notifier | None,
        *,
        give_up_after: timedelta = GIVE_UP_AFTER,
        formats: Callable[[str], Formats] = formats_of,
        sealer: Sealer | None = None,
    ) -> None:
        """Take the mail carrier, None if there is none, how long a mail is retried, formatters, what opens links."""
        self._database, self._mailer, self._formats = database, mailer, formats
        self._give_up_after, self._sealer = give_up_after, sealer or Sealer()

    @activity.defn
    async def send_mails(self, message: DuePage) -> SentMails:
        """Send the mails that are due.

        Effect: a mail for each at the mail server, and its response in the queue.
        Idempotent by: the mail's key, which its Message-ID is made of; a sent mail is not queued any more. A mail whose
            sending was interrupted is sent again with the same Message-ID.
        """
        if self._mailer is None:
            return await self._give_up_all(message.now, message.limit)
        async with self._database.platform() as session:
            due = await mails.claim(session, now=message.now, limit=message.limit)
        ends = [await self._send(row, message.now) for row in due]
        return SentMails(found=len(due), sent=ends.count(MailStatus.SENT), failed=ends.count(MailStatus.FAILED))

    async def _send(self, row: QueuedMail, now: datetime) -> MailStatus:
        if not row.recipients and not await self._found_recipients(row):
            return await self._write(row, Delivery(), NO_CONTACT, now)
        assert self._mailer is not None
        kind, left = MailKind(row.kind), tuple(one for one in row.recipients if one not in row.reached)
        formats = self._formats(row.language)
        data = dict(row.data)
        if "link" in data:
            link = self._sealer.open(data["link"])
            if link is None:
                return await self._write(row, Delivery(), NO_KEY, now)
            data["link"] = link
        words = render_mail(kind, data, row.language, formats)
        async with self._database.platform() as session:
            names = await name.names_of(session, ids_in((words.subject, *words.paragraphs)), row.org_id)
        words = localize_mail(words, names, formats, zone="UTC", language=row.language)
        try:
            message = Message(to=left, language=row.language, words=words)
            done = await self._mailer.send(message, idempotency_key=row.key)
        except ProviderRefused as error:
            return await self._write(row, Delivery(refused=dict.fromkeys(left, error.detail)), error.detail, now)
        except (ProviderUnavailable, OutcomeUnknown) as error:
            return await self._write(row, Delivery(), error.detail, now)
        said = [*done.refused.values(), *done.deferred.values()]
        return await self._write(row, done, said[0] if said else None, now)

    async def _found_recipients(self, row: QueuedMail) -> bool:
        async with self._database.platform() as session:
            language, found = await contact.recipients(session, row.org_id, purpose_of(MailKind(row.kind)))
            await mails.address(session, row.id, language, found)
        row.language, row.recipients = language, list(found)
        return bool(found)

    async def _write(self, row: QueuedMail, done: Delivery, problem: str | None, now: datetime) -> MailStatus:
        """Record the result of an attempt: done for every recipient, to be retried, or given up."""
        reached = [*row.reached, *done.accepted, *done.refused]
        status = MailStatus.QUEUED
        if row.recipients and set(row.recipients) <= set(reached):
            # No recipient's server accepted it, at this attempt or an earlier one.
            status = MailStatus.SENT if done.accepted or len(reached) > len(done.refused) else MailStatus.FAILED
        elif mails.is_over(row, now=now, give_up_after=self._lasts(row)):
            status = MailStatus.FAILED
        async with self._database.platform() as session:
            await mails.note(session, row.id, reached=reached, problem=problem)
            if status is not MailStatus.QUEUED:
                await mails.end(session, row.id, status, now=now)
            if status is MailStatus.FAILED or done.refused.keys() - done.suppressed:
                await self._alert(session, row, problem or "")
        return status

    def _lasts(self, row: QueuedMail) -> timedelta:
        # Afterwards the link opens nothing.
        return min(self._give_up_after, SIGN_IN_PERIOD) if row.kind == MailKind.SIGN_IN else self._give_up_after

    async def _alert(self, session: AsyncSession, row: QueuedMail, problem: str) -> None:
        await alert.raise_alert(
            session,
            kind="mail.undelivered",
            subject=row.id,
            detail=f"A mail ({row.kind}) did not reach everybody that it was for: {problem} Check the contacts.",
            org_id=row.org_id,
            shared=True,
        )

    async def _give_up_all(self, now: datetime, limit: int) -> SentMails:
        """Give up mails that are too old to be sent later, and alert once that there is no mail carrier."""
        async with self._database.platform() as session:
            count = await mails.give_up(
                session, queued_before=now - self._give_up_after, limit=limit, problem=NO_SERVER
            )
            if count:
                detail = f"{NO_SERVER} Mails are given up unsent: set BURSAR_MAIL_HOST and BURSAR_MAIL_SENDER."
                await alert.raise_alert(session, kind="mail.no_server", subject="mail", detail=detail)
        return SentMails(found=count, failed=count)
