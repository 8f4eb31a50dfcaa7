"""Preferences of a principal: notifications by type and channel. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from domain.common.access import Role
from domain.common.errors import Invalid, OnlyRecipient
from domain.messages.notification.channel import INBOX
from domain.messages.notification.due import DIGEST_CADENCES, Cadence, NotificationClock
from domain.messages.notification.types import BY_NAME, NotificationType

#: Type → channel (`inbox` or an id) → cadence.
Choices = Mapping[str, Mapping[str, Cadence]]
#: Type → role → cadence over mail and Slack, `off` for the inbox only; roles that are not named get nothing.
Defaults = Mapping[str, Mapping[Role, Cadence]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The preferences of a principal; without a choice the defaults of the type and the role apply.

    Attributes:
        language: of its messages, by its locale or else its organization's language.
        clock: by which notifications are due.
        choices: its own choices.
        defaults: set by operators instead of the types' defaults.
    """

    language: str = "en"
    clock: NotificationClock = field(default_factory=NotificationClock)
    choices: Choices = field(default_factory=dict)
    defaults: Defaults = field(default_factory=dict)

    def cadence(self, kind: NotificationType, channel: str, role: Role) -> Cadence:
        """Return the cadence of a type over a channel; `off` if the role does not get the type."""
        if role not in kind.audience:
            return Cadence.OFF
        chosen = self.choices.get(kind.name, {}).get(channel)
        return chosen or kind.default(role, inbox=channel == INBOX, cadences=self.defaults.get(kind.name))

    def switched_off(self, kind: str, channel: str) -> "Preferences":
        """Return the preferences without a type on a channel."""
        return replace(self, choices={**self.choices, kind: {**self.choices.get(kind, {}), channel: Cadence.OFF}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A principal with an active key: its role, its preferences, and its verified channels."""

    org_id: str | None
    principal: str
    role: Role
    preferences: Preferences
    channels: Collection[str] = ()

    def ways(self, kind: NotificationType) -> dict[str, Cadence]:
        """Return the channels for a type, with their cadence."""
        found = {each: self.preferences.cadence(kind, each, self.role) for each in (INBOX, *self.channels)}
        return {each: cadence for each, cadence in found.items() if cadence is not Cadence.OFF}


def checked_choices(choices: Choices, role: Role, channels: Collection[str]) -> Choices:
    """Return the choices, checked for the role.

    Args:
        choices: the requested ones.
        role: of the principal.
        channels: the ids of its channels.

    Raises:
        Invalid: a type that the role does not get, a channel that is not its own, a digest of the inbox.
    """
    for name, ways in choices.items():
        kind = BY_NAME.get(name)
        if kind is None or role not in kind.audience:
            raise Invalid(f"There is no type {name[:60]!r} for this role.", extra={"field": f"types.{name[:60]}"})
        for channel, cadence in ways.items():
            where = {"field": f"types.{name}.{channel[:60]}"}
            if channel != INBOX and channel not in channels:
                raise Invalid("There is no such channel. Name the inbox, or one of your own.", extra=where)
            if channel == INBOX and cadence in DIGEST_CADENCES:
                raise Invalid("The inbox accepts only instant or off.", extra=where)
    return {name: dict(ways) for name, ways in choices.items() if ways}


def checked_defaults(kind: NotificationType, cadences: Mapping[Role, Cadence]) -> Mapping[Role, Cadence]:
    """Return the defaults, checked for the type.

    Raises:
        Invalid: a role that may not be notified of it; or, for a type that must reach somebody, a role that would no
            longer be notified over mail and Slack.
    """
    for role in cadences:
        if role not in kind.audience:
            raise Invalid(
                f"The role {role.value} gets no notifications of the type {kind.name}.",
                extra={"field": f"roles.{role.value}"},
            )
    if kind.must_reach:
        for role, cadence in kind.defaults.items():
            if cadence is not Cadence.OFF and cadences.get(role, Cadence.OFF) is Cadence.OFF:
                raise Invalid(
                    f"Somebody must be notified of {kind.name}: the role {role.value} needs more than its inbox.",
                    extra={"field": f"roles.{role.value}"},
                )
    return dict(cadences)


def check_somebody_is_notified(before: Collection[Person], after: Collection[Person]) -> None:
    """Check that a change leaves a recipient for every type that must reach somebody.

    If somebody was notified over mail or Slack before, the inbox is not enough.

    Args:
        before: the people of the organization.
        after: the people after the change.

    Raises:
        OnlyRecipient: nobody would get a type, which it names.
    """
    for kind in BY_NAME.values():
        if not kind.must_reach:
            continue
        was, stays = _reached(before, kind), _reached(after, kind)
        if (was[0] and not stays[0]) or (was[1] and not stays[1]):
            raise OnlyRecipient(
                f"Nobody else of the organization would be notified of {kind.name}. Have somebody else notified first.",
                extra={"notification_type": kind.name},
            )


def _reached(people: Collection[Person], kind: NotificationType) -> tuple[bool, bool]:
    ways = [each for person in people for each in person.ways(kind)]
    return bool(ways), any(each != INBOX for each in ways)


def recipient_of(org_id: str | None, principal: str) -> str:
    """Return a unique name of a principal across organizations; neither part contains a slash."""
    return f"{org_id or 'platform'}/{principal.lower()}"
