"""Links that are mailed to people: made, and sealed for the queue of mails."""

import contextlib
from datetime import datetime, timedelta

from temporalio.service import RPCError

from api.deps import Deps
from api.keyring import new_secret
from domain.common.errors import SessionNoMail
from domain.tenants.session import CONSOLE
from domain.tenants.token import hash_of, token_of
from models.tenants.session import SessionLink
from runtime.identity import new_id
from services.tenants.person import MailedLink


def mailed_link(deps: Deps, *, org_id: str, role: str, made_by: str, now: datetime, lasts: timedelta) -> MailedLink:
    """Return a new link, whose person is set when it is stored; after `refuse_without_mail`."""
    secret = new_secret()
    row = SessionLink(
        id=new_id("lnk"),
        secret_hash=hash_of(secret),
        org_id=org_id,
        role=role,
        path=f"{CONSOLE}/{org_id}",
        made_by=made_by,
        by_mail=True,
        expires_at=now + lasts,
    )
    return MailedLink(row, f"{deps.settings.console_url}/enter/{token_of(row.id, secret)}", deps.link_sealer)


async def send_now(deps: Deps) -> None:
    """Start the sweep that sends mails, which otherwise starts once a minute; people wait for these."""
    if deps.temporal is None:
        return
    sweep = deps.temporal.get_schedule_handle("mail-sweep")
    with contextlib.suppress(RPCError, RuntimeError):
        await sweep.trigger(rpc_timeout=timedelta(milliseconds=300))


def refuse_without_mail(deps: Deps) -> None:
    if not deps.settings.mails_links:
        raise SessionNoMail(
            "The platform cannot mail links. Ask the operator to set BURSAR_PUBLIC_URL, BURSAR_MAIL_HOST and "
            "BURSAR_ENCRYPTION_KEYS."
        )
