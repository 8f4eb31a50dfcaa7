"""Map of personal data: category and erasure of each column, message field and log key.

Type and name determine the category, see `category`: a name means the same everywhere. Exceptions are marked: a column
with `info={"holds": "free_text"}`, a message field with `Annotated[str, FREE_TEXT]`. `domain.privacy.tables` has the
purpose, retention and erasure of each table. `make check` fails for a text with an unknown name, and for an unused
name; `python -m dev.data_map` prints the map.

Erasure is not implemented yet. It will empty a field (`delete`), encrypt it with a key of its subject, which is then
destroyed (`seal`), or keep it on a legal ground (`keep: …`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID


class Category(StrEnum):
    """Category of a field by its most sensitive possible content."""

    CONTACT = "contact"  # names and addresses of persons and organizations
    IDENTIFIER = "identifier"  # names one object or person without other information
    FREE_TEXT = "free_text"  # texts by people and providers, and documents with such texts
    NETWORK = "network"  # origin and content of requests
    FINANCIAL = "financial"  # amounts and their purposes
    SECRET = "secret"  # credentials
    TECHNICAL = "technical"  # states, times, counts, terms


CONTACT, IDENTIFIER, FREE_TEXT = Category.CONTACT, Category.IDENTIFIER, Category.FREE_TEXT
NETWORK, FINANCIAL, SECRET, TECHNICAL = Category.NETWORK, Category.FINANCIAL, Category.SECRET, Category.TECHNICAL

DELETE, SEAL = "delete", "seal"


def keep(ground: str) -> str:
    """Return the erasure of data that is kept, with the legal ground."""
    return f"keep: {ground}"


BOOKS = keep("legal obligation to keep the books")
EVIDENCE = keep("evidence of decisions about money")

#: Default erasure of each category.
ERASED: Mapping[Category, str] = {
    CONTACT: SEAL,
    IDENTIFIER: keep("it identifies nobody alone, and the books refer to it"),
    FREE_TEXT: SEAL,
    NETWORK: DELETE,
    FINANCIAL: BOOKS,
    SECRET: DELETE,
    TECHNICAL: keep("it contains nothing about a person"),
}


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """Policy of a table, of all messages, or of all log lines.

    Attributes:
        purpose: of the data.
        retention: of a row.
        erased: the categories whose erasure differs from `ERASED`.
    """

    purpose: str
    retention: str = "as long as the books: what the law asks for where the operator is, 6 to 10 years in most places"
    erased: Mapping[Category, str] = field(default_factory=dict)


#: All message fields in `contracts/`, and of the `domain/` types in them; deleted with the history. `SEAL` uses the
#: deployment's `BURSAR_ENCRYPTION_KEYS`.
MESSAGES = DataPolicy(
    "what a run needs to go on, kept in Temporal's histories",
    "as long as the run, then the namespace's retention",
    {
        **dict.fromkeys((CONTACT, FREE_TEXT, SECRET), SEAL),
        **dict.fromkeys((IDENTIFIER, NETWORK, FINANCIAL, TECHNICAL), DELETE),
    },
)
#: All fields of log lines. Secrets and card numbers are removed from all of them.
LOGS = DataPolicy(
    "that a fault can be found",
    "as long as the operator keeps logs; 30 days is enough to look into a fault",
    dict.fromkeys(Category, DELETE),
)

#: Names of texts by category. A name that is not here has the category of its last word in `ENDINGS`.
NAMES: Mapping[Category, str] = {
    CONTACT: (
        "actor agent_name assigned_to city contacts counterparty email legal_name line1 line2 name operator party "
        "payer_name pdf postal_code principal recipient recipients region signatories signatory xml"
    ),
    IDENTIFIER: (
        "alert_key block_hash board chain_key cluster customer debtor decided_from declared_key destination "
        "destination_last4 ended_key entities event fingerprint funded_from group idempotency_key key last4 lease "
        "memo movement_key number outcome_reference owner paid_bill payment_method processing reference renewed_from "
        "renews requested_key rule scope settled subject trial_card tx unanswered vat_reference waits_for "
        # Keys of commands, which operators type into signals.
        "accept acknowledge approve assign at_provider cancel decide dispute give_up grant look pause refund refuse "
        "resolve rotate skip"
    ),
    FREE_TEXT: (
        "adjustments alternative_action alternatives answer appeal body categories_allowed categories_refused charge "
        "command comment content crypto data decision declined definition delivery description detail details "
        "ended_why events evidence external_id extra failure item label mail milestone milestones next_definition "
        "note offered_evidence package path paths payload policy problem purpose_gone question receipt receipts "
        "redirect_url refused resolution_note resume return_url sentence settings settles slug state summary template "
        "text title unknown uri url value vendor vendors_allowed vendors_refused void why words"
    ),
    NETWORK: "method address browser device host",
    FINANCIAL: (
        "amount base booked borne_by budget_remaining card_country chain collection_method commission_from "
        "confirmed_country discounts levels line lines listed merchant metadata model money movement parts "
        "payee_share plan plan_prices price priced_at prices purpose quote ranking sold_as stacking sums taxes total "
        "usage usage_prices"
    ),
    SECRET: (
        "client_secret hook link older_keys pay_url previous_private_key previous_secret private_key sealed secret "
        "secret_hash wrapped_key"
    ),
    TECHNICAL: (
        "action after aggregation backend brand called categories category charged_statuses code content_hash country "
        "counts dataset day dimension dimensions disabled_reason document entity error estimated excluded "
        "facts failed failure_code figures format free_first from_pool grain handled hash headers hosts index_name "
        "interval labels ladder language last last_refusal legal_entity level_name lifts list locale measure meter "
        "methods metric milestones_released mode on_limit ordering outcome outcome_source outside_listing paused_for "
        "period permissions phase place point points pool pools_of prefix price_ref pricing_model product property "
        "provider public_key quota_window ratings report request_hash requirements_due resolution result revalued "
        "role roles run score series severity sha256 shadow side skipped source step taken tax_code term terms tier "
        "time_zone timed_exits to_pool types verb verbs version versions visibility weekly_anchor window windows zone"
    ),
}
#: Last words of texts by category.
ENDINGS: Mapping[Category, str] = {
    CONTACT: "by",
    IDENTIFIER: "id ids ref refs lot digest",
    FREE_TEXT: "reason",
    FINANCIAL: "asset currency",
    TECHNICAL: "kind status type",
}
#: Numbers that are not technical, by their name or its last word.
NUMBERS: Mapping[Category, str] = {
    IDENTIFIER: "bill counted_in counter id meter",
    FINANCIAL: (
        "above amount amounts available balance_after bps came captured carried carry_over charged cost cost_e6 "
        "costed counted credits debits default_share_e4 dispute_default_share_e4 earned emergency expired fee_fixed "
        "fee_share_e4 figures floor forced held markup_e6 minor moved multiple_e6 net_days next_price_e6 paid "
        "paid_out passed payee_share_e4 pending_out per_purchase per_spend pico posted quantities quantity quarter "
        "refunded released remaining reserve returned share_e4 slots spent square_e6 tokens used uses value went"
    ),
}


#: Log keys with another meaning than in `NAMES`, or missing there.
LOG_KEYS: Mapping[Category, str] = {
    IDENTIFIER: "run work",
    FREE_TEXT: "event error exception stack",
    NETWORK: "path route",
    TECHNICAL: (
        "activity attempt command count decode level logger ms names namespace number part payloads schedule "
        "signal started task_queue time update workflow"
    ),
}


class SearchAttributeContent(StrEnum):
    """Allowed contents of search attributes, which Temporal stores in clear."""

    ID = "id"
    STATE = "state"
    AMOUNT = "amount"


#: Search attributes with their contents.
SEARCH_ATTRIBUTES: Mapping[str, SearchAttributeContent] = {
    "OrgId": SearchAttributeContent.ID,
    "PayeeOrgId": SearchAttributeContent.ID,
    "AgentId": SearchAttributeContent.ID,
    "State": SearchAttributeContent.STATE,
    "AmountMinor": SearchAttributeContent.AMOUNT,
    "Currency": SearchAttributeContent.AMOUNT,
}


def category(name: str, kind: type) -> Category | None:
    """Return the category of a column or field with this name and type; None if the name is unknown.

    Times, booleans, enums and UUIDs are classified by type, and numbers are technical except for `NUMBERS`. Everything
    else may contain text, and is classified by name.
    """
    if issubclass(kind, bool | date | timedelta | Enum):
        return TECHNICAL
    if issubclass(kind, UUID):
        return IDENTIFIER
    last = name.rpartition("_")[2]
    if issubclass(kind, int | Decimal):
        return _NUMBERS.get(name) or _NUMBERS.get(last) or TECHNICAL
    return _NAMES.get(name) or _ENDINGS.get(last)


def _by_name(names: Mapping[Category, str]) -> dict[str, Category]:
    return {name: of for of, listed in names.items() for name in listed.split()}


_NAMES, _ENDINGS, _NUMBERS = _by_name(NAMES), _by_name(ENDINGS), _by_name(NUMBERS)
