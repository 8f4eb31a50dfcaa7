"""What taking advice proposes: a purchase, or a change of a payment policy. People approve both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.budgets.free_text import normalize_name
from domain.budgets.policy import FreeFirst, MethodKind, Policy
from domain.budgets.purchase_order import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProposal:
    """A purchase outside for an agent; amounts are in minor units of `currency`.

    Attributes:
        paid_minor: what the same cost in the month, as it was bought.
    """

    agent_id: str
    item: str
    vendor: str
    category: str
    amount_minor: int
    currency: str
    term: Term | None
    why: str
    paid_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposal:
    """A change of one payment policy.

    Attributes:
        policy_id: of the policy that holds; None for the default, which the organization's replaces.
        free_first: whether free options have to be looked at first.
        methods: a kind of methods, and the kind before which it goes from now on.
        refused: a category that is refused from now on.
    """

    policy_id: str | None
    free_first: bool = False
    methods: tuple[MethodKind, MethodKind] | None = None
    refused: str | None = None

    def of(self, policy: Policy) -> Policy:
        """Return the policy with the change."""
        if self.free_first:
            policy = replace(policy, free_first=FreeFirst.REQUIRE)
        if self.methods is not None:
            first, then = self.methods
            others = [kind for kind in policy.methods if kind is not first]
            place = others.index(then) if then in others else len(others)
            policy = replace(policy, methods=(*others[:place], first, *others[place:]))
        if self.refused is not None and normalize_name(self.refused) not in map(
            normalize_name, policy.categories_refused
        ):
            allowed = tuple(
                each for each in policy.categories_allowed if normalize_name(each) != normalize_name(self.refused)
            )
            refused = (*policy.categories_refused, self.refused)
            policy = replace(policy, categories_allowed=allowed, categories_refused=refused)
        return policy

    @property
    def sentence(self) -> str:
        if self.methods is not None:
            return f"Methods of the kind {self.methods[0]} go before those of the kind {self.methods[1]}."
        if self.refused is not None:
            return f"Agents buy nothing of the category {self.refused} outside."
        return "Agents look at a free option before they buy."

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "policy_id": self.policy_id,
            "free_first": self.free_first,
            "methods": None if self.methods is None else [kind.value for kind in self.methods],
            "refused": self.refused,
        }

    @classmethod
    def kept(cls, stored: Mapping[str, Any]) -> "PolicyProposal":
        """Return what `stored` wrote."""
        methods = stored["methods"]
        return cls(
            policy_id=stored["policy_id"],
            free_first=stored["free_first"],
            methods=None if methods is None else (MethodKind(methods[0]), MethodKind(methods[1])),
            refused=stored["refused"],
        )
