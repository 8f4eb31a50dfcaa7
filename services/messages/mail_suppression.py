"""Suppression of mail addresses that no longer exist, by bounce reports or responses of mail servers."""

from dataclasses import replace
from datetime import date, datetime

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import BadSignature
from domain.messages.mail_bounce import (
    bounce_address,
    missing_mailbox_status,
    read_bounce_address,
    read_report,
    recipients_of,
    signed_text,
)
from models.messages.mail_suppression import MailSuppression
from providers.notify.base import Delivery, Message, Notifier
from repositories.messages import alert, mail_suppression as suppressions
from repositories.tenants import audit
from runtime.database import Database
from runtime.identity import new_id
from runtime.signing import Signer

#: The kind of the alert about a suppressed address.
SUPPRESSED_ALERT = "mail.suppressed"
#: The purpose of these signatures for `Signer`.
PURPOSE = "mail bounce"
_CAME_BACK = "Mail to this address came back, so none is sent there."


class BounceAddresses:
    """Return addresses of mails, and the bounce reports that arrive there."""

    def __init__(self, mailbox: str, signer: Signer) -> None:
        self._mailbox, self._signer = mailbox, signer

    @classmethod
    def of(cls, mailbox: str | None, keys: SecretStr | None) -> "BounceAddresses | None":
        """Return a deployment's addresses; None without a mailbox for bounced mails."""
        return None if mailbox is None else cls(mailbox, Signer(keys, purpose=PURPOSE))

    def address(self, to: str, day: date) -> str:
        """Return the return address of a mail to an address on a day."""
        return bounce_address(self._mailbox, day, self._signer.sign(signed_text(to, day)))

    def read(self, raw: bytes, recipient: str | None, today: date) -> tuple[str, str, date] | None:
        """Return the bounced address, the status code, and the date of the original mail.

        None if the mail is not a report, or reports a temporary failure.

        Args:
            raw: the received mail.
            recipient: the address that received it; None to read it from the headers.
            today: of the request.

        Raises:
            BadSignature: the original mail was not sent by this deployment.
        """
        given = recipients_of(raw) if recipient is None else (recipient,)
        tokens = [token for each in given if (token := read_bounce_address(self._mailbox, each, today)) is not None]
        if not tokens:
            raise BadSignature("The recipient is not a return address of this deployment, or is too old.")
        report = read_report(raw)
        if report is None:
            return None
        for token in tokens:
            for address in report.addresses:
                if self._signer.verifies(signed_text(address, token.day), token.signature):
                    return None if report.status is None else (address, report.status, token.day)
        raise BadSignature("The report is for addresses that this mailbox never sent to.")


class SuppressingNotifier:
    """Mailer that skips suppressed addresses, and suppresses those that the server reports as gone."""

    def __init__(self, carrier: Notifier, database: Database) -> None:
        self._carrier, self._database = carrier, database

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Send a mail, except to suppressed addresses, which are in `refused` and `suppressed` of the result."""
        async with self._database.platform() as session:
            held = await suppressions.among(session, message.to)
        left = tuple(address for address in message.to if address not in held)
        done = Delivery()
        if left:
            done = await self._carrier.send(replace(message, to=left), idempotency_key=idempotency_key)
        gone = {
            address: status
            for address, said in done.refused.items()
            if (status := missing_mailbox_status(said)) is not None
        }
        if gone:
            async with self._database.platform() as session:
                for address, status in gone.items():
                    await suppress(session, address, status, sent_on=None)
        refused = {**done.refused, **dict.fromkeys((each for each in message.to if each in held), _CAME_BACK)}
        return replace(done, refused=refused, suppressed=frozenset(held))


async def suppress(session: AsyncSession, address: str, status: str, *, sent_on: date | None) -> None:
    """Suppress an address, and alert the organizations with that contact, or operators.

    Args:
        session: of the platform.
        address: the address.
        status: the code of its server.
        sent_on: the date of the bounced mail; None if the server has just refused it.
    """
    suppression_id = new_id("sup")
    if not await suppressions.add(session, suppression_id, address, status, sent_on=sent_on or date.max):
        return
    # No address in it: alerts are kept for longer than contacts.
    detail = (
        f"Mail to one of the contacts bounced permanently ({status}), so none is sent there any more. "
        "Replace the contact, or ask the operator to lift the suppression."
    )
    org_ids = await suppressions.organizations_with(session, address)
    for org_id in org_ids:
        key = f"{SUPPRESSED_ALERT}:{suppression_id}:{org_id}"
        await alert.raise_alert(
            session, kind=SUPPRESSED_ALERT, subject=suppression_id, detail=detail, org_id=org_id, key=key, shared=True
        )
    if not org_ids:
        detail = f"Mail to an address bounced permanently ({status}), so none is sent there any more."
        await alert.raise_alert(session, kind=SUPPRESSED_ALERT, subject=suppression_id, detail=detail)


async def lift(session: AsyncSession, actor: Actor, suppression_id: str, now: datetime) -> MailSuppression:
    """Send mail to an address again, and resolve the alerts about it."""
    row, changed = await suppressions.lift(session, suppression_id, actor.principal, now)
    if changed:
        await alert.close_cases(session, suppression_id, [SUPPRESSED_ALERT])
        await audit.record(session, actor, "mail_suppression.lift", row.id, {"status": row.status}, None)
    return row
