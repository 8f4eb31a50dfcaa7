"""What the pages before signing in show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from console.choices import Choices
from console.development import Persona
from console.format import Moment, moment
from console.forms import Shown
from console.who import actor_named


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The sign-in page. `next` is a path of the console, empty for the start; `personas` are for development only."""

    title: str
    form: Shown
    next: str
    personas: tuple[Persona, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """Who one becomes by a link; `token` is empty for a link that opens nothing any more, and `sentence` says why."""

    title: str
    sentence: str = ""
    token: str = ""
    principal: str = ""
    role: str = ""
    organization: str = ""
    made_by: str = ""
    until: Moment | None = None
    back_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """A button for people who open the address by hand."""

    title: str


def sign_in(form: Shown, next_path: str, personas: tuple[Persona, ...]) -> SignIn:
    """Return the sign-in page."""
    return SignIn(title="Sign in", form=form, next=next_path, personas=personas)


def enter(token: str, preview: Mapping[str, Any], choices: Choices) -> Enter:
    """Return the page of a link, by what the API says of it."""
    organization = preview.get("organization") or {}
    return Enter(
        title="Enter by this link",
        token=token,
        principal=preview["principal"],
        role=preview["role"],
        organization=organization.get("name", ""),
        made_by=actor_named(preview["made_by"]),
        until=moment(preview["expires_at"], choices.prefs),
        back_host=urlsplit(preview.get("return_url") or "").netloc,
    )


def no_entry(sentence: str) -> Enter:
    """Return the page of a link that opens nothing."""
    return Enter(title="This link opens nothing", sentence=sentence)
