"""Unsubscribe page of messages, and the one-click unsubscription of mail clients (RFC 8058).

A GET shows a button and changes nothing, because mail scanners follow links. No key is needed: the token in the link is
limited to one type of messages, or one cadence of digests, of one channel of a principal.
"""

import base64
import hashlib
from datetime import UTC, datetime
from html import escape
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.body import raw_body
from api.deps import DepsDep, SettingsDep
from domain.common.errors import DomainError, NotFound
from domain.common.mail import language_of
from services.messages import notification
from services.messages.unsubscribing import MAX_TOKEN, PATH

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Token = Annotated[str, Query(max_length=MAX_TOKEN)]

_STYLE = """:root{color-scheme:light dark}
body{font:17px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.25rem}
h1{font-size:1.4rem;line-height:1.3}
button{font:inherit;font-weight:600;padding:.6em 1.3em;border:0;border-radius:.45em;background:#1d4ed8;color:#fff}
.platform{opacity:.7}"""
_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{title}</title><style>{style}</style>
<body><p class="platform">{platform}</p><h1>{title}</h1><p>{text}</p>{form}</body></html>"""
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    # The address holds the token.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_WORDS = {
    "en": {
        "ask": ("Stop messages like this one?", "You get no more messages of this kind over this channel."),
        "button": "Stop them",
        "done": (
            "Done",
            "You get no more messages of this kind over this channel. Your preferences can change it back.",
        ),
        "unknown": ("This link does not work", "It is not complete, or was not made here."),
        "kept": (
            "This cannot be switched off",
            "Somebody of your organization has to get these, and you are the only one.",
        ),
    },
    "de": {
        "ask": ("Solche Nachrichten abbestellen?", "Sie erhalten Nachrichten dieser Art auf diesem Weg nicht mehr."),
        "button": "Abbestellen",
        "done": (
            "Erledigt",
            "Sie erhalten Nachrichten dieser Art auf diesem Weg nicht mehr. Ihre Einstellungen können das ändern.",
        ),
        "unknown": ("Dieser Link funktioniert nicht", "Er ist nicht vollständig oder stammt nicht von hier."),
        "kept": (
            "Das lässt sich nicht abbestellen",
            "Jemand aus Ihrer Organisation muss diese Nachrichten erhalten, und das sind nur Sie.",
        ),
    },
    "fr": {
        "ask": (
            "Ne plus recevoir de messages de ce type ?",
            "Vous ne recevrez plus de messages de ce type par ce canal.",
        ),
        "button": "Se désabonner",
        "done": (
            "C'est fait",
            "Vous ne recevrez plus de messages de ce type par ce canal. Vos préférences permettent de changer cela.",
        ),
        "unknown": ("Ce lien ne fonctionne pas", "Il est incomplet ou ne provient pas d'ici."),
        "kept": (
            "Désabonnement impossible",
            "Quelqu'un de votre organisation doit recevoir ces messages, et vous êtes la seule personne concernée.",
        ),
    },
    "es": {
        "ask": ("¿Dejar de recibir mensajes de este tipo?", "No recibirá más mensajes de este tipo por este canal."),
        "button": "Darse de baja",
        "done": (
            "Hecho",
            "No recibirá más mensajes de este tipo por este canal. Puede cambiarlo en sus preferencias.",
        ),
        "unknown": ("Este enlace no funciona", "Está incompleto o no procede de aquí."),
        "kept": (
            "No es posible darse de baja",
            "Alguien de su organización debe recibir estos mensajes, y usted es la única persona que los recibe.",
        ),
    },
}


@router.api_route(PATH, methods=["GET", "HEAD"])
async def ask_to_unsubscribe(request: Request, deps: DepsDep, settings: SettingsDep, token: Token = "") -> HTMLResponse:
    """Show the button without any change."""
    try:
        deps.unsubscribing.read(token)
    except NotFound:
        return _page(request, settings.mail_sender_name, "unknown", 404)
    return _page(request, settings.mail_sender_name, "ask", 200)


@router.post(PATH)
@raw_body
async def unsubscribe(request: Request, deps: DepsDep, settings: SettingsDep, token: Token = "") -> HTMLResponse:
    """Switch off the messages of the token, ignoring the body. Idempotent."""
    try:
        wanted = deps.unsubscribing.read(token)
    except NotFound:
        return _page(request, settings.mail_sender_name, "unknown", 404)
    try:
        async with deps.database.platform() as session:
            await notification.unsubscribe(
                session,
                org_id=wanted.org_id,
                principal=wanted.principal,
                channel_id=wanted.channel_id,
                kind=wanted.kind,
                now=datetime.now(UTC),
            )
    except NotFound:
        # The channel is gone, so nothing is sent over it.
        return _page(request, settings.mail_sender_name, "done", 200)
    except DomainError as refusal:
        if refusal.status != 409:
            raise
        return _page(request, settings.mail_sender_name, "kept", 409)
    return _page(request, settings.mail_sender_name, "done", 200)


def _page(request: Request, platform: str, name: str, status: int) -> HTMLResponse:
    language = language_of(request.headers.get("accept-language", "").lower()[:2])
    said = _WORDS[language]
    title, text = said[name]
    form = f'<form method="post"><button>{said["button"]}</button></form>' if name == "ask" else ""
    page = _PAGE.format(
        language=language, title=escape(title), text=escape(text), platform=escape(platform), form=form, style=_STYLE
    )
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
