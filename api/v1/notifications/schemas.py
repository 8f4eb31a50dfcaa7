"""Schemas of notifications, channels and preferences."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from api.fields import NotificationId, RequestModel, ResponseModel, Whole, example
from domain.common.access import Role
from domain.common.errors import Invalid
from domain.common.mail import MAX_ADDRESS, Formats
from domain.messages.mentions import ids_in
from domain.messages.notification.channel import INBOX, MAX_HOOK, ChannelKind
from domain.messages.notification.due import Cadence, NotificationClock, QuietPeriod, checked_quiet
from domain.messages.notification.preferences import Defaults, Preferences
from domain.messages.notification.types import NotificationType, render_notification, types_for
from models.messages.notification import NotificationChannel, NotificationRow

_TYPES = "Type → channel (`inbox` or a channel's id) → timing. The default of your role applies to the others."
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Minute = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class NotificationView(ResponseModel):
    """A notification in the inbox."""

    id: str
    type: str
    subject: str = Field(description="The id of the object that it is about.")
    title: str
    text: str
    names: dict[str, str] = Field(description="The names of what the text mentions, by id.")
    data: dict[str, Any] = Field(description="The event's data, or the kind, severity and detail of the alert.")
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, row: NotificationRow, language: str, formats: Formats, names: Mapping[str, str]) -> Self:
        words = render_notification(row.kind, row.fact, row.subject, row.data, language, formats)
        return cls.from_row(
            row,
            type=row.kind,
            title=words.subject,
            text=" ".join(words.paragraphs),
            names={each: names[each] for each in sorted(ids_in(words.paragraphs)) if each in names},
        )


class NotificationsRead(RequestModel):
    """The notifications to mark as read."""

    until: NotificationId | None = Field(
        default=None,
        description=(
            "The last notification to mark; all earlier ones are marked as well. All notifications when left out."
        ),
    )

    model_config = example(until="ntf_01kar6x0qmf9rv4w7n2h8d3s5c")


class NotificationsReadView(ResponseModel):
    """The number of notifications marked as read."""

    read: int


class ChannelCreate(RequestModel):
    """A new notification channel."""

    kind: ChannelKind
    address: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS)] | None = Field(
        default=None, description="The address of a mail channel."
    )
    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_HOOK)] | None = Field(
        default=None, description="The URL of an incoming webhook of Slack. It is a secret and not shown again."
    )

    model_config = example(kind="mail", address="kim@acme.example")

    @property
    def target(self) -> str:
        """Return the address or URL.

        Raises:
            Invalid: the address or URL is missing, or of another kind.
        """
        name, value, other = "address", self.address, self.url
        if self.kind is ChannelKind.SLACK:
            name, value, other = "url", self.url, self.address
        if value is None or other is not None:
            raise Invalid(
                f"A channel of the kind {self.kind.value} needs {name} and nothing else. Send {name} only.",
                extra={"field": name},
            )
        return value


class ChannelVerify(RequestModel):
    """The code that was sent to the channel."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]

    model_config = example(code="120944")


class ChannelView(ResponseModel):
    """A notification channel of the caller."""

    id: str
    kind: ChannelKind
    status: str = Field(description="`pending` until the code is confirmed, then `verified`.")
    target: str = Field(description="The address, or the end of the URL.")
    created_at: datetime
    verified_at: datetime | None

    @classmethod
    def of(cls, row: NotificationChannel) -> Self:
        return cls.from_row(row, target=row.shown)


class QuietHours(RequestModel):
    """Daily hours without notifications, except urgent ones. If they end before they start, they last over midnight."""

    starts: Minute
    ends: Minute

    model_config = example(starts="22:00", ends="07:00")

    def quiet(self) -> QuietPeriod:
        """Return the quiet hours; `Invalid` if they never end."""
        return checked_quiet(time.fromisoformat(self.starts), time.fromisoformat(self.ends))


class PreferencesSet(RequestModel):
    """The caller's preferences, which replace the current ones."""

    quiet_hours: QuietHours | None = None
    digest_hour: Whole = Field(
        default=8, ge=0, le=23, description="The hour of daily and weekly digests, in the caller's time zone."
    )
    digest_weekday: Whole = Field(
        default=1, ge=1, le=7, description="The day of weekly digests, from 1 (Monday) to 7 (Sunday)."
    )
    types: dict[Word, dict[Word, Cadence]] = Field(default_factory=dict, max_length=100, description=_TYPES)

    model_config = example(
        quiet_hours={"starts": "22:00", "ends": "07:00"},
        types={"payment_succeeded": {"inbox": "off"}},
    )

    def preferences(self) -> Preferences:
        """Return the preferences; `Invalid` if the quiet hours never end."""
        clock = NotificationClock(
            quiet=None if self.quiet_hours is None else self.quiet_hours.quiet(),
            digest_hour=self.digest_hour,
            digest_weekday=self.digest_weekday,
        )
        return Preferences(clock=clock, choices=self.types)


class TypeView(ResponseModel):
    """A notification type, and its timing on each of the caller's channels."""

    type: str
    description: str
    must_reach: bool = Field(description="Whether at least one person in the organization must get it.")
    channels: dict[str, Cadence]
    chosen: dict[str, Cadence] = Field(
        description="The choices that you made. Your role's defaults apply to the other channels."
    )


class QuietHoursView(ResponseModel):
    """Daily hours without notifications, except urgent ones."""

    starts: str
    ends: str


class PreferencesView(ResponseModel):
    """The caller's preferences: quiet hours, and timing of each type."""

    quiet_hours: QuietHoursView | None
    digest_hour: int
    digest_weekday: int
    types: list[TypeView]

    @classmethod
    def of(cls, wanted: Preferences, role: Role, channels: list[str]) -> Self:
        clock, quiet = wanted.clock, wanted.clock.quiet
        return cls(
            quiet_hours=None
            if quiet is None
            else QuietHoursView(starts=f"{quiet.begins:%H:%M}", ends=f"{quiet.ends:%H:%M}"),
            digest_hour=clock.digest_hour,
            digest_weekday=clock.digest_weekday,
            types=[
                TypeView(
                    type=kind.name,
                    description=kind.sentence,
                    must_reach=kind.must_reach,
                    channels={each: wanted.cadence(kind, each, role) for each in (INBOX, *channels)},
                    chosen=dict(wanted.choices.get(kind.name, {})),
                )
                for kind in types_for(role)
            ],
        )


#: The timing of a role's notifications by mail and Slack; `inbox` is for the inbox only.
Usual = Literal["inbox", "instant", "hourly", "daily", "weekly"]


class DefaultsSet(RequestModel):
    """The default timing of a notification type, by role."""

    roles: dict[Role, Usual] = Field(
        description=(
            "How soon each role gets it by mail and Slack; `inbox` is for the inbox only. A role that is named gets "
            "it in the inbox at once. A role that is not named does not get it."
        )
    )

    model_config = example(roles={"owner": "instant", "finance": "daily", "auditor": "inbox"})

    @property
    def cadences(self) -> dict[Role, Cadence]:
        """Return the cadences, with `off` for the inbox only."""
        return {role: Cadence.OFF if usual == INBOX else Cadence(usual) for role, usual in self.roles.items()}


class DefaultsView(ResponseModel):
    """The default timing of a notification type, by role."""

    type: str
    description: str
    must_reach: bool = Field(description="Whether at least one person must get it, so that no role can be left out.")
    audience: list[Role] = Field(description="The roles that can get it.")
    roles: dict[Role, Usual] = Field(description="The timing by role, as in `PUT`.")
    changed: bool = Field(description="Whether an operator has set the defaults; if not, they are the built-in ones.")

    @classmethod
    def of(cls, kind: NotificationType, defaults: Defaults) -> Self:
        cadences = defaults.get(kind.name, kind.defaults)
        shown: dict[Role, Any] = {
            role: INBOX if cadence is Cadence.OFF else cadence.value for role, cadence in cadences.items()
        }
        return cls(
            type=kind.name,
            description=kind.sentence,
            must_reach=kind.must_reach,
            audience=sorted(kind.audience),
            roles=dict(sorted(shown.items())),
            changed=kind.name in defaults,
        )
