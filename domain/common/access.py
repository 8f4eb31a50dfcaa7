"""Roles, the permissions of each role, and the actor of a command."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from domain.common.errors import Forbidden, SessionByLink


class Role(StrEnum):
    """Roles within an organization, and the platform's own."""

    OWNER = "owner"
    ADMIN = "admin"
    FINANCE = "finance"
    MEMBER = "member"
    AUDITOR = "auditor"
    AGENT = "agent"
    OPERATOR = "operator"
    ARBITER = "arbiter"
    VALIDATOR = "validator"
    ACCOUNTANT = "accountant"
    PLATFORM_AUDITOR = "platform_auditor"


PLATFORM_ROLES = frozenset({Role.OPERATOR, Role.ARBITER, Role.VALIDATOR, Role.ACCOUNTANT, Role.PLATFORM_AUDITOR})


class Permission(StrEnum):
    """A permission that an endpoint can require."""

    READ = "read"
    #: Permission to read the organization's money: balances, payments, invoices, payouts, and totals of its usage.
    READ_BILLING = "read_billing"
    READ_AUDIT = "read_audit"
    MANAGE_ORGANIZATIONS = "manage_organizations"
    CHANGE_ORGANIZATION = "change_organization"
    MANAGE_KEYS = "manage_keys"
    MANAGE_AGENTS = "manage_agents"
    MANAGE_PROJECTS = "manage_projects"
    MANAGE_SPENDING = "manage_spending"
    MANAGE_CONTACTS = "manage_contacts"
    MANAGE_WEBHOOKS = "manage_webhooks"
    READ_WEBHOOKS = "read_webhooks"
    SELL = "sell"
    GRANT_CREDITS = "grant_credits"
    AWARD = "award"
    ACCEPT = "accept"
    FUND = "fund"
    APPROVE = "approve"
    DELIVER = "deliver"
    REFUND = "refund"
    DISPUTE = "dispute"
    CANCEL = "cancel"
    VALIDATE = "validate"
    ARBITRATE = "arbitrate"
    PAY = "pay"
    REFUND_PAYMENT = "refund_payment"
    CONVERT_EARNINGS = "convert_earnings"
    PAY_OUT = "pay_out"
    MANAGE_BILLING = "manage_billing"
    CONTEST = "contest"
    METER = "meter"
    USE_CREDITS = "use_credits"
    MANAGE_METERS = "manage_meters"
    ACKNOWLEDGE = "acknowledge"
    MANAGE_ALERT_RULES = "manage_alert_rules"
    MANAGE_REPORTS = "manage_reports"
    #: Permission to store secrets, grant their use, and list all of them; reading a value requires a grant.
    MANAGE_SECRETS = "manage_secrets"
    BE_NOTIFIED = "be_notified"
    READ_BOOKS = "read_books"
    #: Permissions to read what operators see, of every organization and of the installation.
    INSPECT = "inspect"
    OPERATE = "operate"
    #: Permissions on decisions against fraud: to read all of them, to decide cases, and to change rules and lists.
    RISK_READ = "risk_read"
    RISK_DECIDE = "risk_decide"
    RISK_RULES = "risk_rules"


#: Permissions that only read.
READING = frozenset(
    {
        Permission.READ,
        Permission.READ_BILLING,
        Permission.READ_AUDIT,
        Permission.READ_WEBHOOKS,
        Permission.READ_BOOKS,
        Permission.INSPECT,
        Permission.RISK_READ,
    }
)
_TENANT_WORK = frozenset(
    {Permission.READ, Permission.READ_BILLING, Permission.APPROVE, Permission.DISPUTE, Permission.BE_NOTIFIED}
)
_MANAGEMENT = _TENANT_WORK | {
    Permission.READ_AUDIT,
    Permission.CHANGE_ORGANIZATION,
    Permission.MANAGE_KEYS,
    Permission.MANAGE_AGENTS,
    Permission.MANAGE_PROJECTS,
    Permission.MANAGE_SPENDING,
    Permission.MANAGE_CONTACTS,
    Permission.MANAGE_WEBHOOKS,
    Permission.READ_WEBHOOKS,
    Permission.SELL,
    Permission.AWARD,
    Permission.ACCEPT,
    Permission.FUND,
    Permission.DELIVER,
    Permission.REFUND,
    Permission.CANCEL,
    Permission.PAY,
    Permission.REFUND_PAYMENT,
    Permission.CONVERT_EARNINGS,
    Permission.MANAGE_BILLING,
    Permission.CONTEST,
    Permission.METER,
    Permission.USE_CREDITS,
    Permission.MANAGE_METERS,
    Permission.ACKNOWLEDGE,
    Permission.MANAGE_ALERT_RULES,
    Permission.MANAGE_REPORTS,
    Permission.MANAGE_SECRETS,
}

#: The whole permission table. A role that is not named for a permission does not have it.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    # Only owners and finance decide where money is paid out to, and an admin cannot issue keys for either.
    Role.OWNER: _MANAGEMENT | {Permission.PAY_OUT},
    Role.ADMIN: _MANAGEMENT,
    Role.FINANCE: _TENANT_WORK
    | {
        Permission.READ_AUDIT,
        Permission.MANAGE_CONTACTS,
        Permission.READ_WEBHOOKS,
        Permission.FUND,
        Permission.REFUND,
        Permission.CANCEL,
        Permission.PAY,
        Permission.REFUND_PAYMENT,
        Permission.CONVERT_EARNINGS,
        Permission.PAY_OUT,
        Permission.MANAGE_BILLING,
        Permission.CONTEST,
        Permission.ACKNOWLEDGE,
        Permission.MANAGE_ALERT_RULES,
        Permission.MANAGE_REPORTS,
    },
    Role.MEMBER: _TENANT_WORK
    | {
        Permission.MANAGE_AGENTS,
        Permission.MANAGE_PROJECTS,
        Permission.AWARD,
        Permission.ACCEPT,
        Permission.FUND,
        Permission.DELIVER,
        Permission.PAY,
        Permission.METER,
        Permission.USE_CREDITS,
    },
    Role.AUDITOR: frozenset(
        {
            Permission.READ,
            Permission.READ_BILLING,
            Permission.READ_AUDIT,
            Permission.READ_WEBHOOKS,
            Permission.BE_NOTIFIED,
        }
    ),
    Role.AGENT: frozenset(
        {
            Permission.READ,
            Permission.DELIVER,
            Permission.DISPUTE,
            Permission.CANCEL,
            Permission.METER,
            Permission.USE_CREDITS,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            Permission.READ,
            Permission.READ_BILLING,
            Permission.READ_AUDIT,
            Permission.MANAGE_ORGANIZATIONS,
            Permission.CHANGE_ORGANIZATION,
            Permission.MANAGE_KEYS,
            Permission.MANAGE_AGENTS,
            Permission.GRANT_CREDITS,
            Permission.MANAGE_SPENDING,
            Permission.MANAGE_CONTACTS,
            Permission.READ_WEBHOOKS,
            Permission.SELL,
            Permission.AWARD,
            Permission.DISPUTE,
            Permission.CANCEL,
            Permission.VALIDATE,
            Permission.ARBITRATE,
            Permission.REFUND_PAYMENT,
            Permission.CONTEST,
            Permission.METER,
            Permission.MANAGE_METERS,
            Permission.ACKNOWLEDGE,
            Permission.MANAGE_ALERT_RULES,
            Permission.MANAGE_REPORTS,
            Permission.BE_NOTIFIED,
            Permission.READ_BOOKS,
            Permission.INSPECT,
            Permission.OPERATE,
            Permission.RISK_READ,
            Permission.RISK_DECIDE,
            Permission.RISK_RULES,
        }
    ),
    Role.ARBITER: frozenset({Permission.READ, Permission.ARBITRATE, Permission.BE_NOTIFIED}),
    Role.VALIDATOR: frozenset({Permission.READ, Permission.VALIDATE}),
    Role.ACCOUNTANT: frozenset({Permission.READ_BOOKS, Permission.BE_NOTIFIED}),
    Role.PLATFORM_AUDITOR: READING,
}


#: Permissions that a key can have beyond those of its role. The last two let a manipulated agent give its work away: by
#: refunding delivered work, or by accepting terms that its organization never listed.
ADDABLE: dict[Role, frozenset[Permission]] = {
    Role.AGENT: frozenset({Permission.READ_BILLING, Permission.ACCEPT, Permission.REFUND})
}

_TENANT_ROLES = frozenset(Role) - PLATFORM_ROLES

#: Roles that may issue a second key to a principal. Others must revoke the first one, which its holder notices.
SECOND_KEYS = frozenset({Role.OWNER, Role.OPERATOR})

#: The roles whose keys and links a role may issue. Only operators can grant permissions that they lack. Checked after
#: `MANAGE_KEYS`.
GRANTABLE: dict[Role, frozenset[Role]] = {
    Role.OWNER: _TENANT_ROLES,
    Role.ADMIN: _TENANT_ROLES - {Role.OWNER, Role.FINANCE},
    Role.OPERATOR: frozenset(Role),
}

#: The roles whose keys a role may revoke, and whose links and sessions it may end. Checked after `MANAGE_KEYS`.
REVOCABLE: dict[Role, frozenset[Role]] = {**GRANTABLE, Role.ADMIN: _TENANT_ROLES - {Role.OWNER}}


#: Permissions that a session opened by a link never has. With them, the maker of the link could act under another name,
#: suppress notifications, or receive events after the session has ended.
NOT_BY_LINK = frozenset(
    {
        Permission.MANAGE_KEYS,
        Permission.BE_NOTIFIED,
        Permission.ACKNOWLEDGE,
        Permission.MANAGE_WEBHOOKS,
        Permission.MANAGE_SECRETS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The sender of a command, recorded in the timeline and in the audit trail.

    Attributes:
        principal: the name that is unique within the organization, for example `procurement`.
        role: the role of the key that was used.
        org_id: the organization; None for the platform's own keys and for timers.
        agent_id: the one agent that a key of role `agent` acts for.
        key_id: the API key, also of a session; None if the command did not come over HTTP, or came in a session that
            was opened by a link.
        request_id: the HTTP request, to find its log lines.
        address: the client's network address; None if the command did not come over HTTP.
        claimed: whether the sender is not authenticated, as in a signal from the Temporal UI.
        session_id: the session of the command; None if it was sent with a key.
        made_by: who made the link that opened the session; None otherwise.
        device: the opaque token of the client's device, from the header `Bursar-Device`.
    """

    principal: str
    role: Role
    org_id: str | None = None
    agent_id: str | None = None
    key_id: str | None = None
    request_id: str | None = None
    address: str | None = None
    claimed: bool = False
    session_id: str | None = None
    made_by: str | None = None
    device: str | None = None

    @property
    def is_platform(self) -> bool:
        return self.org_id is None

    @property
    def signs_on_behalf(self) -> bool:
        """Return whether the actor signs on somebody else's behalf: an operator, or a session opened by a link."""
        return self.is_platform or self.made_by is not None

    @property
    def is_operators(self) -> bool:
        """Return whether the actor is an operator, or a session opened by an operator's link."""
        return self.role is Role.OPERATOR or (self.made_by is not None and "/" not in self.made_by)

    def may(self, permission: Permission) -> bool:
        """Return whether the actor's role and session have the permission; tenancy is checked elsewhere."""
        return permission in PERMISSIONS[self.role] and (self.made_by is None or permission not in NOT_BY_LINK)

    def may_grant(self, role: Role) -> bool:
        """Return whether the actor may issue keys of that role, and make links for it."""
        return role in GRANTABLE.get(self.role, frozenset())

    def may_revoke(self, role: Role) -> bool:
        """Return whether the actor may revoke keys of that role, and end its links and sessions."""
        return role in REVOCABLE.get(self.role, frozenset())

    def qualified(self) -> str:
        """Return the principal with its organization, `org_…/principal`; a platform principal without."""
        return f"{self.org_id}/{self.principal}" if self.org_id else self.principal


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyActor(Actor):
    """An actor whose key has permissions beyond those of its role. Messages carry the actor without them.

    Attributes:
        added: these permissions.
    """

    added: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Return whether the role or the key has the permission."""
        return permission in self.added or Actor.may(self, permission)


def addable(role: Role) -> frozenset[Permission]:
    """Return the permissions that a key of a role can be given beyond those of the role."""
    return ADDABLE.get(role, frozenset())


def refuse_by_link(actor: Actor, what: str) -> None:
    """Refuse an action in a session opened by a link: the creator of the link could do it in another person's name.

    Raises:
        Forbidden: `session.by_link`.
    """
    if actor.made_by is not None:
        raise SessionByLink(f"A session that a link opened may not {what}. Sign in with a key of your own.")


class OperatorIssued(Forbidden):
    """The key was issued by an operator, directly or through other keys, so an operator may know its secret."""

    code = "api_key.operator_issued"

    @classmethod
    def refusing(cls, what: str) -> "OperatorIssued":
        """Return the refusal of an action, such as `sign`."""
        return cls(
            f"An operator of the platform issued this key, or a key in its chain of issuers, so it may not {what}. "
            "Use a key that a person of the organization issued."
        )


def has_operator(line: Set[str]) -> bool:
    """Return whether a key's principal, or a principal in its chain of issuers, belongs to the platform."""
    return any("/" not in name for name in line)


def refuse_operator_issued(actor: Actor, line: Set[str], what: str) -> None:
    """Refuse an action reserved to an organization's own people if an operator is in the key's chain of issuers.

    The platform's own principals are not refused: they act in their own name, with the permissions of role and link.

    Raises:
        OperatorIssued: an operator is in the chain.
    """
    if has_operator(line) and not (actor.is_platform or actor.is_operators):
        raise OperatorIssued.refusing(what)


def permit(actor: Actor, permission: Permission) -> None:
    """Refuse an actor whose role does not have the permission.

    Raises:
        Forbidden: it does not; `session.by_link` if only the session does not.
    """
    if not actor.may(permission):
        if permission in PERMISSIONS[actor.role]:
            refuse_by_link(actor, f"do this ({permission.value})")
        hint = (
            " An owner or an admin can issue a key with this permission." if permission in addable(actor.role) else ""
        )
        raise Forbidden(f"The role {actor.role.value} may not do this ({permission.value}).{hint}")
