"""View models of the pages before signing in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from console.choices import Choices
from console.development import Persona
from console.format import Moment, moment
from console.forms import FormState
from console.texts import _
from console.who import actor_named, role_named
from console.widgets import FormPage, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn(FormPage):
    """The sign-in page. `next` is a path of the console, empty for the start; `personas` are for development only."""

    next: str
    personas: tuple[Persona, ...]
    by_mail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed(Page):
    """Page after an address was entered: the same for every address."""

    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter(Page):
    """Who one becomes by a link; `token` is empty for a link that opens nothing any more, and `sentence` says why."""

    sentence: str = ""
    token: str = ""
    principal: str = ""
    role: str = ""
    organization: str = ""
    made_by: str = ""
    by_mail: bool = False
    until: Moment | None = None
    back_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut(Page):
    """A button for people who open the address by hand."""


def sign_in(form: FormState, next_path: str, personas: tuple[Persona, ...], *, by_mail: bool) -> SignIn:
    return SignIn(title=_("Sign in"), form=form, next=next_path, personas=personas, by_mail=by_mail)


def mailed(email: str) -> Mailed:
    return Mailed(title=_("Check your mail"), email=email)


def enter(token: str, preview: Mapping[str, Any], choices: Choices) -> Enter:
    organization, made_by = preview.get("organization") or {}, actor_named(preview["made_by"])
    name = organization.get("name", "")
    return Enter(
        title=_("Sign in to %(name)s", name=name) if preview["by_mail"] else _("Sign in with this link"),
        token=token,
        principal=preview["principal"],
        role=role_named(preview["role"]),
        organization=name,
        # A person who signs in has asked for the link.
        made_by="" if made_by == preview["principal"] else made_by,
        by_mail=preview["by_mail"],
        until=moment(preview["expires_at"], choices.prefs),
        back_host=urlsplit(preview.get("return_url") or "").netloc,
    )


def no_entry(sentence: str) -> Enter:
    return Enter(title=_("Invalid link"), sentence=sentence)
