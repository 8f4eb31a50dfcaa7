"""Request and response schemas of sessions and links."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import AgentId, OrganizationId, Period, Principal, RequestModel, ResponseModel, example
from api.v1.changes.schemas import MarksView
from domain.common.access import Actor, Permission, Role
from domain.common.locale import Locale
from domain.payments.payment.livemode import Environment
from domain.tenants.session import CONSOLE, LINK_PERIOD, MAX_PATH, SessionLifetime, idle_at
from models.tenants.session import Session, SessionLink

Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MeOrganization(ResponseModel):
    """The organization of the caller."""

    id: str
    name: str
    tier: str
    logo_url: str | None = Field(description="The path of its logo, which changes with it; null without one.")


class MeAgent(ResponseModel):
    """The agent that a key acts for."""

    id: str
    name: str


class MeSession(ResponseModel):
    """The session of a request."""

    id: str
    expires_at: datetime = Field(description="When it ends at the latest.")
    idle_at: datetime = Field(description="When it ends if it is not used before.")
    made_by: str | None = Field(description="Who made the link that opened it; null for a session opened with a key.")


class MePreferences(ResponseModel):
    """The locale and the time zone of a principal."""

    locale: Locale | None = Field(description="How numbers and dates are written, and the language of messages.")
    time_zone: str | None


class MePreferencesSet(RequestModel):
    """The caller's locale and time zone, which replace the current ones; null for none."""

    locale: Locale | None = Field(default=None, description="A BCP 47 tag.")
    time_zone: str | None = Field(default=None, max_length=64, description="A time zone of the IANA database.")

    model_config = example(locale="de-AT", time_zone="Europe/Vienna")


class MeView(MePreferences):
    """The caller, and its permissions."""

    principal: str
    role: Role
    permissions: list[Permission]
    organization: MeOrganization | None = Field(description="Null for keys of the platform.")
    agent: MeAgent | None
    confined: bool = Field(
        description="Whether the key reads uses, limits and totals of its agent, department or project only."
    )
    session: MeSession | None = Field(description="The session; null for a request with a key.")
    key_id: str | None = Field(description="The key, or the key of the session; null if a link opened the session.")
    environment: Environment = Field(description="`sandbox` and `test` move no real money.")
    unread: int | None = Field(
        description="The number of unread notifications, 100 for more, if it was asked for and the caller gets any."
    )
    marks: MarksView | None = Field(
        description="The marks of `GET /changes`, if they were asked for and the role may read."
    )


class SessionCreate(RequestModel):
    """A new session; the body has no fields."""

    model_config = example()


class SessionCreated(ResponseModel):
    """A session with its token, which is shown only once."""

    id: str
    token: str | None = Field(description="Send it as the bearer token. Null in a replayed response.")
    expires_at: datetime


class SessionView(ResponseModel):
    """A session, without its token."""

    id: str
    principal: str
    role: Role
    organization_id: str | None
    browser: str = Field(description="The browser in short words, such as `Firefox on Linux`.")
    address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    idle_at: datetime
    made_by: str | None = Field(description="Who made the link that opened it; null for a session opened with a key.")
    current: bool = Field(description="Whether it is the session of this request.")

    @classmethod
    def of(cls, row: Session, actor: Actor) -> "SessionView":
        span = SessionLifetime(expires_at=row.expires_at, idle=timedelta(seconds=row.idle_seconds))
        return cls.from_row(row, idle_at=idle_at(span, row.last_used_at), current=row.id == actor.session_id)


class LinkCreate(RequestModel):
    """A new link. An operator names the organization."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy",
        principal="maria",
        role="finance",
        path="/console/org_01kar6h2d8e4wvq3r5s7t9x1zy/top-up",
        return_url="https://app.example.com/billing",
    )

    organization_id: OrganizationId | None = None
    principal: Principal = Field(examples=["maria"])
    role: Role
    agent_id: AgentId | None = Field(default=None, description="The agent that a session of role `agent` acts for.")
    path: str = Field(default=CONSOLE, max_length=MAX_PATH, description="The page of the console that the link opens.")
    return_url: str | None = Field(
        default=None,
        max_length=2000,
        description="The address to which the console returns. Its origin must be configured.",
    )
    expires_in: Period = Field(
        default=LINK_PERIOD, description="How long the link is valid: at most 24 hours; 15 minutes when left out."
    )


class LinkView(ResponseModel):
    """A link, without its address."""

    id: str
    organization_id: str
    principal: str
    role: Role
    agent_id: str | None
    path: str
    return_url: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @classmethod
    def of(cls, row: SessionLink) -> "LinkView":
        return cls.from_row(row)


class LinkCreated(LinkView):
    """A link with its address, which is shown only once."""

    url: str = Field(description="The address of the link, in the console. It opens one session.")

    @classmethod
    def with_url(cls, row: SessionLink, url: str) -> "LinkCreated":
        return cls.from_row(row, url=url)


class LinkToken(RequestModel):
    """The token of a link: the last part of its address."""

    model_config = example(token="bsl_…")

    token: Token


class NamedOrganization(ResponseModel):
    """An organization by its name."""

    id: str
    name: str


class LinkPreview(ResponseModel):
    """The principal for which a link would open a session."""

    principal: str
    role: Role
    organization: NamedOrganization | None
    made_by: str
    by_mail: bool = Field(description="Whether the link was mailed to the principal, who is a person.")
    expires_at: datetime
    path: str
    return_url: str | None


class Redeemed(SessionCreated):
    """The session that a link opened, and the page that it leads to."""

    path: str
    return_url: str | None
