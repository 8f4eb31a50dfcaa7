"""Sending of queued mails."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from contracts.common.batch import DuePage
from contracts.messages.mail import SentMails
from domain.common.mail import GIVE_UP_AFTER, Formats, MailKind, MailStatus, language_of
from domain.messages.mail_kind import purpose_of, render_mail
from domain.messages.mentions import ids_in, localize_mail
from domain.tenants.session import SIGN_IN_PERIOD
from models.messages.mail import QueuedMail
from providers.formats import formats_of
from providers.notify.base import Delivery, Message, Notifier
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from repositories.messages import alert, mail as mails, notification
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
        """Take the mail carrier or None, the time that a mail is retried, formatters, and the sealer of links."""
        self._database, self._mailer, self._formats = database, mailer, formats
        self._give_up_after, self._sealer = give_up_after, sealer or Sealer()

    @activity.defn
    async def send_mails(self, message: DuePage) -> SentMails:
        """Send the due mails.

        Effect: a mail for each at the mail server, and its response in the queue.
        Idempotent by: the mail's key, from which its Message-ID is derived; a sent mail is no longer queued. An
            interrupted mail is sent again with the same Message-ID.
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
        kind, left = MailKind(row.kind), tuple(one for one in row.recipients if one not in row.reached)
        data = dict(row.data)
        if "link" in data:
            link = self._sealer.open(data["link"])
            if link is None:
                return await self._write(row, Delivery(), NO_KEY, now)
            data["link"] = link
        async with self._database.platform() as session:
            locales = await notification.locales(session, row.org_id, left)
        by_language: dict[str, tuple[str, ...]] = {}
        for address in left:
            language = language_of(locales.get(address.lower()), row.language)
            by_language[language] = (*by_language.get(language, ()), address)
        sent = [await self._deliver(row, kind, data, language, to) for language, to in by_language.items()]
        done = Delivery(
            accepted=tuple(address for each, _ in sent for address in each.accepted),
            refused={address: why for each, _ in sent for address, why in each.refused.items()},
            deferred={address: why for each, _ in sent for address, why in each.deferred.items()},
            suppressed=frozenset[str]().union(*(each.suppressed for each, _ in sent)),
        )
        return await self._write(row, done, next((problem for _, problem in sent if problem), None), now)

    async def _deliver(
        self, row: QueuedMail, kind: MailKind, data: Mapping[str, str], language: str, to: tuple[str, ...]
    ) -> tuple[Delivery, str | None]:
        """Send a mail in one language; returns the result by address, and the first problem."""
        assert self._mailer is not None
        formats = self._formats(language)
        words = render_mail(kind, data, language, formats)
        async with self._database.platform() as session:
            names = await name.names_of(session, ids_in((words.subject, *words.paragraphs)), row.org_id)
        words = localize_mail(words, names, formats, zone="UTC", language=language)
        key = row.key if language == row.language else f"{row.key}:{language}"
        try:
            done = await self._mailer.send(Message(to=to, language=language, words=words), idempotency_key=key)
        except ProviderRefused as error:
            return Delivery(refused=dict.fromkeys(to, error.detail)), error.detail
        except (ProviderUnavailable, OutcomeUnknown) as error:
            return Delivery(), error.detail
        return done, next(iter((*done.refused.values(), *done.deferred.values())), None)

    async def _found_recipients(self, row: QueuedMail) -> bool:
        async with self._database.platform() as session:
            language, found = await contact.recipients(session, row.org_id, purpose_of(MailKind(row.kind)))
            await mails.address(session, row.id, language, found)
        row.language, row.recipients = language, list(found)
        return bool(found)

    async def _write(self, row: QueuedMail, done: Delivery, problem: str | None, now: datetime) -> MailStatus:
        """Record the result of an attempt: done for every recipient, to retry, or given up."""
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
            detail=f"A mail ({row.kind}) did not reach all recipients: {problem} Check the contacts.",
            org_id=row.org_id,
            shared=True,
        )

    async def _give_up_all(self, now: datetime, limit: int) -> SentMails:
        """Give up mails that are too old, and raise an alert once that there is no mail carrier."""
        async with self._database.platform() as session:
            count = await mails.give_up(
                session, queued_before=now - self._give_up_after, limit=limit, problem=NO_SERVER
            )
            if count:
                detail = f"{NO_SERVER} Mails are given up unsent: set BURSAR_MAIL_HOST and BURSAR_MAIL_SENDER."
                await alert.raise_alert(session, kind="mail.no_server", subject="mail", detail=detail)
        return SentMails(found=count, failed=count)
