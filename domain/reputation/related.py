"""Who may count: related organizations give one another no evidence."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What organizations may have in common, each as the set of what one organization has or had.

    Attributes:
        fingerprints: payment methods, by the provider's fingerprint.
        connect_accounts: accounts that payouts go to.
        tax_ids: tax ids, normalised.
        referrers: who referred it, and itself: a referrer is related to those whom it referred, and they to one
            another.
        operators: principals of the platform who made it outside of self-service.
    """

    fingerprints: frozenset[str] = frozenset()
    connect_accounts: frozenset[str] = frozenset()
    tax_ids: frozenset[str] = frozenset()
    referrers: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()


def shared(one: Traits, other: Traits) -> tuple[str, ...]:
    """Return the names of the traits that two organizations share: two without any in common are unrelated."""
    return tuple(each.name for each in fields(Traits) if getattr(one, each.name) & getattr(other, each.name))


def counts(payer: str, payee: str, traits_of_payer: Traits, traits_of_payee: Traits, *, probe: bool = False) -> bool:
    """Say whether work between two organizations gives evidence, demand, volume or a referral.

    Args:
        payer: the organization that pays.
        payee: the organization whose agent works.
        traits_of_payer: what the payer has.
        traits_of_payee: what the payee has.
        probe: whether it is the platform's own traffic to see whether something works.
    """
    return not probe and payer != payee and not shared(traits_of_payer, traits_of_payee)
