"""Acts that are decided, their entities, and outcomes. Pure."""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.common.ids import is_id


class Point(StrEnum):
    """The acts at which a decision is made."""

    PAYMENT = "payment"
    TOPUP = "topup"
    AWARD = "award"
    FUND = "fund"
    DELIVER = "deliver"
    VALIDATE = "validate"
    FEEDBACK = "feedback"
    PAYOUT = "payout"
    KEY = "key"
    PAYOUT_ACCOUNT = "payout_account"
    REFUND = "refund"
    #: Events of the platform's own, over `POST /risk/evaluate`.
    SIGNUP = "signup"
    LOGIN = "login"
    LOGIN_FAILED = "login_failed"


class Outcome(StrEnum):
    """The outcome of a decision."""

    ALLOW = "allow"
    CHALLENGE = "challenge"  # the provider authenticates the payer, by 3-D Secure on Stripe
    HOLD_BACK = "hold_back"  # the act takes place, and the organization's earnings wait
    REVIEW = "review"  # the act waits for a case
    BLOCK = "block"


class Label(StrEnum):
    """The kinds of labels: whether an act was fraud, as it became known later."""

    FRAUD = "fraud"
    LEGITIMATE = "legitimate"


class EntityKind(StrEnum):
    """The kinds of entities that are counted, listed and linked."""

    ORGANIZATION = "organization"
    PRINCIPAL = "principal"
    AGENT = "agent"
    KEY = "key"
    ADDRESS = "address"
    NETWORK = "network"  # the /24 of an IPv4 address, or the /48 of an IPv6 address
    DEVICE = "device"
    INSTRUMENT = "instrument"
    MAIL_DOMAIN = "mail_domain"
    PAYOUT_ACCOUNT = "payout_account"
    ARTIFACT = "artifact"


#: Kinds that identify no person or device, so their values are stored as they are.
PLAIN = frozenset({EntityKind.ORGANIZATION, EntityKind.AGENT, EntityKind.KEY, EntityKind.ARTIFACT})
#: Kinds that link organizations which share one.
LINKING = frozenset(
    {
        EntityKind.ADDRESS,
        EntityKind.DEVICE,
        EntityKind.INSTRUMENT,
        EntityKind.MAIL_DOMAIN,
        EntityKind.PAYOUT_ACCOUNT,
        EntityKind.ARTIFACT,
    }
)


def entity(kind: EntityKind, value: str, key: bytes | None) -> str | None:
    """Return the stored form `kind:value` of an entity.

    Args:
        kind: of the entity.
        value: its id, address, token, provider's id or hash.
        key: the deployment's `BURSAR_RISK_KEY`. The value of a person's or device's entity is replaced by its
            HMAC-SHA-256 under it; without a key such an entity has no stored form.
    """
    if kind in PLAIN:
        return f"{kind.value}:{value}"
    if key is None:
        return None
    plain = "".join(value.split()).casefold()
    if kind is EntityKind.ADDRESS:
        plain = canonical_address(plain)
    digest = hmac.digest(key, f"{kind.value}\n{plain}".encode(), "sha256").hex()
    return f"{kind.value}:{digest[:32]}"


def canonical_address(text: str) -> str:
    """Return the one spelling of an address; another text as it is."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def is_public(address: str) -> bool:
    """Return whether an address is of the public internet: others are those of proxies and of the platform itself."""
    return ipaddress.ip_address(canonical_address(address)).is_global


def network_of(address: str) -> str:
    """Return the /24 of an IPv4 address, or the /48 of an IPv6 address."""
    parsed = ipaddress.ip_address(canonical_address(address))
    return str(ipaddress.ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def written(kind: EntityKind, value: str, field: str) -> str:
    """Return the form of an entity that acts have, of a value in a request; `field` names the value in a refusal.

    Raises:
        Invalid: it is no id, address or network of that kind.
    """
    try:
        match kind:
            case EntityKind.ADDRESS:
                return str(ipaddress.ip_address(value))
            case EntityKind.NETWORK:
                network = ipaddress.ip_network(value)
                if network.prefixlen != (24 if network.version == 4 else 48):
                    raise ValueError
                return str(network)
            case EntityKind.ORGANIZATION | EntityKind.AGENT if not is_id(value, _PREFIXES[kind]):
                raise ValueError
            case EntityKind.MAIL_DOMAIN if "@" in value or "." not in value:
                raise ValueError
    except ValueError:
        raise Invalid(
            f"{value[:60]!r} is not of the kind {kind.value}. A network is the /24 of an IPv4 address or the /48 of an "
            "IPv6 address.",
            extra={"field": field},
        ) from None
    return value


_PREFIXES = {EntityKind.ORGANIZATION: "org", EntityKind.AGENT: "agt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAct:
    """An act of an organization that is decided.

    Attributes:
        point: of the decision.
        actor: who acts.
        org_id: the organization that acts; None for an event of the platform without one.
        subject: the id of the object, such as the payment; what follows from it is counted for the act's entities.
        command_id: the key of the act; a repeated command gets its first decision.
        amount_minor: in minor units of `currency`; 0 without an amount.
        provider: of a payment or payout.
        counterparty_org_id: the other organization of an escrow.
        seen: further entities, such as the instrument of a payment.
        facts: further facts, by name of `domain.risk.facts.FACTS`.
    """

    point: Point
    actor: Actor
    org_id: str | None
    subject: str
    command_id: str
    amount_minor: int = 0
    currency: str = ""
    provider: str = ""
    counterparty_org_id: str | None = None
    seen: Mapping[EntityKind, str] = field(default_factory=dict)
    facts: Mapping[str, int | str] = field(default_factory=dict)

    def entities(self, key: bytes | None) -> dict[EntityKind, str]:
        """Return the stored form of each entity of the act."""
        actor = self.actor
        values = {
            EntityKind.ORGANIZATION: self.org_id,
            EntityKind.PRINCIPAL: None if actor.org_id is None else actor.qualified(),
            EntityKind.AGENT: actor.agent_id,
            EntityKind.KEY: actor.key_id,
            # An operator's address is not that of the organization.
            EntityKind.ADDRESS: actor.address if actor.org_id and actor.address and is_public(actor.address) else None,
            EntityKind.DEVICE: actor.device if actor.org_id else None,
            **self.seen,
        }
        address = values[EntityKind.ADDRESS]
        values[EntityKind.NETWORK] = None if address is None else network_of(address)
        stored = {kind: entity(kind, value, key) for kind, value in values.items() if value}
        return {kind: each for kind, each in stored.items() if each is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """A stored decision.

    Attributes:
        rule: the name of the rule, `allow_list`, `block_list` or `unavailable`; None if nothing applied.
        case_id: the case that holds the act.
    """

    decision_id: str
    outcome: Outcome
    at: datetime
    rule: str | None = None
    case_id: str | None = None
