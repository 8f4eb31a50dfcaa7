"""Spending power of an agent."""

from bursar import models


class Wallet(models.BalanceView):
    """Credits of an agent's organization, and the remainder of the agent's own budget.

    Attributes:
        budget: of the agent's day, or else the window that refuses first; None without a budget.
    """

    budget: models.LeftView | None = None


# The fields of the balance name types of the module that they are written in.
Wallet.model_rebuild(_types_namespace={**vars(models), "models": models})
