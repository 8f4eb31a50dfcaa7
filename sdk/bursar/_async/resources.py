"""The resources of the API. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

from bursar import models, params
from bursar._async._base import AsyncCaller, AsyncList, AsyncResource, read_models
from bursar._context import attributed
from bursar._wire import OMITTED, AmountLike, Free, Omitted, segment


class AsyncBilling(AsyncResource):
    """Operations on billing."""

    async def get_balance(
        self, *, currency: str | Omitted = OMITTED, organization_id: str | Omitted = OMITTED
    ) -> models.BalanceView:
        """Read the balance of an organization in one currency. An agent's key reads that of credits, which it spends."""
        return await self._caller.ask(
            models.BalanceView,
            "billing.get_balance",
            "GET /billing/balance",
            query={"currency": currency, "organization_id": organization_id},
        )

    def list_transactions(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        kind: str | Omitted = OMITTED,
        account: str | Omitted = OMITTED,
        reference: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.MovementView]:
        """List movements of the organization's accounts, the newest recorded first.

        A key of a member that is attributed to a department or project is refused: all of the organization's spends are here. `GET /credits/usage` lists its own.

        A filtered page may be short or empty while `next_cursor` is not null, because a page scans at most 5,000 movements. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.MovementView,
            "billing.list_transactions",
            "/billing/transactions",
            {
                "organization_id": organization_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "from": from_,
                "to": to,
                "kind": kind,
                "account": account,
                "reference": reference,
                "q": q,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_activity(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        category: params.Category | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.FactView]:
        """List what happened to the organization's money, the last changed first: one row for each fact.

        A fact is a transfer, or all transfers of an escrow or a payout: held money and its release are one row with a status. Each row says what it was about, who caused it, and what it changed by currency. `GET /billing/transactions` lists the entries of the same transfers. A key of a member that is attributed to a department or project is refused.

        A page may be short or empty while `next_cursor` is not null, because a page scans at most 1,000 transfers. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.FactView,
            "billing.list_activity",
            "/billing/activity",
            {
                "organization_id": organization_id,
                "currency": currency,
                "from": from_,
                "to": to,
                "category": category,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_config(self) -> models.ConfigView:
        """Return the public settings for a front end: plans, packages, limits and shares. No API key is needed."""
        return await self._caller.ask(models.ConfigView, "billing.get_config", "GET /billing/config")

    async def get_summary(self, *, organization_id: str | Omitted = OMITTED) -> models.SummaryView:
        """Show all money of an organization: what it can spend, what is held, in escrow, earned, owed and due.

        All amounts are of the same moment. The parts of each currency add up to `total`, which is what the books hold.
        """
        return await self._caller.ask(
            models.SummaryView,
            "billing.get_summary",
            "GET /billing/summary",
            query={"organization_id": organization_id},
        )

    async def get_statement(
        self,
        *,
        from_: str | Omitted = OMITTED,
        to: str | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        account: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> models.AccountStatementView:
        """Show an account over a period: the opening balance, one line for each transfer, the closing balance.

        The statement uses the time of booking, so that past days never change. With `Accept: text/csv` the response is the whole statement as CSV, and with `Accept: text/html` a page to print.

        A key of a member that is attributed to a department or project is refused: all of the organization's spends are here.
        """
        return await self._caller.ask(
            models.AccountStatementView,
            "billing.get_statement",
            "GET /billing/statement",
            query={
                "from": from_,
                "to": to,
                "zone": zone,
                "currency": currency,
                "account": account,
                "organization_id": organization_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def list_balances(
        self,
        *,
        at: str | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        account: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> models.AccountBalancesView:
        """List the balance of each account of the organization at a moment, by time of booking. Escrows are left out.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return await self._caller.ask(
            models.AccountBalancesView,
            "billing.list_balances",
            "GET /billing/balances",
            query={
                "at": at,
                "zone": zone,
                "account": account,
                "organization_id": organization_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_transfer(self, transfer_id: str) -> models.TransferView:
        """Show a transfer: its cause, and its entries on accounts that the caller may see.

        Its id is in `id` of `GET /billing/transactions` and of statements. An organization sees only its own entries. A key of a member that is attributed to a department or project reads the transfers of its own spends.
        """
        return await self._caller.ask(
            models.TransferView, "billing.get_transfer", f"GET /ledger/transfers/{segment(transfer_id)}"
        )


class AsyncCredits(AsyncResource):
    """Operations on credits."""

    async def use(
        self,
        *,
        action: str | None | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        amount: AmountLike | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        department_id: str | None | Omitted = OMITTED,
        project_id: str | None | Omitted = OMITTED,
        run_id: str | None | Omitted = OMITTED,
        payee_agent_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | int | bool] | None | Omitted = OMITTED,
        pool: params.NamedPool | Omitted = OMITTED,
        on_limit: params.OnLimit | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.UseView:
        """Use credits for an action at its cost, or an amount of credits. The use is charged or refused at once.

        With `payee_agent_id`, it is the use of an agent of the library that is priced by usage, and its creator gets a share.
        """
        return await self._caller.ask(
            models.UseView,
            "credits.use",
            "POST /credits/use",
            key=idempotency_key,
            body=attributed(
                {
                    "action": action,
                    "quantity": quantity,
                    "amount": amount,
                    "agent_id": agent_id,
                    "department_id": department_id,
                    "project_id": project_id,
                    "run_id": run_id,
                    "payee_agent_id": payee_agent_id,
                    "metadata": metadata,
                    "pool": pool,
                    "on_limit": on_limit,
                }
            ),
        )

    async def use_for_many(self, *, items: Sequence[Mapping[str, Any]]) -> models.BatchAnswer:
        """Use credits for many actions, each under its own `key` and with its own answer, in the order given.

        One statement charges them as if they came one after the other. Uses of agents of the marketplace (`payee_agent_id`) are sales and are charged one by one. To repeat a batch, send it again whole, in parts or item by item: each key takes effect once, here and as the `Idempotency-Key` of `POST /credits/use`.
        """
        return await self._caller.ask(
            models.BatchAnswer, "credits.use_for_many", "POST /credits/use/batch", body={"items": items}
        )

    async def reserve(
        self,
        *,
        action: str | None | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        amount: AmountLike | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        department_id: str | None | Omitted = OMITTED,
        project_id: str | None | Omitted = OMITTED,
        run_id: str | None | Omitted = OMITTED,
        payee_agent_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | int | bool] | None | Omitted = OMITTED,
        pool: params.NamedPool | Omitted = OMITTED,
        on_limit: params.OnLimit | Omitted = OMITTED,
        expires_in: timedelta | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ReservationView:
        """Reserve credits until they are captured, released or expired. They count in the current windows of the limits.

        With `payee_agent_id`, they are for `quantity` units of an agent of the library, at its current price and share.
        """
        return await self._caller.ask(
            models.ReservationView,
            "credits.reserve",
            "POST /credits/reserve",
            key=idempotency_key,
            body=attributed(
                {
                    "action": action,
                    "quantity": quantity,
                    "amount": amount,
                    "agent_id": agent_id,
                    "department_id": department_id,
                    "project_id": project_id,
                    "run_id": run_id,
                    "payee_agent_id": payee_agent_id,
                    "metadata": metadata,
                    "pool": pool,
                    "on_limit": on_limit,
                    "expires_in": expires_in,
                }
            ),
        )

    async def capture_reservation(
        self,
        reservation_id: str,
        *,
        amount: AmountLike | None | Omitted = OMITTED,
        quantity: int | None | Omitted = OMITTED,
        final_capture: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ChangeView:
        """Capture all or a part of a reservation. The rest is released, unless `final_capture` is false.

        A reservation for an agent of the marketplace is captured once, by the `quantity` of units that were used.
        """
        return await self._caller.ask(
            models.ChangeView,
            "credits.capture_reservation",
            f"POST /credits/reservations/{segment(reservation_id)}/capture",
            key=idempotency_key,
            body={"amount": amount, "quantity": quantity, "final_capture": final_capture},
        )

    async def release(self, *, reservation_id: str, idempotency_key: str | None = None) -> models.ChangeView:
        """Release the held rest of a reservation.

        Owners and admins can release any reservation of their organization, regardless of their key's attribution.
        """
        return await self._caller.ask(
            models.ChangeView,
            "credits.release",
            "POST /credits/release",
            key=idempotency_key,
            body={"reservation_id": reservation_id},
        )

    async def extend_reservation(
        self,
        reservation_id: str,
        *,
        expires_in: timedelta | str | None | Omitted = OMITTED,
        expires_at: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ChangeView:
        """Extend a reservation: to at most 30 days from now, not beyond the expiry of the credits it holds."""
        return await self._caller.ask(
            models.ChangeView,
            "credits.extend_reservation",
            f"POST /credits/reservations/{segment(reservation_id)}/extend",
            key=idempotency_key,
            body={"expires_in": expires_in, "expires_at": expires_at},
        )

    async def get_spend(self, spend_id: str) -> models.SpendDetail:
        """Read a use or a reservation of credits in its current state, with its refunds."""
        return await self._caller.ask(
            models.SpendDetail, "credits.get_spend", f"GET /credits/spends/{segment(spend_id)}"
        )

    async def get_reservation(self, reservation_id: str) -> models.SpendDetail:
        """Read a reservation, or a use of credits, in its current state."""
        return await self._caller.ask(
            models.SpendDetail, "credits.get_reservation", f"GET /credits/reservations/{segment(reservation_id)}"
        )

    def list_usage(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.SpendStatus] | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        department_id: str | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SpendView]:
        """List the uses and reservations of credits, newest first.

        The key of an agent or a member gets its own only: those of its agent, or of its department and project.

        A page scans a bounded number of spends. A filtered page may have fewer than `limit` items, or none, and still have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SpendView,
            "credits.list_usage",
            "/credits/usage",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "action": action,
                "department_id": department_id,
                "project_id": project_id,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def summarise_usage(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.UsageSummary:
        """Add up the credits used, by action, agent, department, model and day, over at most 92 days.

        The key of an agent gets the totals of its agent, and the key of a member that is attributed to a department those of the department with its parts.
        """
        return await self._caller.ask(
            models.UsageSummary,
            "credits.summarise_usage",
            "GET /credits/usage/summary",
            query={"from": from_, "to": to, "organization_id": organization_id},
        )

    async def grant(
        self,
        *,
        organization_id: str,
        amount: AmountLike,
        source: Literal["promotion", "reward", "adjustment"] | str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        expires_at: datetime | str | None | Omitted = OMITTED,
        priority: int | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.LotView:
        """Grant credits to an organization. For operators; above a set amount it takes two of them."""
        return await self._caller.ask(
            models.LotView,
            "credits.grant",
            "POST /credits/grants",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "organization_id": organization_id,
                "amount": amount,
                "source": source,
                "expires_at": expires_at,
                "priority": priority,
                "note": note,
            },
        )

    def list_lots(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        source: params.LotSource | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CreditLotView]:
        """List an organization's lots of credits, newest first, with remaining, held and expired credits.

        A key of a member that is attributed to a department or project is refused: all of the organization's spends take from these lots.

        Credits that an escrow or a refund returns are in the lot that they came from, or in a lot that expires later. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CreditLotView,
            "credits.list_lots",
            "/credits/lots",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "source": source,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def refund_spend(
        self,
        spend_id: str,
        *,
        amount: AmountLike | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SpendRefundView:
        """Refund an amount, or all that remains, of a use or of the captures of a reservation. For operators.

        Above a set amount it takes two operators. The refund counts in the windows in which the credits were spent, and pays the organization's debt first. Credits that have expired meanwhile, or soon would, get some more days. The use of an agent of the marketplace is refunded in full, and its shares are reversed.
        """
        return await self._caller.ask(
            models.SpendRefundView,
            "credits.refund_spend",
            f"POST /credits/spends/{segment(spend_id)}/refunds",
            key=idempotency_key,
            body={"amount": amount, "reason": reason},
        )

    def list_spend_refunds(
        self,
        spend_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SpendRefundView]:
        """List the refunds of a use or a reservation of credits, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SpendRefundView,
            "credits.list_spend_refunds",
            f"/credits/spends/{segment(spend_id)}/refunds",
            {
                "from": from_,
                "to": to,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_stats(self, *, organization_id: str | Omitted = OMITTED) -> models.CreditStats:
        """Show how many credits an organization bought, received and used, the burn rate, and how long the rest lasts.

        A key of a member that is attributed to a department or project is refused: these are the organization's figures.
        """
        return await self._caller.ask(
            models.CreditStats, "credits.get_stats", "GET /credits/stats", query={"organization_id": organization_id}
        )


class AsyncEscrows(AsyncResource):
    """Operations on escrows."""

    async def create(
        self,
        *,
        contract_id: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        amount: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Open the escrow of an accepted contract. A contract has one escrow, which can be funded immediately."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.create",
            "POST /escrows",
            key=idempotency_key,
            body={"external_id": external_id, "metadata": metadata, "contract_id": contract_id, "amount": amount},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        contract_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.EscrowStatus] | Omitted = OMITTED,
        waits_for: params.WaitsFor | Omitted = OMITTED,
        overdue: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.EscrowView]:
        """List the escrows that are visible to the caller, newest first. An agent's key sees those of its agent.

        For operators, `organization_id` finds the escrows that the organization pays, is paid by or signs for. `q` searches the title of the work and the external id. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.EscrowView,
            "escrows.list",
            "/escrows",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "contract_id": contract_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "waits_for": waits_for,
                "overdue": overdue,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def update(
        self,
        escrow_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Change your own `external_id` and `metadata` of an escrow. Each party has its own and sees only these."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.update",
            f"PATCH /escrows/{segment(escrow_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )

    async def get(self, escrow_id: str) -> models.EscrowView:
        """Show an escrow. Its `ETag` is the version of your own `external_id` and `metadata`."""
        return await self._caller.ask(models.EscrowView, "escrows.get", f"GET /escrows/{segment(escrow_id)}")

    async def fund(
        self,
        escrow_id: str,
        *,
        source: Literal["credits", "balance"] | str | Omitted = OMITTED,
        payment_id: str | None | Omitted = OMITTED,
        provider: params.ProviderName | None | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.FundedView:
        """Move the whole amount into escrow: from credits, a balance, an existing payment or a new payment."""
        return await self._caller.ask(
            models.FundedView,
            "escrows.fund",
            f"POST /escrows/{segment(escrow_id)}/fund",
            key=idempotency_key,
            body={
                "source": source,
                "payment_id": payment_id,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
                "total": total,
            },
        )

    async def deliver(
        self,
        escrow_id: str,
        *,
        artifacts: Sequence[params.ArtifactBody] | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        milestone: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Submit work for review; a new delivery replaces the one under review."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.deliver",
            f"POST /escrows/{segment(escrow_id)}/delivery",
            key=idempotency_key,
            body={"artifacts": artifacts, "note": note, "milestone": milestone},
        )

    async def validate(
        self,
        escrow_id: str,
        *,
        score: AmountLike,
        note: str | None | Omitted = OMITTED,
        delivery: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Record a validator's score. A score at or above the contract's threshold releases the delivery."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.validate",
            f"POST /escrows/{segment(escrow_id)}/validation",
            key=idempotency_key,
            body={"score": score, "note": note, "delivery": delivery},
        )

    async def approve(
        self, escrow_id: str, *, delivery: int | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.EscrowView:
        """Sign for the delivery as the key's principal. The last required signature releases it."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.approve",
            f"POST /escrows/{segment(escrow_id)}/approvals",
            key=idempotency_key,
            body={"delivery": delivery},
        )

    async def open_dispute(
        self, escrow_id: str, *, reason: str, idempotency_key: str | None = None
    ) -> models.EscrowView:
        """Open a dispute: the escrow is frozen until an arbiter decides or the default applies."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.open_dispute",
            f"POST /escrows/{segment(escrow_id)}/disputes",
            key=idempotency_key,
            body={"reason": reason},
        )

    async def submit_evidence(
        self,
        escrow_id: str,
        *,
        note: str,
        artifacts: Sequence[params.ArtifactBody] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Add evidence to the open dispute, until its `evidence_until`."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.submit_evidence",
            f"POST /escrows/{segment(escrow_id)}/disputes/evidence",
            key=idempotency_key,
            body={"note": note, "artifacts": artifacts},
        )

    async def resolve_dispute(
        self,
        escrow_id: str,
        *,
        payee_share: AmountLike,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.EscrowView:
        """Decide the dispute as the arbiter: split what is held between the agent and the payer."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.resolve_dispute",
            f"POST /escrows/{segment(escrow_id)}/disputes/resolution",
            key=idempotency_key,
            body={"payee_share": payee_share, "note": note},
        )

    async def refund(
        self, escrow_id: str, *, amount: AmountLike | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.EscrowView:
        """Refund an amount, or all that is held, to the payer. Only the payee may do this."""
        return await self._caller.ask(
            models.EscrowView,
            "escrows.refund",
            f"POST /escrows/{segment(escrow_id)}/refunds",
            key=idempotency_key,
            body={"amount": amount},
        )

    async def cancel(
        self, escrow_id: str, *, reason: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.EscrowView:
        """End the escrow before delivery.

        While nothing is funded, either party may do this. After that, the payee may, or both parties together.
        """
        return await self._caller.ask(
            models.EscrowView,
            "escrows.cancel",
            f"POST /escrows/{segment(escrow_id)}/cancel",
            key=idempotency_key,
            body={"reason": reason},
        )

    async def summary(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        contract_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.EscrowStatus] | Omitted = OMITTED,
        waits_for: params.WaitsFor | Omitted = OMITTED,
        overdue: bool | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> models.StatusSummary:
        """Count escrows by state and currency, with the filters of the list. `amount` adds up their prices."""
        return await self._caller.ask(
            models.StatusSummary,
            "escrows.summary",
            "GET /escrows/summary",
            query={
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "contract_id": contract_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "waits_for": waits_for,
                "overdue": overdue,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    def get_timeline(
        self,
        escrow_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.EscrowEventView]:
        """List the events of an escrow, each with its actor, time and ledger transfer.

        The payer alone sees where its money came from, and the platform alone which signals of operators were refused: the numbers of these are left out.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.EscrowEventView,
            "escrows.get_timeline",
            f"/escrows/{segment(escrow_id)}/timeline",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )

    async def actions(
        self, escrow_id: str, *, payee_share: AmountLike | Omitted = OMITTED, amount: AmountLike | Omitted = OMITTED
    ) -> models.EscrowActionList:
        """List every command: whether you may give it now, why not, and what it would move.

        `fund` is judged without checking that the payer has the money. `validate` is shown with a score that releases.
        """
        return await self._caller.ask(
            models.EscrowActionList,
            "escrows.actions",
            f"GET /escrows/{segment(escrow_id)}/actions",
            query={"payee_share": payee_share, "amount": amount},
        )


class AsyncTasks(AsyncResource):
    """Operations on tasks."""

    def list(
        self,
        *,
        kind: Sequence[params.TaskKind] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.TaskView]:
        """List your tasks by deadline; those without a deadline come last. Auditors of the platform see those of operators.

        The oldest 2,000 open objects of each kind are considered.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller, models.TaskView, "tasks.list", "/tasks", {"kind": kind, "limit": limit, "cursor": cursor}
        )


class AsyncTopups(AsyncResource):
    """Operations on topups."""

    async def create(
        self,
        *,
        amount: AmountLike,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.TopUpView:
        """Buy a number of credits. They are granted as soon as the money is received."""
        return await self._caller.ask(
            models.TopUpView,
            "topups.create",
            "POST /billing/topup",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
                "amount": amount,
            },
        )

    async def get_quote(
        self,
        *,
        credits: AmountLike | Omitted = OMITTED,
        package: str | Omitted = OMITTED,
        slots: int | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        asset: params.Coin | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.BillingQuoteView:
        """Quote the current price of credits, a package, slots or an agent, with tax. Nothing is created.

        Name one of `credits`, `package`, `slots` and `agent_id`. The quote is refused if the payment would be refused.
        """
        return await self._caller.ask(
            models.BillingQuoteView,
            "topups.get_quote",
            "GET /billing/quote",
            query={
                "credits": credits,
                "package": package,
                "slots": slots,
                "agent_id": agent_id,
                "provider": provider,
                "asset": asset,
                "organization_id": organization_id,
            },
        )


class AsyncCreditPackages(AsyncResource):
    """Operations on credit packages."""

    async def list(self) -> models.PackageList:
        """List the credit packages for sale."""
        return await self._caller.ask(models.PackageList, "credit_packages.list", "GET /billing/credit-packages")

    async def purchase(
        self,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        package: str | None | Omitted = OMITTED,
        package_id: str | None | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        payment_method_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.TopUpView:
        """Buy a package with a stored payment method, charged off session. A decline is a 402."""
        return await self._caller.ask(
            models.TopUpView,
            "credit_packages.purchase",
            "POST /billing/purchase-credits",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "package": package,
                "package_id": package_id,
                "payment_method": payment_method,
                "payment_method_id": payment_method_id,
            },
        )

    async def check_out(
        self,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        package: str | None | Omitted = OMITTED,
        package_id: str | None | Omitted = OMITTED,
        provider: params.HostedProvider | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.CheckoutView:
        """Buy a package on the provider's hosted page: send the payer to `url`."""
        return await self._caller.ask(
            models.CheckoutView,
            "credit_packages.check_out",
            "POST /billing/credits/purchase",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "package": package,
                "package_id": package_id,
                "provider": provider,
                "return_url": return_url,
            },
        )

    def list_purchases(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        source: params.LotSource | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.PurchaseView]:
        """List the grants and purchases of credits, newest first, with their prices.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PurchaseView,
            "credit_packages.list_purchases",
            "/billing/credits/history",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "source": source,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncPricing(AsyncResource):
    """Operations on pricing."""

    async def get_price(
        self,
        agent_id: str,
        *,
        base_price: AmountLike | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.PriceView:
        """Read the current price of an agent's work, and its reasons.

        Nothing is stored: to keep a price, create a quote.
        """
        return await self._caller.ask(
            models.PriceView,
            "pricing.get_price",
            f"GET /payments/pricing/{segment(agent_id)}",
            query={
                "base_price": base_price,
                "currency": currency,
                "quantity": quantity,
                "organization_id": organization_id,
            },
        )

    async def explain_price(
        self,
        agent_id: str,
        *,
        base_price: AmountLike | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.PriceExplanationView:
        """Explain a price: the measured values, and each rule that was checked, whether it applied or not.

        For operators and auditors of the platform.
        """
        return await self._caller.ask(
            models.PriceExplanationView,
            "pricing.explain_price",
            f"GET /payments/pricing/{segment(agent_id)}/explanation",
            query={
                "base_price": base_price,
                "currency": currency,
                "quantity": quantity,
                "organization_id": organization_id,
            },
        )

    async def create_quote(
        self,
        agent_id: str,
        *,
        quantity: int | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PriceQuoteView:
        """Keep the current price for fifteen minutes. A contract that names the quote gets this price, once.

        An agent keeps the price that its own score earns, and its organization awards the contract.
        """
        return await self._caller.ask(
            models.PriceQuoteView,
            "pricing.create_quote",
            f"POST /payments/pricing/{segment(agent_id)}/quotes",
            key=idempotency_key,
            body={"quantity": quantity, "organization_id": organization_id},
        )

    async def get_quote(self, agent_id: str, quote_id: str) -> models.PriceQuoteView:
        """Read a quote of the organization."""
        return await self._caller.ask(
            models.PriceQuoteView,
            "pricing.get_quote",
            f"GET /payments/pricing/{segment(agent_id)}/quotes/{segment(quote_id)}",
        )

    async def get_agent_pricing(self, agent_id: str) -> models.AgentPricingView:
        """Read the price settings of an agent's organization. For that organization and the platform."""
        return await self._caller.ask(
            models.AgentPricingView, "pricing.get_agent_pricing", f"GET /pricing/agents/{segment(agent_id)}"
        )

    async def set_agent_pricing(
        self,
        agent_id: str,
        *,
        capacity: int | None | Omitted = OMITTED,
        calls_per_day: int | None | Omitted = OMITTED,
        bears_discounts: bool | Omitted = OMITTED,
    ) -> models.AgentPricingView:
        """Set how many jobs an agent works on at once, how many calls it accepts, and whether it bears discounts.

        For its organization and operators.
        """
        return await self._caller.ask(
            models.AgentPricingView,
            "pricing.set_agent_pricing",
            f"PUT /pricing/agents/{segment(agent_id)}",
            body={"capacity": capacity, "calls_per_day": calls_per_day, "bears_discounts": bears_discounts},
        )


class AsyncPayments(AsyncResource):
    """Operations on payments."""

    async def get_receipt(self, payment_id: str) -> bytes:
        """Return the receipt of a payment as PDF: the money received, before refunds and chargebacks.

        If credits are taxed when they are sold, it is the first of the payment's tax documents.
        """
        response, _ = await self._caller.send("payments.get_receipt", f"GET /payments/{segment(payment_id)}/receipt")
        return response.content

    async def list_receipts(self, payment_id: str) -> models.TaxReceiptList:
        """List the tax documents of a payment for credits that are taxed when they are sold, the oldest first."""
        return await self._caller.ask(
            models.TaxReceiptList, "payments.list_receipts", f"GET /payments/{segment(payment_id)}/receipts"
        )

    async def get_tax_receipt(self, payment_id: str, receipt_id: str) -> bytes:
        """Return one tax document of a payment as PDF: money received with its tax, or money returned."""
        response, _ = await self._caller.send(
            "payments.get_tax_receipt", f"GET /payments/{segment(payment_id)}/receipts/{segment(receipt_id)}/pdf"
        )
        return response.content

    async def create(
        self,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        amount: AmountLike | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        purpose: params.PurposeKind | Omitted = OMITTED,
        escrow_id: str | None | Omitted = OMITTED,
        invoice_id: str | None | Omitted = OMITTED,
        slots: int | None | Omitted = OMITTED,
        capture_method: Literal["automatic", "manual"] | str | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PaymentView:
        """Ask a provider to take a payment. The answer says what the payer has to do next."""
        return await self._caller.ask(
            models.PaymentView,
            "payments.create",
            "POST /payments",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
                "amount": amount,
                "currency": currency,
                "purpose": purpose,
                "escrow_id": escrow_id,
                "invoice_id": invoice_id,
                "slots": slots,
                "capture_method": capture_method,
                "description": description,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.PaymentStatus] | Omitted = OMITTED,
        purpose: params.PurposeKind | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.PaymentView]:
        """List the organization's payments, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PaymentView,
            "payments.list",
            "/payments",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "provider": provider,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "purpose": purpose,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def summary(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.PaymentStatus] | Omitted = OMITTED,
        purpose: params.PurposeKind | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> models.PaymentsSummary:
        """Count payments by state and currency, and by provider, with the filters of the list.

        `amount` is the sum of the amounts that the payments were created for.
        """
        return await self._caller.ask(
            models.PaymentsSummary,
            "payments.summary",
            "GET /payments/summary",
            query={
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "provider": provider,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "purpose": purpose,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, payment_id: str) -> models.PaymentView:
        """Show a payment. The `ETag` covers its `external_id` and `metadata`."""
        return await self._caller.ask(models.PaymentView, "payments.get", f"GET /payments/{segment(payment_id)}")

    async def update(
        self,
        payment_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PaymentView:
        """Change the `external_id` and `metadata` of a payment. The key must be allowed to pay, or be an operator's."""
        return await self._caller.ask(
            models.PaymentView,
            "payments.update",
            f"PATCH /payments/{segment(payment_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )

    def get_timeline(
        self,
        payment_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.PaymentEventView]:
        """Show each step of a payment: who, when, and the ledger transfer behind it, if the caller may see that.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PaymentEventView,
            "payments.get_timeline",
            f"/payments/{segment(payment_id)}/timeline",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )

    async def confirm(
        self, payment_id: str, *, payment_method: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.PaymentView:
        """Confirm a payment: charge a stored method, capture what the payer approved, or refresh it from the provider."""
        return await self._caller.ask(
            models.PaymentView,
            "payments.confirm",
            f"POST /payments/{segment(payment_id)}/confirm",
            key=idempotency_key,
            body={"payment_method": payment_method},
        )

    async def capture(
        self, payment_id: str, *, amount: AmountLike | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.PaymentView:
        """Capture the authorized amount, or a part of it; the rest is released."""
        return await self._caller.ask(
            models.PaymentView,
            "payments.capture",
            f"POST /payments/{segment(payment_id)}/capture",
            key=idempotency_key,
            body={"amount": amount},
        )

    async def cancel(self, payment_id: str, *, idempotency_key: str | None = None) -> models.PaymentView:
        """Cancel a payment that has not been paid. Money that arrives in the meantime is still booked."""
        return await self._caller.ask(
            models.PaymentView, "payments.cancel", f"POST /payments/{segment(payment_id)}/cancel", key=idempotency_key
        )

    async def refund(
        self,
        payment_id: str,
        *,
        amount: AmountLike | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        credit_note: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RefundView:
        """Refund an amount in the payment's currency, or all that remains, and claw back the entitlement bought with it."""
        return await self._caller.ask(
            models.RefundView,
            "payments.refund",
            f"POST /payments/{segment(payment_id)}/refunds",
            key=idempotency_key,
            body={"amount": amount, "reason": reason, "credit_note": credit_note},
        )

    async def list_refunds(self, payment_id: str) -> models.RefundList:
        """List the refunds of a payment, the oldest first. With `Accept: text/csv` the response is a CSV file."""
        return await self._caller.ask(
            models.RefundList, "payments.list_refunds", f"GET /payments/{segment(payment_id)}/refunds"
        )

    async def give_up_refund(
        self,
        payment_id: str,
        refund_id: str,
        *,
        at_provider: bool,
        reason: str,
        provider_ref: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RefundView:
        """Record the outcome of a refund that is unknown. A later report by the provider still counts. For operators."""
        return await self._caller.ask(
            models.RefundView,
            "payments.give_up_refund",
            f"POST /payments/{segment(payment_id)}/refunds/{segment(refund_id)}/give-up",
            key=idempotency_key,
            body={"at_provider": at_provider, "provider_ref": provider_ref, "reason": reason},
        )

    async def actions(self, payment_id: str, *, amount: AmountLike | Omitted = OMITTED) -> models.PaymentActionList:
        """List every command: whether you may give it now, why not, and what it would do.

        The provider's answer is not known in advance. Whether the entitlement is still unspent is not checked.
        """
        return await self._caller.ask(
            models.PaymentActionList,
            "payments.actions",
            f"GET /payments/{segment(payment_id)}/actions",
            query={"amount": amount},
        )


class AsyncChargebacks(AsyncResource):
    """Operations on chargebacks."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.DisputeStatus] | Omitted = OMITTED,
        payment_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ChargebackView]:
        """List the chargebacks of the organization's payments, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ChargebackView,
            "chargebacks.list",
            "/disputes",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "provider": provider,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "payment_id": payment_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, dispute_id: str) -> models.ChargebackView:
        """Show a chargeback."""
        return await self._caller.ask(models.ChargebackView, "chargebacks.get", f"GET /disputes/{segment(dispute_id)}")

    async def answer(self, dispute_id: str, *, text: str, idempotency_key: str | None = None) -> models.ChargebackView:
        """Answer a chargeback.

        With an operator's key the evidence is submitted to the bank. It can be submitted only once and cannot be changed. With an organization's key the evidence is stored in `offered_evidence`. A later call replaces it until operators have answered the bank. Operators read it and decide what is submitted.
        """
        return await self._caller.ask(
            models.ChargebackView,
            "chargebacks.answer",
            f"POST /disputes/{segment(dispute_id)}/evidence",
            key=idempotency_key,
            body={"text": text},
        )


class AsyncRisk(AsyncResource):
    """Operations on risk."""

    def list_cases(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        status: Sequence[params.CaseStatus] | Omitted = OMITTED,
        kind: params.CaseKind | Omitted = OMITTED,
        assigned_to: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RiskCaseView]:
        """List cases of suspected fraud, newest first. An organization sees those that affect it.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RiskCaseView,
            "risk.list_cases",
            "/risk/cases",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "status": status,
                "kind": kind,
                "assigned_to": assigned_to,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_case(self, case_id: str) -> models.RiskCaseDetails:
        """Show a case: to operators with everything, to an affected organization with what is held and how to answer."""
        return await self._caller.ask(models.RiskCaseDetails, "risk.get_case", f"GET /risk/cases/{segment(case_id)}")

    async def assign_case(
        self, case_id: str, *, operator: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Assign a case to an operator."""
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.assign_case",
            f"POST /risk/cases/{segment(case_id)}/assign",
            key=idempotency_key,
            body={"operator": operator},
        )

    async def note_on_case(
        self, case_id: str, *, note: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Add a note that only operators see."""
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.note_on_case",
            f"POST /risk/cases/{segment(case_id)}/note",
            key=idempotency_key,
            body={"note": note},
        )

    async def request_case_information(
        self, case_id: str, *, question: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Ask the affected organizations a question. Without an answer in three days the case goes on."""
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.request_case_information",
            f"POST /risk/cases/{segment(case_id)}/request-information",
            key=idempotency_key,
            body={"question": question},
        )

    async def answer_case(
        self, case_id: str, *, answer: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Answer the question, as an affected organization."""
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.answer_case",
            f"POST /risk/cases/{segment(case_id)}/answer",
            key=idempotency_key,
            body={"answer": answer},
        )

    async def decide_case(
        self,
        case_id: str,
        *,
        result: params.CaseResult,
        reason: str,
        value: AmountLike | None | Omitted = OMITTED,
        entries: Sequence[params.RiskListEntry] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RiskCaseDetails:
        """Decide a case, or decide again after an appeal, which takes another operator.

        Above the amount of `BURSAR_TWO_OPERATORS_ABOVE` it takes two operators: the first one's request is refused with the id of the approval that a second one has to give.
        """
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.decide_case",
            f"POST /risk/cases/{segment(case_id)}/decide",
            key=idempotency_key,
            body={"result": result, "reason": reason, "value": value, "entries": entries},
        )

    async def appeal_case(
        self, case_id: str, *, appeal: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Appeal a refusal, once and within 14 days, as an affected organization. Another operator decides again."""
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.appeal_case",
            f"POST /risk/cases/{segment(case_id)}/appeal",
            key=idempotency_key,
            body={"appeal": appeal},
        )

    async def appeal_decision(
        self, decision_id: str, *, appeal: str, idempotency_key: str | None = None
    ) -> models.RiskCaseDetails:
        """Appeal a decision that blocked an act of the organization, once. This opens a case.

        After its release, repeat the blocked request with the same Idempotency-Key.
        """
        return await self._caller.ask(
            models.RiskCaseDetails,
            "risk.appeal_decision",
            f"POST /risk/decisions/{segment(decision_id)}/appeal",
            key=idempotency_key,
            body={"appeal": appeal},
        )

    def list_models(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RiskModelView]:
        """List the models that score acts, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RiskModelView,
            "risk.list_models",
            "/risk/models",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )


class AsyncInvoices(AsyncResource):
    """Operations on invoices."""

    async def preview(self, *, organization_id: str | Omitted = OMITTED) -> models.UpcomingInvoiceView:
        """Preview the organization's invoice as if the month ended now."""
        return await self._caller.ask(
            models.UpcomingInvoiceView,
            "invoices.preview",
            "GET /billing/invoices/upcoming",
            query={"organization_id": organization_id},
        )

    async def issue(
        self,
        *,
        organization_id: str,
        currency: str,
        lines: Sequence[params.LineCreate],
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        discounts: Sequence[params.DiscountCreate] | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        due_in: timedelta | str | None | Omitted = OMITTED,
        includes_tax: bool | Omitted = OMITTED,
        apply_credits: bool | Omitted = OMITTED,
        draft: bool | Omitted = OMITTED,
        collection_method: params.CollectionMethod | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvoiceView:
        """Issue an invoice to an organization, or create a draft. For operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.issue",
            "POST /billing/invoices",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "organization_id": organization_id,
                "currency": currency,
                "lines": lines,
                "discounts": discounts,
                "note": note,
                "due_in": due_in,
                "includes_tax": includes_tax,
                "apply_credits": apply_credits,
                "draft": draft,
                "collection_method": collection_method,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.InvoiceStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.InvoiceView]:
        """List the organization's invoices, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.InvoiceView,
            "invoices.list",
            "/billing/invoices",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def edit(
        self,
        invoice_id: str,
        *,
        lines: Sequence[params.LineCreate],
        discounts: Sequence[params.DiscountCreate] | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvoiceView:
        """Replace the lines, the discounts and the note of a draft. For operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.edit",
            f"PUT /billing/invoices/{segment(invoice_id)}",
            key=idempotency_key,
            body={"lines": lines, "discounts": discounts, "note": note},
        )

    async def discard(self, invoice_id: str) -> models.InvoiceView:
        """Discard a draft. It never becomes an invoice and is no longer listed. For operators."""
        return await self._caller.ask(
            models.InvoiceView, "invoices.discard", f"DELETE /billing/invoices/{segment(invoice_id)}"
        )

    async def update(
        self,
        invoice_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvoiceView:
        """Change the `external_id` and `metadata` of an invoice. For its organization and operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.update",
            f"PATCH /billing/invoices/{segment(invoice_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )

    async def get(self, invoice_id: str) -> models.InvoiceDetail:
        """Show an invoice, with the amount that each payment has paid."""
        return await self._caller.ask(
            models.InvoiceDetail, "invoices.get", f"GET /billing/invoices/{segment(invoice_id)}"
        )

    async def finalize(
        self,
        invoice_id: str,
        *,
        collection_method: params.CollectionMethod | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvoiceView:
        """Finalise a draft: apply discounts, credits and tax, book the invoice and give it a number. For operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.finalize",
            f"POST /billing/invoices/{segment(invoice_id)}/finalize",
            key=idempotency_key,
            body={"collection_method": collection_method},
        )

    async def void(self, invoice_id: str, *, idempotency_key: str | None = None) -> models.InvoiceView:
        """Void an invoice that has no payments. Money that arrives for it later is returned. For operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.void",
            f"POST /billing/invoices/{segment(invoice_id)}/void",
            key=idempotency_key,
        )

    async def mark_uncollectible(self, invoice_id: str, *, idempotency_key: str | None = None) -> models.InvoiceView:
        """Mark an invoice as uncollectible. The amount due becomes bad debt. For operators."""
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.mark_uncollectible",
            f"POST /billing/invoices/{segment(invoice_id)}/mark-uncollectible",
            key=idempotency_key,
        )

    async def resume(self, invoice_id: str, *, idempotency_key: str | None = None) -> models.InvoiceView:
        """Resume the collection of an invoice that a refund or a chargeback has reopened. For operators.

        An invoice that is collected automatically is charged at once, or dunned from the beginning.
        """
        return await self._caller.ask(
            models.InvoiceView,
            "invoices.resume",
            f"POST /billing/invoices/{segment(invoice_id)}/resume",
            key=idempotency_key,
        )

    async def credit(
        self,
        invoice_id: str,
        *,
        reason: str,
        amount: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.CreditNoteView:
        """Issue a credit note for part of an invoice, or all that is left. Credits return to their lots. For operators."""
        return await self._caller.ask(
            models.CreditNoteView,
            "invoices.credit",
            f"POST /billing/invoices/{segment(invoice_id)}/credit-notes",
            key=idempotency_key,
            body={"amount": amount, "reason": reason},
        )

    async def pay(
        self,
        invoice_id: str,
        *,
        total: AmountLike | None | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PaymentView:
        """Start a payment of the amount due. Same as `POST /payments` with the purpose `invoice`."""
        return await self._caller.ask(
            models.PaymentView,
            "invoices.pay",
            f"POST /billing/invoices/{segment(invoice_id)}/pay",
            key=idempotency_key,
            body={
                "total": total,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
            },
        )

    async def get_pdf(self, invoice_id: str) -> bytes:
        """Return the invoice as PDF, as issued; once it is paid, with the payments and nothing due.

        Both versions never change. If the details of seller, buyer and tax are complete, it contains the electronic invoice of EN 16931 (Factur-X).
        """
        response, _ = await self._caller.send("invoices.get_pdf", f"GET /billing/invoices/{segment(invoice_id)}/pdf")
        return response.content

    async def get_xml(self, invoice_id: str) -> bytes:
        """Return the electronic invoice of EN 16931 (CII), as issued."""
        response, _ = await self._caller.send("invoices.get_xml", f"GET /billing/invoices/{segment(invoice_id)}/xml")
        return response.content

    async def get_credit_note_pdf(self, invoice_id: str, credit_note_id: str) -> bytes:
        """Return a credit note as PDF, with the electronic credit note inside."""
        response, _ = await self._caller.send(
            "invoices.get_credit_note_pdf",
            f"GET /billing/invoices/{segment(invoice_id)}/credit-notes/{segment(credit_note_id)}/pdf",
        )
        return response.content

    async def get_collection(self, invoice_id: str) -> models.CollectionView:
        """Show the collection of an invoice: each past step, and the next one. 404 if it has no collection."""
        return await self._caller.ask(
            models.CollectionView, "invoices.get_collection", f"GET /billing/invoices/{segment(invoice_id)}/collection"
        )

    async def collect(
        self, invoice_id: str, *, collection_method: params.CollectionMethod, idempotency_key: str | None = None
    ) -> models.CollectionView:
        """Start the collection of an invoice that was left to its organization until now. For operators."""
        return await self._caller.ask(
            models.CollectionView,
            "invoices.collect",
            f"POST /billing/invoices/{segment(invoice_id)}/collection",
            key=idempotency_key,
            body={"collection_method": collection_method},
        )

    async def charge(self, invoice_id: str, *, idempotency_key: str | None = None) -> models.CollectionView:
        """Charge the amount due to the stored payment method now, also after a refund or a chargeback. For operators.

        The response does not wait for the money; `GET …/collection` shows the outcome. 404 if it has no collection.
        """
        return await self._caller.ask(
            models.CollectionView,
            "invoices.charge",
            f"POST /billing/invoices/{segment(invoice_id)}/charge",
            key=idempotency_key,
        )


class AsyncBillingRuns(AsyncResource):
    """Operations on billing runs."""

    async def start(self, *, period: str, idempotency_key: str | None = None) -> models.BillingRunView:
        """Invoice a past month to every organization. For operators.

        A month is invoiced to each organization once, however often you start the run. Starting a run that has ended returns its result. If it could not invoice some organizations, they are tried again.
        """
        return await self._caller.ask(
            models.BillingRunView,
            "billing_runs.start",
            "POST /billing/runs",
            key=idempotency_key,
            body={"period": period},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        status: Sequence[params.BillingRunStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.BillingRunView]:
        """List the runs of monthly invoices, the latest month first. Times are when they started. For operators.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.BillingRunView,
            "billing_runs.list",
            "/billing/runs",
            {"from": from_, "to": to, "status": status, "limit": limit, "cursor": cursor},
        )

    async def get(self, period: str) -> models.BillingRunView:
        """Show the run of a month, with the organizations that could not be invoiced. For operators."""
        return await self._caller.ask(models.BillingRunView, "billing_runs.get", f"GET /billing/runs/{segment(period)}")


class AsyncInvoiceItems(AsyncResource):
    """Operations on invoice items."""

    async def add(
        self,
        *,
        organization_id: str,
        currency: str,
        description: str,
        unit_amount: AmountLike,
        quantity: int | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvoiceItemView:
        """Add a one-time item to the organization's next monthly invoice. For operators."""
        return await self._caller.ask(
            models.InvoiceItemView,
            "invoice_items.add",
            "POST /billing/invoice-items",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "currency": currency,
                "description": description,
                "quantity": quantity,
                "unit_amount": unit_amount,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.InvoiceItemStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.InvoiceItemView]:
        """List one-time invoice items, newest first. Amounts are per unit.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.InvoiceItemView,
            "invoice_items.list",
            "/billing/invoice-items",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def remove(self, item_id: str) -> models.InvoiceItemView:
        """Remove an item that is not yet on an invoice. For operators."""
        return await self._caller.ask(
            models.InvoiceItemView, "invoice_items.remove", f"DELETE /billing/invoice-items/{segment(item_id)}"
        )


class AsyncPlans(AsyncResource):
    """Operations on plans."""

    async def list(self) -> models.PlanList:
        """List the plans for sale, from the smallest to the largest."""
        return await self._caller.ask(models.PlanList, "plans.list", "GET /billing/plans")


class AsyncEntitlements(AsyncResource):
    """Operations on entitlements."""

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.EntitlementList:
        """List the organization's entitlements, and how much of each it uses."""
        return await self._caller.ask(
            models.EntitlementList,
            "entitlements.list",
            "GET /billing/entitlements",
            query={"organization_id": organization_id},
        )

    async def check(
        self, entitlement: str, *, quantity: int | Omitted = OMITTED, organization_id: str | Omitted = OMITTED
    ) -> models.EntitlementCheck:
        """Check whether the organization may have a number more of something, or may use a feature.

        If it may not, the response is the API's own refusal, with the limit and the ways to raise it. The check reserves nothing: the limit is checked again when the object is created.
        """
        return await self._caller.ask(
            models.EntitlementCheck,
            "entitlements.check",
            f"GET /billing/entitlements/{segment(entitlement)}/check",
            query={"quantity": quantity, "organization_id": organization_id},
        )


class AsyncStatements(AsyncResource):
    """Operations on statements."""

    async def get(
        self, period: str, *, currency: str | Omitted = OMITTED, organization_id: str | Omitted = OMITTED
    ) -> models.StatementView:
        """Show the organization's statement for a month: what its agents earned, and the balance of its earnings.

        The statement is created on the first day of the next month, or when it is first requested, and never changes. With `Accept: text/csv` the response contains its lines as CSV.
        """
        return await self._caller.ask(
            models.StatementView,
            "statements.get",
            f"GET /billing/statements/{segment(period)}",
            query={"currency": currency, "organization_id": organization_id},
        )

    async def get_pdf(
        self, period: str, *, currency: str | Omitted = OMITTED, organization_id: str | Omitted = OMITTED
    ) -> bytes:
        """Return the statement of a month as PDF. The platform issues it in the creator's name (self-billing)."""
        response, _ = await self._caller.send(
            "statements.get_pdf",
            f"GET /billing/statements/{segment(period)}/pdf",
            query={"currency": currency, "organization_id": organization_id},
        )
        return response.content

    async def get_correction_pdf(
        self,
        period: str,
        correction_id: str,
        *,
        currency: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> bytes:
        """Return a correction of the statement of a month as PDF: what a later month took back of it."""
        response, _ = await self._caller.send(
            "statements.get_correction_pdf",
            f"GET /billing/statements/{segment(period)}/corrections/{segment(correction_id)}/pdf",
            query={"currency": currency, "organization_id": organization_id},
        )
        return response.content


class AsyncCreators(AsyncResource):
    """Operations on creators."""

    async def get_totals(self, *, year: int | Omitted = OMITTED) -> models.CreatorTotals:
        """Show what each creator was paid in a year and its quarters, for tax reports. For operators, accountants.

        With `Accept: text/csv` the response contains the same lines as CSV. Bursar files nothing with an authority.
        """
        return await self._caller.ask(
            models.CreatorTotals, "creators.get_totals", "GET /billing/creators/totals", query={"year": year}
        )

    async def get_earnings(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> models.CreatorEarningsView:
        """Show what each agent earned in a period, and how much of its earnings is pending, frozen or available now.

        An agent's key sees its own agent only.

        Give the period as times (`from`, `to`) or as days in UTC (`start_date`, `end_date`); all time when left out. Credits are paid out at what was paid for these very credits, less the platform's share.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return await self._caller.ask(
            models.CreatorEarningsView,
            "creators.get_earnings",
            "GET /billing/earnings",
            query={
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "start_date": start_date,
                "end_date": end_date,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncSubscriptions(AsyncResource):
    """Operations on subscriptions."""

    async def get(self, *, organization_id: str | Omitted = OMITTED) -> models.SubscriptionView:
        """Show the organization's current subscription; 404 if it has none or it has ended."""
        return await self._caller.ask(
            models.SubscriptionView,
            "subscriptions.get",
            "GET /billing/subscription",
            query={"organization_id": organization_id},
        )

    async def create(
        self,
        *,
        plan: str | Omitted = OMITTED,
        interval: params.Interval | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        checkout: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        max_amount: AmountLike | None | Omitted = OMITTED,
        trial: bool | Omitted = OMITTED,
        seats: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionView:
        """Subscribe to a plan: charge the default payment method now, or send the payer to Stripe's page.

        Without a plan it is `premium`. A decline is a 402, and no subscription is created.
        """
        return await self._caller.ask(
            models.SubscriptionView,
            "subscriptions.create",
            "POST /billing/subscription",
            key=idempotency_key,
            body={
                "plan": plan,
                "interval": interval,
                "currency": currency,
                "checkout": checkout,
                "return_url": return_url,
                "max_amount": max_amount,
                "trial": trial,
                "seats": seats,
            },
        )

    async def change(
        self,
        *,
        plan: str,
        interval: params.Interval | None | Omitted = OMITTED,
        max_amount: AmountLike | None | Omitted = OMITTED,
        seats: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionView:
        """Change the plan, interval or seats. An upgrade acts now, prorated. A downgrade acts when the period ends."""
        return await self._caller.ask(
            models.SubscriptionView,
            "subscriptions.change",
            "PUT /billing/subscription",
            key=idempotency_key,
            body={"plan": plan, "interval": interval, "max_amount": max_amount, "seats": seats},
        )

    async def cancel(
        self, *, at_period_end: bool | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.SubscriptionView:
        """Cancel the subscription when its period ends, or now."""
        return await self._caller.ask(
            models.SubscriptionView,
            "subscriptions.cancel",
            "DELETE /billing/subscription",
            key=idempotency_key,
            query={"at_period_end": at_period_end},
        )

    async def preview_change(
        self, *, plan: str, interval: params.Interval | Omitted = OMITTED, seats: int | Omitted = OMITTED
    ) -> models.ChangePreview:
        """Preview a change: its cost and credits, and when it takes effect.

        The cost of an upgrade is Stripe's preview, with discounts and the customer's balance there.
        """
        return await self._caller.ask(
            models.ChangePreview,
            "subscriptions.preview_change",
            "GET /billing/subscription/preview",
            query={"plan": plan, "interval": interval, "seats": seats},
        )

    async def resume(self, *, idempotency_key: str | None = None) -> models.SubscriptionView:
        """Undo the cancellation that is to act when the period ends; without one, the downgrade.

        A smaller plan that was ordered after the cancellation stays: `pending_change` has it.
        """
        return await self._caller.ask(
            models.SubscriptionView, "subscriptions.resume", "POST /billing/subscription/resume", key=idempotency_key
        )


class AsyncGrants(AsyncResource):
    """Operations on grants."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.LotView]:
        """List the grants of credits as they were made, newest first. `GET /credits/lots` shows the remaining credits.

        A key of a member that is attributed to a department or project is refused.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.LotView,
            "grants.list",
            "/credits/grants",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, grant_id: str) -> models.LotView:
        """Read one grant of credits. Its `ETag` is the version of its `external_id` and `metadata`."""
        return await self._caller.ask(models.LotView, "grants.get", f"GET /credits/grants/{segment(grant_id)}")

    async def update(
        self,
        grant_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.LotView:
        """Change the `external_id` and `metadata` of a grant of credits. For its organization and operators."""
        return await self._caller.ask(
            models.LotView,
            "grants.update",
            f"PATCH /credits/grants/{segment(grant_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )


class AsyncCosts(AsyncResource):
    """Operations on costs."""

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.CostList:
        """List the cost of each action for the organization.

        The platform sees the prices for everybody, or for one organization.
        """
        return await self._caller.ask(
            models.CostList, "costs.list", "GET /credits/costs", query={"organization_id": organization_id}
        )

    async def set(
        self,
        action: str,
        *,
        cost: AmountLike | None,
        organization_id: str | None | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.CostVersionView:
        """Set the cost of an action from now on, for everybody or for one organization. For operators.

        The price of one organization can take two operators. Earlier charges, and repeats of their requests, keep their price.
        """
        return await self._caller.ask(
            models.CostVersionView,
            "costs.set",
            f"PUT /credits/costs/{segment(action)}",
            key=idempotency_key,
            body={"cost": cost, "organization_id": organization_id, "note": note},
        )

    def list_versions(
        self,
        action: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CostVersionView]:
        """List the prices of an action, newest first: those for everybody and the organization's own.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CostVersionView,
            "costs.list_versions",
            f"/credits/costs/{segment(action)}/versions",
            {"from": from_, "to": to, "q": q, "organization_id": organization_id, "limit": limit, "cursor": cursor},
        )


class AsyncAutoTopups(AsyncResource):
    """Operations on auto topups."""

    async def get(self) -> models.AutoTopUpView:
        """Show the automatic top-up: its settings, and the credits bought this month."""
        return await self._caller.ask(models.AutoTopUpView, "auto_topups.get", "GET /billing/auto-topup")

    async def set(
        self,
        *,
        below: AmountLike,
        credits: AmountLike,
        monthly_cap: AmountLike,
        enabled: bool | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AutoTopUpView:
        """Set the automatic top-up: buy credits with a stored payment method when the balance falls below a threshold.

        A balance below the threshold makes one payment at a time, for the multiple of `credits` that brings it back to the threshold, within the monthly cap. When you change the settings, a balance that is already below counts as a fall. `payment_method` is a stored one of the organization. A declined payment is tried again on the days of dunning; after the last one the top-up is off. A request after a decline, also an unchanged one, retries it immediately.
        """
        return await self._caller.ask(
            models.AutoTopUpView,
            "auto_topups.set",
            "PUT /billing/auto-topup",
            key=idempotency_key,
            body={
                "enabled": enabled,
                "below": below,
                "credits": credits,
                "monthly_cap": monthly_cap,
                "payment_method": payment_method,
            },
        )


class AsyncEarnings(AsyncResource):
    """Operations on earnings."""

    def list(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.EarningsView]:
        """List what each agent of an organization has earned in credits, the newest agents first; an agent sees its own.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.EarningsView,
            "earnings.list",
            "/credits/earnings",
            {"organization_id": organization_id, "agent_id": agent_id, "limit": limit, "cursor": cursor},
        )

    async def convert(
        self,
        *,
        agent_id: str,
        kind: params.EarningsKind | Omitted = OMITTED,
        amount: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ConversionView:
        """Convert earned credits of an agent into credits that the organization can spend. This cannot be undone.

        The credits keep their cost. The price of a sold agent cannot be converted until its buyer can no longer be refunded, nor earnings under a chargeback until the bank has decided. Credits that have expired meanwhile, or would expire soon, are extended by some days, except those that the organization paid to its own agent.
        """
        return await self._caller.ask(
            models.ConversionView,
            "earnings.convert",
            "POST /credits/earnings/conversions",
            key=idempotency_key,
            body={"agent_id": agent_id, "kind": kind, "amount": amount},
        )

    async def waive(
        self,
        *,
        currency: str,
        amount: AmountLike,
        kind: params.EarningsKind | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.WaiverView:
        """Waive earnings that can be neither paid out nor converted, for good, so that the organization can be closed.

        They become income of the platform. `amount` must be exactly what is left of the `kind`. Of `paid` earnings in money all must be available and below the minimum of a payout; `own_work` in money is never paid out, so any amount of it can be waived. Of credits, those are waived that have expired; others are converted instead. `paid` credits must also be available, and be worth less than the minimum of a payout. Above the platform's limit an operator has to approve it: ask one to approve `approval_id`, and send the same request again.
        """
        return await self._caller.ask(
            models.WaiverView,
            "earnings.waive",
            "POST /billing/earnings/waivers",
            key=idempotency_key,
            body={"kind": kind, "currency": currency, "amount": amount},
        )


class AsyncOrganizations(AsyncResource):
    """Operations on organizations."""

    async def get_summary(self, organization_id: str) -> models.SummaryView:
        """Show all money of an organization; `GET /billing/summary` shows the same to the organization itself."""
        return await self._caller.ask(
            models.SummaryView, "organizations.get_summary", f"GET /organizations/{segment(organization_id)}/summary"
        )

    async def create(
        self,
        *,
        name: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        tier: str | Omitted = OMITTED,
        referred_by: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.OrganizationView:
        """Create an organization, and grant the signup bonus of its tier. For operators."""
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.create",
            "POST /organizations",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "name": name,
                "tier": tier,
                "referred_by": referred_by,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.OrganizationStatus] | Omitted = OMITTED,
        tier: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.OrganizationView]:
        """List organizations, newest first. The platform sees all of them, a tenant its own.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.OrganizationView,
            "organizations.list",
            "/organizations",
            {
                "from": from_,
                "to": to,
                "q": q,
                "status": status,
                "tier": tier,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, organization_id: str) -> models.OrganizationView:
        """Read one organization."""
        return await self._caller.ask(
            models.OrganizationView, "organizations.get", f"GET /organizations/{segment(organization_id)}"
        )

    async def update(
        self,
        organization_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        name: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.OrganizationView:
        """Change an organization's name and metadata. Only the platform can change its `external_id`.

        `If-Match` names the version to change; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.update",
            f"PATCH /organizations/{segment(organization_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata, "name": name},
        )

    async def get_logo(self, organization_id: str, *, v: str | Omitted = OMITTED) -> bytes:
        """Return the logo of an organization."""
        response, _ = await self._caller.send(
            "organizations.get_logo", f"GET /organizations/{segment(organization_id)}/logo", query={"v": v}
        )
        return response.content

    async def put_logo(self, organization_id: str, *, body: bytes) -> models.OrganizationView:
        """Set the logo of an organization. Only what draws it is kept of the file: no places, cameras or comments."""
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.put_logo",
            f"PUT /organizations/{segment(organization_id)}/logo",
            body=body,
        )

    async def delete_logo(self, organization_id: str) -> models.OrganizationView:
        """Remove the logo of an organization."""
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.delete_logo",
            f"DELETE /organizations/{segment(organization_id)}/logo",
        )

    async def change_tier(
        self, organization_id: str, *, tier: str, idempotency_key: str | None = None
    ) -> models.OrganizationView:
        """Change the tier of an organization. For operators.

        A lower tier keeps running deployments, but nothing new can be deployed above its limits. A higher tier frees the slots that are no longer needed.
        """
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.change_tier",
            f"PUT /organizations/{segment(organization_id)}/tier",
            key=idempotency_key,
            body={"tier": tier},
        )

    async def get_contacts(self, organization_id: str) -> models.ContactsView:
        """Read an organization's contacts: the addresses, and the purposes of mails to them."""
        return await self._caller.ask(
            models.ContactsView, "organizations.get_contacts", f"GET /organizations/{segment(organization_id)}/contacts"
        )

    async def set_contacts(
        self,
        organization_id: str,
        *,
        contacts: Sequence[params.ContactSet],
        if_match: str | Omitted = OMITTED,
        language: Literal["en", "de", "fr", "es"] | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ContactsView:
        """Set an organization's contacts. They replace the current ones.

        Mails with the purpose `billing` are about invoices, payments and payouts. Mails with the purpose `security` are about changes that could divert money. The previous security contacts get a mail about the change, at most ten times a day.

        `If-Match` names the version to replace, `"0"` if none were ever set; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.ContactsView,
            "organizations.set_contacts",
            f"PUT /organizations/{segment(organization_id)}/contacts",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"language": language, "contacts": contacts},
        )

    async def update_contacts(
        self,
        organization_id: str,
        *,
        if_match: str,
        language: Literal["en", "de", "fr", "es"] | str | None | Omitted = OMITTED,
        contacts: Sequence[params.ContactSet] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ContactsView:
        """Change an organization's contacts, or the language of mails to them.

        If addresses change, the previous security contacts get a mail, at most ten times a day. `If-Match` names the version to change, `"0"` if none were ever set; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.ContactsView,
            "organizations.update_contacts",
            f"PATCH /organizations/{segment(organization_id)}/contacts",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"language": language, "contacts": contacts},
        )

    async def suspend(
        self,
        organization_id: str,
        *,
        reason: str,
        timed_exits: params.TimedExits | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.OrganizationView:
        """Suspend an organization: nothing new can begin with it until it is resumed. For operators.

        Escrows, payments in progress and reservations continue. Its subscription ends with its period, unless the organization is resumed before. With `timed_exits` set to `pause`, escrows whose review ends are not released to its agents by time. The review is extended day by day, up to the limit of a setting, and ends a day after the organization is resumed. Suspending it again returns the first response.
        """
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.suspend",
            f"POST /organizations/{segment(organization_id)}/suspend",
            key=idempotency_key,
            body={"reason": reason, "timed_exits": timed_exits},
        )

    async def resume(self, organization_id: str, *, idempotency_key: str | None = None) -> models.OrganizationView:
        """Resume a suspended organization: new activity can begin again, and its subscription goes on. For operators."""
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.resume",
            f"POST /organizations/{segment(organization_id)}/resume",
            key=idempotency_key,
        )

    async def close(
        self, organization_id: str, *, reason: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.OrganizationView:
        """Close an organization permanently, once nothing of it is left. For operators.

        Its keys are revoked, and its webhook endpoints are disabled: waiting events are not sent. The refusal lists what is left: money by kind and currency, and the ids of objects in progress.
        """
        return await self._caller.ask(
            models.OrganizationView,
            "organizations.close",
            f"POST /organizations/{segment(organization_id)}/close",
            key=idempotency_key,
            body={"reason": reason},
        )


class AsyncSeries(AsyncResource):
    """Operations on series."""

    async def get(
        self,
        *,
        metric: str,
        currency: str | Omitted = OMITTED,
        from_: str | Omitted = OMITTED,
        to: str | Omitted = OMITTED,
        interval: params.Grain | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        group_by: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.SeriesView:
        """Return a metric over time, with the values of `POST /analytics/query`.

        Metrics summed by day always use days in UTC, regardless of `zone`.

        An agent's key reads `spending` and `spends` of its agent, and the other metrics with `read_billing` only. A member's key that is attributed to a department reads those two of the department with its parts.
        """
        return await self._caller.ask(
            models.SeriesView,
            "series.get",
            "GET /series",
            query={
                "metric": metric,
                "currency": currency,
                "from": from_,
                "to": to,
                "interval": interval,
                "zone": zone,
                "group_by": group_by,
                "organization_id": organization_id,
            },
        )


class AsyncAnalytics(AsyncResource):
    """Operations on analytics."""

    async def list_metrics(self) -> models.MetricsView:
        """List the metrics that the caller can query, with their dimensions and formulas."""
        return await self._caller.ask(models.MetricsView, "analytics.list_metrics", "GET /analytics/metrics")

    async def query_metrics(
        self,
        *,
        metrics: Sequence[str],
        from_: str,
        by: Sequence[str] | Omitted = OMITTED,
        where: Mapping[str, Sequence[str]] | Omitted = OMITTED,
        grain: params.Grain | None | Omitted = OMITTED,
        compare: params.Compare | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        to: str | None | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
    ) -> models.AnswerView:
        """Query metrics over time and by dimensions.

        An organization queries its own figures, an operator those of one organization or of all together. Currencies are separate, unless `currency` is given. Ratios are of sums, never means of ratios. An unfinished period has `complete: false`, and its figures are those of `as_of`. Nothing is created.
        """
        return await self._caller.ask(
            models.AnswerView,
            "analytics.query_metrics",
            "POST /analytics/query",
            repeatable=False,
            body={
                "metrics": metrics,
                "by": by,
                "where": where,
                "grain": grain,
                "compare": compare,
                "currency": currency,
                "limit": limit,
                "from": from_,
                "to": to,
                "zone": zone,
                "organization_id": organization_id,
            },
        )

    async def get_spent(
        self,
        *,
        from_: str | Omitted = OMITTED,
        to: str | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        compare: params.Compare | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.SpentView:
        """Show what an organization has spent: uses, jobs, agents bought, purchases outside and subscriptions.

        These are the figures of the metric `spending`. Holds are not spent: a reservation, an escrow, a purchase order or a bill counts once it is captured or paid. Credits count when they are used, not when they are bought. Refunds reduce their part at the time of what they refund.

        A key of a member that is attributed to a department or project is refused: these are the organization's figures.
        """
        return await self._caller.ask(
            models.SpentView,
            "analytics.get_spent",
            "GET /analytics/spent",
            query={
                "from": from_,
                "to": to,
                "zone": zone,
                "currency": currency,
                "compare": compare,
                "limit": limit,
                "organization_id": organization_id,
            },
        )

    async def get_forecast(
        self,
        *,
        metric: params.ForecastMetric,
        days: int | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.ForecastView:
        """Forecast a metric by day, with intervals and the backtest of the method.

        `balance` forecasts used credits, and takes expiries, grants and debts from the ledger.

        A member's key that is attributed to a department or project is refused: these are the organization's figures.
        """
        return await self._caller.ask(
            models.ForecastView,
            "analytics.get_forecast",
            "GET /analytics/forecast",
            query={
                "metric": metric,
                "days": days,
                "agent_id": agent_id,
                "currency": currency,
                "organization_id": organization_id,
            },
        )

    async def list_insights(self, *, organization_id: str | Omitted = OMITTED) -> models.InsightsView:
        """List advice that would have saved money last month, with its calculation and the call that applies it.

        It is computed on request from the month's activity and current prices. Amounts below 1 % of what was spent or paid in in their currency, and advice dismissed within 90 days, are left out. A member's key that is attributed to a department or project is refused: these are the organization's figures.
        """
        return await self._caller.ask(
            models.InsightsView,
            "analytics.list_insights",
            "GET /analytics/insights",
            query={"organization_id": organization_id},
        )

    async def dismiss_insight(
        self, insight_id: str, *, organization_id: str | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.InsightView:
        """Dismiss advice for 90 days. Dismissing it again restarts the period."""
        return await self._caller.ask(
            models.InsightView,
            "analytics.dismiss_insight",
            f"POST /analytics/insights/{segment(insight_id)}/dismiss",
            key=idempotency_key,
            query={"organization_id": organization_id},
        )

    async def take_insight(
        self, insight_id: str, *, organization_id: str | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.InsightView:
        """Apply advice: propose the purchase order or the change of a payment policy that it describes.

        Nothing is bought or changed yet. Another person must approve the purchase order, and a person who sets payment policies the policy. Advice about a month is applied once; repeating it returns the proposal. Advice whose act is another call is refused with that call, and a purchase that the payment policy declines is refused.
        """
        return await self._caller.ask(
            models.InsightView,
            "analytics.take_insight",
            f"POST /analytics/insights/{segment(insight_id)}/take",
            key=idempotency_key,
            query={"organization_id": organization_id},
        )

    async def approve_insight(
        self, insight_id: str, *, organization_id: str | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.InsightTakeView:
        """Set the payment policy of this advice's latest proposal, if the policy has not changed since."""
        return await self._caller.ask(
            models.InsightTakeView,
            "analytics.approve_insight",
            f"POST /analytics/insights/{segment(insight_id)}/approve",
            key=idempotency_key,
            query={"organization_id": organization_id},
        )

    async def get_peers(
        self, *, metric: params.PeerMetric, agent_id: str | Omitted = OMITTED, organization_id: str | Omitted = OMITTED
    ) -> models.PeerComparisonView:
        """Show the quartile of an organization or an agent in its group last month.

        Groups are organizations on the same plan, and public agents of the same category, whose organizations had agreed to be compared when the month began. They need at least eight independent members, none with more than 30 % of the sum. A month is computed once, so its results never change.
        """
        return await self._caller.ask(
            models.PeerComparisonView,
            "analytics.get_peers",
            "GET /analytics/peers",
            query={"metric": metric, "agent_id": agent_id, "organization_id": organization_id},
        )

    async def set_peers_consent(self, *, agrees: bool, idempotency_key: str | None = None) -> models.PeersConsentView:
        """Grant or revoke consent to comparisons with others. Only the organization itself can consent.

        Consent counts from the first month that begins afterwards, a revocation immediately.
        """
        return await self._caller.ask(
            models.PeersConsentView,
            "analytics.set_peers_consent",
            "PUT /analytics/peers/consent",
            key=idempotency_key,
            body={"agrees": agrees},
        )


class AsyncReports(AsyncResource):
    """Operations on reports."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ReportView]:
        """List the reports, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ReportView,
            "reports.list",
            "/reports",
            {"from": from_, "to": to, "organization_id": organization_id, "limit": limit, "cursor": cursor},
        )

    async def create(
        self,
        *,
        name: str,
        template: str | None | Omitted = OMITTED,
        query: Sequence[params.ReportQuery] | Omitted = OMITTED,
        format_: params.ReportFormat | Omitted = OMITTED,
        schedule: params.ReportSchedule | None | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        recipients: Sequence[str] | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ReportView:
        """Create a report. Its first run is of the present period, once it is over."""
        return await self._caller.ask(
            models.ReportView,
            "reports.create",
            "POST /reports",
            key=idempotency_key,
            body={
                "name": name,
                "template": template,
                "query": query,
                "format": format_,
                "schedule": schedule,
                "zone": zone,
                "recipients": recipients,
                "organization_id": organization_id,
            },
        )

    async def list_templates(self) -> models.ReportTemplatePage:
        """List the templates: predefined queries of reports."""
        return await self._caller.ask(models.ReportTemplatePage, "reports.list_templates", "GET /reports/templates")

    async def get(self, report_id: str) -> models.ReportView:
        """Read a report, even a deleted one."""
        return await self._caller.ask(models.ReportView, "reports.get", f"GET /reports/{segment(report_id)}")

    async def set(
        self,
        report_id: str,
        *,
        name: str,
        template: str | None | Omitted = OMITTED,
        query: Sequence[params.ReportQuery] | Omitted = OMITTED,
        format_: params.ReportFormat | Omitted = OMITTED,
        schedule: params.ReportSchedule | None | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        recipients: Sequence[str] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ReportView:
        """Replace a report. Recipients change immediately, everything else after the next run."""
        return await self._caller.ask(
            models.ReportView,
            "reports.set",
            f"PUT /reports/{segment(report_id)}",
            key=idempotency_key,
            body={
                "name": name,
                "template": template,
                "query": query,
                "format": format_,
                "schedule": schedule,
                "zone": zone,
                "recipients": recipients,
            },
        )

    async def delete(self, report_id: str) -> None:
        """Delete a report: it has no further runs. The files of its runs can be read for three years."""
        await self._caller.send("reports.delete", f"DELETE /reports/{segment(report_id)}")

    def list_runs(
        self,
        report_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ReportRunView]:
        """List the runs of a report, newest first; each is a version of a period.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ReportRunView,
            "reports.list_runs",
            f"/reports/{segment(report_id)}/runs",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )

    async def run(
        self, report_id: str, *, period: str, idempotency_key: str | None = None
    ) -> models.ReportRunRequestedView:
        """Compute a past period. A new run is made if its figures differ from the latest version."""
        return await self._caller.ask(
            models.ReportRunRequestedView,
            "reports.run",
            f"POST /reports/{segment(report_id)}/runs",
            key=idempotency_key,
            body={"period": period},
        )

    async def get_file(self, report_id: str, number: str) -> bytes:
        """Read the file of a run."""
        response, _ = await self._caller.send(
            "reports.get_file", f"GET /reports/{segment(report_id)}/runs/{segment(number)}/file"
        )
        return response.content


class AsyncSearch(AsyncResource):
    """Operations on search."""

    async def find(self, *, q: str, limit: int | Omitted = OMITTED) -> models.SearchView:
        """Find objects by id, external id, document number, provider's id or name.

        Organizations are shown with their money, open alerts and stuck objects. A tenant finds its own objects, an agent's key only those of the agent, an operator everything. The number of a document finds its object, and a provider's id finds its payment, subscription or chargeback. API keys and webhook endpoints are found only by callers who may list them, and never by their secret. Any part of a name matches, among the newest 5,000 objects of each kind.
        """
        return await self._caller.ask(models.SearchView, "search.find", "GET /search", query={"q": q, "limit": limit})


class AsyncSecretGrants(AsyncResource):
    """Operations on secret grants."""

    async def create(
        self,
        *,
        paths: Sequence[str],
        verbs: Sequence[Literal["use", "read"] | str],
        ends_at: datetime | str,
        principal: str | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        hosts: Sequence[str] | Omitted = OMITTED,
        methods: Sequence[params.HttpMethod] | Omitted = OMITTED,
        places: Sequence[str] | Omitted = OMITTED,
        headers: Sequence[str] | Omitted = OMITTED,
        uses_per_day: int | None | Omitted = OMITTED,
        price: params.SecretPrice | None | Omitted = OMITTED,
        meter: str | None | Omitted = OMITTED,
        charged_statuses: Sequence[str] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SecretGrantView:
        """Grant a principal or an agent the use of secrets. A grant never changes; revoke it and create another one.

        Reading a value needs a grant too, also for the principal that stored it.
        """
        return await self._caller.ask(
            models.SecretGrantView,
            "secret_grants.create",
            "POST /secrets/grants",
            key=idempotency_key,
            body={
                "principal": principal,
                "agent_id": agent_id,
                "paths": paths,
                "verbs": verbs,
                "hosts": hosts,
                "methods": methods,
                "places": places,
                "headers": headers,
                "uses_per_day": uses_per_day,
                "price": price,
                "meter": meter,
                "charged_statuses": charged_statuses,
                "ends_at": ends_at,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SecretGrantView]:
        """List grants, newest first: all for callers that manage or audit secrets, their own for everybody else.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SecretGrantView,
            "secret_grants.list",
            "/secrets/grants",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def revoke(self, grant_id: str) -> models.SecretGrantView:
        """End a grant now. Revoking it again changes nothing."""
        return await self._caller.ask(
            models.SecretGrantView, "secret_grants.revoke", f"DELETE /secrets/grants/{segment(grant_id)}"
        )


class AsyncSecrets(AsyncResource):
    """Operations on secrets."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SecretView]:
        """List secrets without their values, newest first.

        Callers that manage or audit secrets see all, everybody else those that an active grant names.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SecretView,
            "secrets.list",
            "/secrets",
            {"from": from_, "to": to, "organization_id": organization_id, "q": q, "limit": limit, "cursor": cursor},
        )

    def access(
        self,
        path: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SecretAccessView]:
        """List the requests for a secret, newest first, with the answers.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SecretAccessView,
            "secrets.access",
            f"/secrets/{segment(path)}/access",
            {"from": from_, "to": to, "q": q, "limit": limit, "cursor": cursor},
        )

    async def open(self, path: str, *, purpose: str, version: int | None | Omitted = OMITTED) -> models.SecretValueView:
        """Read a value. It needs a grant of `read`, and each request gets an entry in the access log.

        Agents use secrets and cannot read them, unless the operator allows it (`BURSAR_AGENTS_READ_SECRETS`).
        """
        return await self._caller.ask(
            models.SecretValueView,
            "secrets.open",
            f"POST /secrets/{segment(path)}/open",
            repeatable=False,
            body={"purpose": purpose, "version": version},
        )

    async def use(
        self,
        path: str,
        *,
        request: params.ToolRequestCreate,
        place: params.SecretPlaceCreate,
        purpose: str,
        charge: params.SecretChargeCreate | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SecretUseView:
        """Make a request with a secret, and get its answer without the secret. It needs a grant of `use`.

        The price of the grant is held before the request and settled after it. The request is made once for each idempotency key, redirects are returned, and neither the request nor the answer is stored.
        """
        return await self._caller.ask(
            models.SecretUseView,
            "secrets.use",
            f"POST /secrets/{segment(path)}/use",
            key=idempotency_key,
            body={"request": request, "place": place, "purpose": purpose, "charge": charge},
        )

    async def destroy_version(self, path: str, number: str) -> models.SecretView:
        """Destroy a value and its key permanently, also the current one. Destroying it again changes nothing.

        A previous version in the grace period of a rotation is revoked at the target first; nobody can use it from now on. While a rotation sets a new value, that value and the one that it replaces cannot be destroyed.
        """
        return await self._caller.ask(
            models.SecretView, "secrets.destroy_version", f"DELETE /secrets/{segment(path)}/versions/{segment(number)}"
        )

    async def get(self, path: str) -> models.SecretView:
        """Read a secret without its value."""
        return await self._caller.ask(models.SecretView, "secrets.get", f"GET /secrets/{segment(path)}")

    async def put(
        self,
        path: str,
        *,
        kind: params.SecretKind,
        value: str | None | Omitted = OMITTED,
        hosts: Sequence[str] | None | Omitted = OMITTED,
        grace: timedelta | str | None | Omitted = OMITTED,
        rotation: params.SecretRotationPut | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SecretView:
        """Store a secret, or a new value of it, which becomes the current one.

        Secrets below `payments/` are references, never numbers or private keys.
        """
        return await self._caller.ask(
            models.SecretView,
            "secrets.put",
            f"PUT /secrets/{segment(path)}",
            key=idempotency_key,
            body={"kind": kind, "value": value, "hosts": hosts, "grace": grace, "rotation": rotation},
        )

    async def rotate(
        self,
        path: str,
        *,
        value: str | None | Omitted = OMITTED,
        grace: timedelta | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SecretView:
        """Replace the value of a secret now. A running grace period ends, and its previous version is revoked.

        With the rotator `manual`, send the value that you have set at the target.
        """
        return await self._caller.ask(
            models.SecretView,
            "secrets.rotate",
            f"POST /secrets/{segment(path)}/rotate",
            key=idempotency_key,
            body={"value": value, "grace": grace},
        )

    async def stop_rotation(
        self, path: str, *, give_up: bool | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.SecretView:
        """Stop a rotation while it sets a new value. The target is restored, and then the value is destroyed.

        Restoring and revoking are tried again after failures. With `give_up` the rotation ends without the target: Bursar destroys its copy of the new value or, after that became the current one, of the previous value.
        """
        return await self._caller.ask(
            models.SecretView,
            "secrets.stop_rotation",
            f"POST /secrets/{segment(path)}/rotate/stop",
            key=idempotency_key,
            body={"give_up": give_up},
        )


class AsyncNames(AsyncResource):
    """Operations on names."""

    async def list(self, *, ids: Sequence[str]) -> models.NamesView:
        """List the names of objects by their ids: of organizations, agents, contracts, escrows and others.

        A contract and its escrow have the contract's title, an invoice its number, a purchase order its item, a spend control the name of the object that it limits. An organization gets the names of its own objects and of agents on the marketplace, and both parties those of their contracts; an operator gets all. A key that is attributed to a department or project gets no names of departments, projects, purchase orders and spend controls.
        """
        return await self._caller.ask(models.NamesView, "names.list", "GET /names", query={"ids": ids})


class AsyncContracts(AsyncResource):
    """Operations on contracts."""

    async def create(
        self,
        *,
        agent_id: str,
        title: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        price: AmountLike | None | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        quote_id: str | None | Omitted = OMITTED,
        quantity: int | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        validation_threshold: AmountLike | None | Omitted = OMITTED,
        signatories: Sequence[str] | None | Omitted = OMITTED,
        required_signatures: int | None | Omitted = OMITTED,
        operator_approvals: bool | Omitted = OMITTED,
        fund_within: timedelta | str | None | Omitted = OMITTED,
        deliver_within: timedelta | str | None | Omitted = OMITTED,
        review_period: timedelta | str | None | Omitted = OMITTED,
        evidence_period: timedelta | str | None | Omitted = OMITTED,
        decision_period: timedelta | str | None | Omitted = OMITTED,
        default_grace: timedelta | str | None | Omitted = OMITTED,
        dispute_default_payee_share: AmountLike | None | Omitted = OMITTED,
        milestones: Sequence[params.MilestoneBody] | Omitted = OMITTED,
        commission_bps: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ContractView:
        """Award a contract to an agent. No money moves before its escrow is opened and funded.

        If terms are outside of the agent's listing, the contract is `proposed` until the payee accepts it. A `commission_bps` is set by operators, and can take two of them.
        """
        return await self._caller.ask(
            models.ContractView,
            "contracts.create",
            "POST /contracts",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "agent_id": agent_id,
                "title": title,
                "price": price,
                "currency": currency,
                "quote_id": quote_id,
                "quantity": quantity,
                "organization_id": organization_id,
                "validation_threshold": validation_threshold,
                "signatories": signatories,
                "required_signatures": required_signatures,
                "operator_approvals": operator_approvals,
                "fund_within": fund_within,
                "deliver_within": deliver_within,
                "review_period": review_period,
                "evidence_period": evidence_period,
                "decision_period": decision_period,
                "default_grace": default_grace,
                "dispute_default_payee_share": dispute_default_payee_share,
                "milestones": milestones,
                "commission_bps": commission_bps,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.ContractStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.ContractView]:
        """List the contracts that the caller is a party to, newest first. The platform sees all of them.

        An agent's key sees those of its agent.

        For operators, `organization_id` finds the contracts that the organization pays, is paid by or signs. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ContractView,
            "contracts.list",
            "/contracts",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "q": q,
                "status": status,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, contract_id: str) -> models.ContractView:
        """Read one contract. Its `ETag` is the version of your own `external_id` and `metadata`."""
        return await self._caller.ask(models.ContractView, "contracts.get", f"GET /contracts/{segment(contract_id)}")

    async def update(
        self,
        contract_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ContractView:
        """Change your own `external_id` and `metadata` of a contract. Each party has its own and sees only these."""
        return await self._caller.ask(
            models.ContractView,
            "contracts.update",
            f"PATCH /contracts/{segment(contract_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )

    async def accept(self, contract_id: str, *, idempotency_key: str | None = None) -> models.ContractView:
        """Accept a proposed contract, as the agent or its organization. Accepting it again changes nothing."""
        return await self._caller.ask(
            models.ContractView,
            "contracts.accept",
            f"POST /contracts/{segment(contract_id)}/acceptance",
            key=idempotency_key,
        )


class AsyncAgents(AsyncResource):
    """Operations on agents."""

    async def create(
        self,
        *,
        name: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        visibility: params.Visibility | Omitted = OMITTED,
        category: str | None | Omitted = OMITTED,
        pricing: params.PricingCreate | Omitted = OMITTED,
        terms: params.ListedTerms | Omitted = OMITTED,
        accepts_granted_credits: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AgentView:
        """Create an agent of an organization."""
        return await self._caller.ask(
            models.AgentView,
            "agents.create",
            "POST /agents",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "name": name,
                "description": description,
                "organization_id": organization_id,
                "visibility": visibility,
                "category": category,
                "pricing": pricing,
                "terms": terms,
                "accepts_granted_credits": accepts_granted_credits,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        visibility: params.Visibility | Omitted = OMITTED,
        category: str | Omitted = OMITTED,
        active: bool | Omitted = OMITTED,
        min_stars: AmountLike | str | None | Omitted = OMITTED,
        id: Sequence[str] | Omitted = OMITTED,
        sort: params.AgentSort | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.AgentView]:
        """List agents, newest first unless `sort` says otherwise. A tenant sees the public ones and its own.

        With `sort`, agents whose rating or number of jobs changes while you read can be listed twice, or left out.

        With `q`, `min_stars` or `sort` a page may be short or empty although more pages follow: continue until `next_cursor` is null.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.AgentView,
            "agents.list",
            "/agents",
            {
                "from": from_,
                "to": to,
                "q": q,
                "organization_id": organization_id,
                "visibility": visibility,
                "category": category,
                "active": active,
                "min_stars": min_stars,
                "id": id,
                "sort": sort,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, agent_id: str) -> models.AgentView:
        """Read one agent."""
        return await self._caller.ask(models.AgentView, "agents.get", f"GET /agents/{segment(agent_id)}")

    async def update(
        self,
        agent_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        name: str | None | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        category: str | None | Omitted = OMITTED,
        pricing: params.PricingCreate | None | Omitted = OMITTED,
        terms: params.ListedTerms | None | Omitted = OMITTED,
        accepts_granted_credits: bool | None | Omitted = OMITTED,
        visibility: params.Visibility | None | Omitted = OMITTED,
        samples: Sequence[params.Sample] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AgentView:
        """Change an agent's listing, `external_id` and `metadata`.

        When the agent becomes private, its contracts and purchases stay as they are.

        `If-Match` names the version to change; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.AgentView,
            "agents.update",
            f"PATCH /agents/{segment(agent_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={
                "external_id": external_id,
                "metadata": metadata,
                "name": name,
                "description": description,
                "category": category,
                "pricing": pricing,
                "terms": terms,
                "accepts_granted_credits": accepts_granted_credits,
                "visibility": visibility,
                "samples": samples,
            },
        )

    async def retire(self, agent_id: str, *, idempotency_key: str | None = None) -> models.AgentView:
        """Retire an agent permanently: no new contract or purchase of it can begin; existing ones continue.

        Retiring it again returns the first response.
        """
        return await self._caller.ask(
            models.AgentView, "agents.retire", f"POST /agents/{segment(agent_id)}/retire", key=idempotency_key
        )

    async def set_category(self, agent_id: str, *, category: str | None) -> models.AgentView:
        """List an agent under another category, or under none. Its evidence moves to that category."""
        return await self._caller.ask(
            models.AgentView,
            "agents.set_category",
            f"PUT /agents/{segment(agent_id)}/category",
            body={"category": category},
        )

    async def get_picture(self, agent_id: str, *, v: str | Omitted = OMITTED) -> bytes:
        """Return the picture of an agent."""
        response, _ = await self._caller.send(
            "agents.get_picture", f"GET /agents/{segment(agent_id)}/picture", query={"v": v}
        )
        return response.content

    async def put_picture(self, agent_id: str, *, body: bytes) -> models.AgentView:
        """Set the picture of an agent. Only what draws it is kept of the file: no places, cameras or comments."""
        return await self._caller.ask(
            models.AgentView, "agents.put_picture", f"PUT /agents/{segment(agent_id)}/picture", body=body
        )

    async def delete_picture(self, agent_id: str) -> models.AgentView:
        """Remove the picture of an agent."""
        return await self._caller.ask(
            models.AgentView, "agents.delete_picture", f"DELETE /agents/{segment(agent_id)}/picture"
        )

    async def get_attribution(self, agent_id: str) -> models.AttributionView:
        """Show the department and the project for which an agent spends."""
        return await self._caller.ask(
            models.AttributionView, "agents.get_attribution", f"GET /agents/{segment(agent_id)}/attribution"
        )

    async def set_attribution(
        self,
        agent_id: str,
        *,
        department_id: str | None | Omitted = OMITTED,
        project_id: str | None | Omitted = OMITTED,
    ) -> models.AttributionView:
        """Set the department and the project for which an agent spends. A key's own attribution takes precedence."""
        return await self._caller.ask(
            models.AttributionView,
            "agents.set_attribution",
            f"PUT /agents/{segment(agent_id)}/attribution",
            body={"department_id": department_id, "project_id": project_id},
        )

    async def get_prompt(
        self, agent_id: str, *, format_: params.PromptFormat | Omitted = OMITTED, if_none_match: str | Omitted = OMITTED
    ) -> models.PromptView:
        """Read the text about its budget that an agent adds to its prompt, at most 1,200 characters.

        An agent's key reads its own only, and a member's key that is attributed to a department or a project those of the agents in it. It contains no text of agents, vendors or customers.
        """
        return await self._caller.ask(
            models.PromptView,
            "agents.get_prompt",
            f"GET /agents/{segment(agent_id)}/prompt",
            query={"format": format_},
            headers={"if-none-match": if_none_match},
        )


class AsyncMarketplace(AsyncResource):
    """Operations on marketplace."""

    async def offer_agent(
        self,
        agent_id: str,
        *,
        model: params.OfferModel,
        if_match: str | Omitted = OMITTED,
        price: AmountLike | None | Omitted = OMITTED,
        prices: Mapping[str, AmountLike] | None | Omitted = OMITTED,
        included_uses: int | None | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        summary: str | None | Omitted = OMITTED,
        status: params.OfferStatus | Omitted = OMITTED,
        creator_share: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.OfferView:
        """Offer an agent on the marketplace, change its offer, or retire the offer.

        `If-Match` names the version of the offer to replace; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.OfferView,
            "marketplace.offer_agent",
            f"PUT /marketplace/agents/{segment(agent_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={
                "model": model,
                "price": price,
                "prices": prices,
                "included_uses": included_uses,
                "currency": currency,
                "summary": summary,
                "status": status,
                "creator_share": creator_share,
            },
        )

    async def get_offer(self, agent_id: str) -> models.OfferView:
        """Show the offer of an agent, and how much of its price your organization would pay in granted credits."""
        return await self._caller.ask(
            models.OfferView, "marketplace.get_offer", f"GET /marketplace/agents/{segment(agent_id)}"
        )

    def list_offers(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        model: params.OfferModel | Omitted = OMITTED,
        category: str | Omitted = OMITTED,
        text: str | Omitted = OMITTED,
        min_price: AmountLike | Omitted = OMITTED,
        max_price: AmountLike | Omitted = OMITTED,
        min_stars: AmountLike | str | None | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.OfferView]:
        """List the offers: newest agents first or, with `currency`, the cheapest first.

        `from` and `to` filter by the time of the first offer. With them, or with `min_stars`, a page may be short or empty although more pages follow: continue until `next_cursor` is null.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.OfferView,
            "marketplace.list_offers",
            "/marketplace/agents",
            {
                "from": from_,
                "to": to,
                "currency": currency,
                "model": model,
                "category": category,
                "text": text,
                "min_price": min_price,
                "max_price": max_price,
                "min_stars": min_stars,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def purchase_agent(
        self,
        agent_id: str,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        model: params.OfferModel | None | Omitted = OMITTED,
        price: AmountLike | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        prices: Mapping[str, AmountLike] | None | Omitted = OMITTED,
        included_uses: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseAnswer:
        """Buy an agent.

        If it is free or costs credits, it is bought at once; if it costs money, when its payment is fulfilled.

        An organization buys an agent only once: a second request returns the existing purchase. If that is by usage and the request names the `prices` of the present offer, they apply to the organization from then on; agents' keys cannot accept other prices for it.

        Agents' keys must state the `price` with its `currency`, or the `prices`, that they have seen, unless it is free.
        """
        return await self._caller.ask(
            models.PurchaseAnswer,
            "marketplace.purchase_agent",
            f"POST /marketplace/agents/{segment(agent_id)}/purchase",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
                "model": model,
                "price": price,
                "currency": currency,
                "prices": prices,
                "included_uses": included_uses,
            },
        )

    def list_library(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        status: Sequence[params.PurchaseStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.AgentPurchaseView]:
        """List the agents that the organization has bought, newest first, including refunded ones.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.AgentPurchaseView,
            "marketplace.list_library",
            "/marketplace/library",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_purchase(self, purchase_id: str) -> models.AgentPurchaseView:
        """Show one purchase."""
        return await self._caller.ask(
            models.AgentPurchaseView, "marketplace.get_purchase", f"GET /marketplace/purchases/{segment(purchase_id)}"
        )

    async def refund_purchase(
        self, purchase_id: str, *, idempotency_key: str | None = None
    ) -> models.AgentPurchaseView:
        """Return an agent within the refund window. Access ends, and the price is refunded, less the part that was used."""
        return await self._caller.ask(
            models.AgentPurchaseView,
            "marketplace.refund_purchase",
            f"POST /marketplace/purchases/{segment(purchase_id)}/refund",
            key=idempotency_key,
        )

    async def cancel_purchase(
        self, purchase_id: str, *, idempotency_key: str | None = None
    ) -> models.AgentPurchaseView:
        """End a purchase: at the end of the paid month, or at once if the agent is paid by usage."""
        return await self._caller.ask(
            models.AgentPurchaseView,
            "marketplace.cancel_purchase",
            f"POST /marketplace/purchases/{segment(purchase_id)}/cancel",
            key=idempotency_key,
        )

    async def purchase_actions(self, purchase_id: str) -> models.PurchaseActionList:
        """List every command of a purchase: whether you may give it now, why not, and what it would refund.

        The payment's provider can still refuse a refund.
        """
        return await self._caller.ask(
            models.PurchaseActionList,
            "marketplace.purchase_actions",
            f"GET /marketplace/purchases/{segment(purchase_id)}/actions",
        )


class AsyncReferrals(AsyncResource):
    """Operations on referrals."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        status: Sequence[params.ReferralStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ReferralView]:
        """List the organizations that the organization has referred, and its own referrer, newest organizations first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ReferralView,
            "referrals.list",
            "/referrals",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncDepartments(AsyncResource):
    """Operations on departments."""

    async def create(
        self,
        *,
        name: str,
        parent_id: str | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.DepartmentView:
        """Create a department of an organization."""
        return await self._caller.ask(
            models.DepartmentView,
            "departments.create",
            "POST /departments",
            key=idempotency_key,
            body={"name": name, "parent_id": parent_id, "organization_id": organization_id},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        open: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.DepartmentView]:
        """List departments, newest first. A key that is confined to a department lists that and its parts.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.DepartmentView,
            "departments.list",
            "/departments",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "open": open,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, department_id: str) -> models.DepartmentView:
        """Read one department. A key that is confined to a department reads that and its parts."""
        return await self._caller.ask(
            models.DepartmentView, "departments.get", f"GET /departments/{segment(department_id)}"
        )

    async def close(self, department_id: str) -> models.DepartmentView:
        """Close a department permanently. Closing it again changes nothing."""
        return await self._caller.ask(
            models.DepartmentView, "departments.close", f"POST /departments/{segment(department_id)}/close"
        )

    async def get_limits(self, department_id: str) -> models.DepartmentLimitsView:
        """Show the daily and monthly limits of a department in credits, and their remaining amounts.

        Keys of agents are refused, and those of members that are attributed to another department.
        """
        return await self._caller.ask(
            models.DepartmentLimitsView,
            "departments.get_limits",
            f"GET /credits/departments/{segment(department_id)}/limits",
        )

    async def set_limits(
        self,
        department_id: str,
        *,
        daily: AmountLike | None | Omitted = OMITTED,
        monthly: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.DepartmentLimitsView:
        """Set the daily and monthly limits of a department in credits. They are stored in its spend control."""
        return await self._caller.ask(
            models.DepartmentLimitsView,
            "departments.set_limits",
            f"PUT /credits/departments/{segment(department_id)}/limits",
            key=idempotency_key,
            body={"daily": daily, "monthly": monthly},
        )


class AsyncApiKeys(AsyncResource):
    """Operations on api keys."""

    async def set_attribution(
        self, key_id: str, *, department_id: str | None | Omitted = OMITTED, project_id: str | None | Omitted = OMITTED
    ) -> models.AttributionView:
        """Set the department and the project for which all keys of a key's principal spend.

        `GET /api-keys` shows them.
        """
        return await self._caller.ask(
            models.AttributionView,
            "api_keys.set_attribution",
            f"PUT /api-keys/{segment(key_id)}/attribution",
            body={"department_id": department_id, "project_id": project_id},
        )

    async def create(
        self,
        *,
        principal: str,
        role: params.Role,
        organization_id: str | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        permissions: Sequence[params.Permission] | Omitted = OMITTED,
        expires_at: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ApiKeyCreated:
        """Issue a key. The secret is in this response only; a replayed response does not contain it.

        Every principal may issue its own second key. Others may issue a principal's first key; only owners and operators may issue its second key, and nobody that of another principal of the platform.
        """
        return await self._caller.ask(
            models.ApiKeyCreated,
            "api_keys.create",
            "POST /api-keys",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "principal": principal,
                "role": role,
                "agent_id": agent_id,
                "permissions": permissions,
                "expires_at": expires_at,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        active: bool | Omitted = OMITTED,
        role: params.Role | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ApiKeyView]:
        """List keys, newest first. An operator sees all keys, or those of one organization.

        Members and agents' keys see the keys of their own principal.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ApiKeyView,
            "api_keys.list",
            "/api-keys",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "q": q,
                "active": active,
                "role": role,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def revoke(self, key_id: str, *, with_issued: bool | Omitted = OMITTED) -> models.ApiKeyRevoked:
        """Revoke a key permanently and immediately. Revoking it again changes nothing.

        The response lists the active keys that it issued. Your own key and those that it issued are left out.
        """
        return await self._caller.ask(
            models.ApiKeyRevoked,
            "api_keys.revoke",
            f"DELETE /api-keys/{segment(key_id)}",
            query={"with_issued": with_issued},
        )


class AsyncSpendControls(AsyncResource):
    """Operations on spend controls."""

    def list_spend_refusals(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        key_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RefusalView]:
        """List refused spends of all limits and budgets, and those for lack of credits, newest first: the first 1,000 of each window and reason.

        The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RefusalView,
            "spend_controls.list_spend_refusals",
            "/spend-controls/refusals",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "key_id": key_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def create(
        self,
        *,
        subject: params.SubjectSet,
        currency: str | Omitted = OMITTED,
        time_zone: str | Omitted = OMITTED,
        week_starts: int | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        per_spend: AmountLike | None | Omitted = OMITTED,
        thresholds: Sequence[AmountLike] | Omitted = OMITTED,
        starts_at: datetime | str | None | Omitted = OMITTED,
        ends_at: datetime | str | None | Omitted = OMITTED,
        parent_id: str | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        limits: Sequence[params.LimitSet] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ControlView:
        """Create a spend control. A spend must fit into every control of its subjects and of those above them.

        A control of a key limits that key only, and not the other key that its principal may have. A control of an agent limits all its keys and sessions.
        """
        return await self._caller.ask(
            models.ControlView,
            "spend_controls.create",
            "POST /spend-controls",
            key=idempotency_key,
            body={
                "subject": subject,
                "currency": currency,
                "time_zone": time_zone,
                "week_starts": week_starts,
                "organization_id": organization_id,
                "per_spend": per_spend,
                "thresholds": thresholds,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "parent_id": parent_id,
                "reason": reason,
                "limits": limits,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        status: Sequence[params.ControlStatus] | Omitted = OMITTED,
        subject_type: params.SubjectKind | Omitted = OMITTED,
        subject_id: str | Omitted = OMITTED,
        open: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ControlView]:
        """List spend controls, newest first, with what is left of their limits.

        The key of an agent gets those of its agent and of the key. A member's key that is attributed to a department or a project gets those of that, of the agents in it, and of the key.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ControlView,
            "spend_controls.list",
            "/spend-controls",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "currency": currency,
                "status": status,
                "subject_type": subject_type,
                "subject_id": subject_id,
                "open": open,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, control_id: str) -> models.ControlView:
        """Read one spend control."""
        return await self._caller.ask(
            models.ControlView, "spend_controls.get", f"GET /spend-controls/{segment(control_id)}"
        )

    async def change(
        self,
        control_id: str,
        *,
        per_spend: AmountLike | None | Omitted = OMITTED,
        thresholds: Sequence[AmountLike] | Omitted = OMITTED,
        starts_at: datetime | str | None | Omitted = OMITTED,
        ends_at: datetime | str | None | Omitted = OMITTED,
        parent_id: str | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        limits: Sequence[params.LimitSet] | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ControlView:
        """Replace what a control allows and its parent. The change applies to later spends."""
        return await self._caller.ask(
            models.ControlView,
            "spend_controls.change",
            f"PUT /spend-controls/{segment(control_id)}",
            key=idempotency_key,
            body={
                "per_spend": per_spend,
                "thresholds": thresholds,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "parent_id": parent_id,
                "reason": reason,
                "limits": limits,
                "version": version,
            },
        )

    async def freeze(
        self,
        control_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ControlView:
        """Freeze a control until it is unfrozen or closed, whatever its term: new spends under it are refused.

        What is reserved can still be captured and released.
        """
        return await self._caller.ask(
            models.ControlView,
            "spend_controls.freeze",
            f"POST /spend-controls/{segment(control_id)}/freeze",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    async def unfreeze(
        self,
        control_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ControlView:
        """Unfreeze a control: spending under it is allowed again, within its limits."""
        return await self._caller.ask(
            models.ControlView,
            "spend_controls.unfreeze",
            f"POST /spend-controls/{segment(control_id)}/unfreeze",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    async def close(
        self,
        control_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ControlView:
        """Close a control permanently. It no longer limits anything, and a new one can be created for its subject."""
        return await self._caller.ask(
            models.ControlView,
            "spend_controls.close",
            f"POST /spend-controls/{segment(control_id)}/close",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    def list_versions(
        self,
        control_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        changed_by: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ControlVersionView]:
        """List the versions of what a control allowed, newest first, with who made each change.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ControlVersionView,
            "spend_controls.list_versions",
            f"/spend-controls/{segment(control_id)}/versions",
            {"from": from_, "to": to, "changed_by": changed_by, "limit": limit, "cursor": cursor},
        )

    def list_counted_spends(
        self,
        control_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.SpendStatus] | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CountedSpendView]:
        """List the spends and escrows that count in a control, newest first. Keys of agents and members get their own only.

        A page scans a bounded number of the organization's spends. It may have fewer than `limit` items, or none, and still have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CountedSpendView,
            "spend_controls.list_counted_spends",
            f"/spend-controls/{segment(control_id)}/spends",
            {
                "from": from_,
                "to": to,
                "agent_id": agent_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "action": action,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_refusals(
        self,
        control_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RefusalView]:
        """List the spends that a control refused, newest first: the first 1,000 of each window.

        The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RefusalView,
            "spend_controls.list_refusals",
            f"/spend-controls/{segment(control_id)}/refusals",
            {
                "from": from_,
                "to": to,
                "agent_id": agent_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "action": action,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncEconomics(AsyncResource):
    """Operations on economics."""

    def list_log(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        status: Sequence[params.EntryStatus] | Omitted = OMITTED,
        project: str | Omitted = OMITTED,
        transaction_type: Sequence[params.TransactionType] | Omitted = OMITTED,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.EconomicEntryView]:
        """List purchases, uses, earnings and refusals of the organization's agents, the newest recorded first.

        Purchase orders have an entry for each decision, attempt, refusal, refund and end. Credits, escrows, sales and payouts have one for each transfer by which money enters or leaves, so each amount is in the log once. An agent's key gets the entries of its agent, and a member's key those of its department and project.

        A page scans a bounded number of rows, so it may be short or empty while `next_cursor` is not null. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV, and with `Accept: application/jsonl` as JSON Lines.
        """
        return AsyncList(
            self._caller,
            models.EconomicEntryView,
            "economics.list_log",
            "/economics/log",
            {
                "organization_id": organization_id,
                "agent_id": agent_id,
                "status": status,
                "project": project,
                "transaction_type": transaction_type,
                "from": from_,
                "to": to,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def list_model_figures(
        self,
        *,
        by: Sequence[params.Grouping] | Omitted = OMITTED,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.ModelFiguresView:
        """Show calls, costs and results of models, for whole days in UTC. The default is the last 30 days.

        Grouped by `task_kind`, lines have only calls of runs with a result, whose kind is known. One of a run's results counts: that of an escrow, else the latest one. At most the latest 20,000 results are read.
        """
        return await self._caller.ask(
            models.ModelFiguresView,
            "economics.list_model_figures",
            "GET /economics/models",
            query={"by": by, "from": from_, "to": to, "organization_id": organization_id},
        )

    async def compare_models(
        self,
        *,
        a: str,
        b: str,
        value: AmountLike | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.ModelComparisonView:
        """Compare model `b` with model `a`: cost and success of a run, and the conclusion.

        Only runs of the same kind of task and similar size of input are compared, because harder tasks go to dearer models. Unless `randomised` is true, the choice of the model may still depend on the difficulty of the task.
        """
        return await self._caller.ask(
            models.ModelComparisonView,
            "economics.compare_models",
            "GET /economics/models/compare",
            query={
                "a": a,
                "b": b,
                "value": value,
                "currency": currency,
                "from": from_,
                "to": to,
                "organization_id": organization_id,
            },
        )


class AsyncResults(AsyncResource):
    """Operations on results."""

    async def report(
        self,
        *,
        task_kind: str,
        score: AmountLike,
        organization_id: str | None | Omitted = OMITTED,
        run_id: str | None | Omitted = OMITTED,
        task_id: str | None | Omitted = OMITTED,
        value: AmountLike | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ResultView:
        """Report the result of a run or a task, a score between 0 and 1.

        Use a key that does not belong to an agent: results reported by an agent's key are stored and do not count, because an agent could praise itself. Results of escrows are recorded automatically and take precedence over reported ones. Of several results of a run the latest counts.
        """
        return await self._caller.ask(
            models.ResultView,
            "results.report",
            "POST /results",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "run_id": run_id,
                "task_id": task_id,
                "task_kind": task_kind,
                "score": score,
                "value": value,
                "currency": currency,
            },
        )


class AsyncRevenue(AsyncResource):
    """Operations on revenue."""

    async def create(
        self,
        *,
        source: params.RevenueSource,
        reference: str,
        amount: AmountLike,
        currency: str,
        agent_id: str | None | Omitted = OMITTED,
        project_id: str | None | Omitted = OMITTED,
        run_id: str | None | Omitted = OMITTED,
        evidence: str | None | Omitted = OMITTED,
        occurred_at: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RevenueView:
        """Report revenue from outside, such as of an app store. It counts once a person or a statement confirms it.

        The key of an agent reports for its own agent.
        """
        return await self._caller.ask(
            models.RevenueView,
            "revenue.create",
            "POST /revenue",
            key=idempotency_key,
            body={
                "source": source,
                "reference": reference,
                "amount": amount,
                "currency": currency,
                "agent_id": agent_id,
                "project_id": project_id,
                "run_id": run_id,
                "evidence": evidence,
                "occurred_at": occurred_at,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.RevenueStatus] | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RevenueView]:
        """List revenue, newest recorded first; `from` and `to` filter by the time of occurrence.

        The key of an agent gets revenue that its agent has a share of. A page reads a bounded number of events, so it may be short or empty while `next_cursor` is not null. With `Accept: text/csv` the response contains all matches from the cursor on as CSV.
        """
        return AsyncList(
            self._caller,
            models.RevenueView,
            "revenue.list",
            "/revenue",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "project_id": project_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, revenue_id: str) -> models.RevenueView:
        """Read one revenue event."""
        return await self._caller.ask(models.RevenueView, "revenue.get", f"GET /revenue/{segment(revenue_id)}")

    async def confirm(
        self, revenue_id: str, *, amount: AmountLike | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.RevenueView:
        """Confirm reported revenue with the received amount.

        The holder of an agent's key cannot confirm its reports.
        """
        return await self._caller.ask(
            models.RevenueView,
            "revenue.confirm",
            f"POST /revenue/{segment(revenue_id)}/confirm",
            key=idempotency_key,
            body={"amount": amount},
        )

    async def reject(self, revenue_id: str, *, idempotency_key: str | None = None) -> models.RevenueView:
        """Reject reported revenue: it never counts."""
        return await self._caller.ask(
            models.RevenueView, "revenue.reject", f"POST /revenue/{segment(revenue_id)}/reject", key=idempotency_key
        )

    async def reverse(
        self, revenue_id: str, *, reversed_amount: AmountLike, idempotency_key: str | None = None
    ) -> models.RevenueView:
        """Set the part of confirmed revenue that was refunded or charged back outside; it no longer counts.

        Revenue that Bursar records itself is reversed automatically.
        """
        return await self._caller.ask(
            models.RevenueView,
            "revenue.reverse",
            f"POST /revenue/{segment(revenue_id)}/reverse",
            key=idempotency_key,
            body={"reversed_amount": reversed_amount},
        )

    async def settle(
        self,
        *,
        source: params.RevenueSource,
        lines: Sequence[params.StatementLineSet],
        idempotency_key: str | None = None,
    ) -> models.RevenueSettledView:
        """Confirm reported revenue of a source by its statement, line by line: by reference and currency."""
        return await self._caller.ask(
            models.RevenueSettledView,
            "revenue.settle",
            "POST /revenue/confirm",
            key=idempotency_key,
            body={"source": source, "lines": lines},
        )

    async def share(
        self,
        revenue_id: str,
        *,
        rule: params.ShareRule,
        parts: Sequence[params.ShareSet] | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RevenueView:
        """Divide a revenue event among agents and projects. Basis points add up to 10,000; each change is a version."""
        return await self._caller.ask(
            models.RevenueView,
            "revenue.share",
            f"PUT /revenue/{segment(revenue_id)}/shares",
            key=idempotency_key,
            body={"rule": rule, "parts": parts, "version": version},
        )

    async def get_roi(
        self,
        *,
        scope: params.RoiScope | Omitted = OMITTED,
        from_: date | str | Omitted = OMITTED,
        to: date | str | Omitted = OMITTED,
        zone: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        grain: Literal["day", "week"] | str | Omitted = OMITTED,
        id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.RoiListView:
        """Return costs and revenue of agents, projects or models: margin, ROI, payback, trend and projection.

        Only confirmed revenue less reversals counts, on the day on which it occurred. Costs of no agent are `shared` by own costs. Credits count at their purchase price. The period has up to 366 days.
        """
        return await self._caller.ask(
            models.RoiListView,
            "revenue.get_roi",
            "GET /economics/roi",
            query={
                "scope": scope,
                "from": from_,
                "to": to,
                "zone": zone,
                "currency": currency,
                "grain": grain,
                "id": id,
                "limit": limit,
                "organization_id": organization_id,
            },
        )


class AsyncPaymentPolicies(AsyncResource):
    """Operations on payment policies."""

    async def set(
        self,
        *,
        subject: params.PolicySubjectSet,
        currency: str | Omitted = OMITTED,
        free_first: params.FreeFirst | Omitted = OMITTED,
        free_first_above: AmountLike | None | Omitted = OMITTED,
        methods: Sequence[params.MethodKind] | Omitted = OMITTED,
        crypto: params.PolicyCryptoSet | Omitted = OMITTED,
        vendors: params.PolicyNamesSet | Omitted = OMITTED,
        categories: params.PolicyNamesSet | Omitted = OMITTED,
        per_purchase: AmountLike | None | Omitted = OMITTED,
        approval_above: AmountLike | None | Omitted = OMITTED,
        two_persons_above: AmountLike | None | Omitted = OMITTED,
        answer_within: timedelta | str | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PaymentPolicyView:
        """Set the payment policy of the organization, a project or an agent, replacing the whole policy.

        Of the policies of an agent, its project and its organization, only the nearest one applies.
        """
        return await self._caller.ask(
            models.PaymentPolicyView,
            "payment_policies.set",
            "PUT /payment-policies",
            key=idempotency_key,
            body={
                "subject": subject,
                "currency": currency,
                "free_first": free_first,
                "free_first_above": free_first_above,
                "methods": methods,
                "crypto": crypto,
                "vendors": vendors,
                "categories": categories,
                "per_purchase": per_purchase,
                "approval_above": approval_above,
                "two_persons_above": two_persons_above,
                "answer_within": answer_within,
                "version": version,
                "organization_id": organization_id,
            },
        )

    def list(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        subject_type: params.PolicyScope | Omitted = OMITTED,
        subject_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.PaymentPolicyView]:
        """List the payment policies that were set, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PaymentPolicyView,
            "payment_policies.list",
            "/payment-policies",
            {
                "organization_id": organization_id,
                "subject_type": subject_type,
                "subject_id": subject_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_effective(
        self,
        *,
        agent_id: str | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.PaymentPolicyView:
        """Read the policy that applies: the agent's, else the project's, else the organization's, else the default."""
        return await self._caller.ask(
            models.PaymentPolicyView,
            "payment_policies.get_effective",
            "GET /payment-policies/effective",
            query={"agent_id": agent_id, "project_id": project_id, "organization_id": organization_id},
        )

    async def get(self, policy_id: str) -> models.PaymentPolicyView:
        """Read one payment policy."""
        return await self._caller.ask(
            models.PaymentPolicyView, "payment_policies.get", f"GET /payment-policies/{segment(policy_id)}"
        )

    async def delete(self, policy_id: str) -> None:
        """Delete a payment policy. The next nearest one applies from now on."""
        await self._caller.send("payment_policies.delete", f"DELETE /payment-policies/{segment(policy_id)}")


class AsyncFreeOptions(AsyncResource):
    """Operations on free options."""

    async def set(
        self,
        *,
        name: str,
        category: str,
        address: str | None | Omitted = OMITTED,
        quota: int | None | Omitted = OMITTED,
        quota_window: params.QuotaWindow | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.FreeOptionView:
        """Add a free option to the catalogue, or replace the one of that name.

        Policies with `require` propose it for purchases of its category. A use is counted when a purchase is abandoned for it, and an alert is raised when 80 % of its quota is used.
        """
        return await self._caller.ask(
            models.FreeOptionView,
            "free_options.set",
            "PUT /free-options",
            key=idempotency_key,
            body={
                "name": name,
                "category": category,
                "address": address,
                "quota": quota,
                "quota_window": quota_window,
                "organization_id": organization_id,
            },
        )

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.FreeOptionPage:
        """List the free options by category and name. All are on one page.

        With `Accept: text/csv` the response is a CSV file.
        """
        return await self._caller.ask(
            models.FreeOptionPage, "free_options.list", "GET /free-options", query={"organization_id": organization_id}
        )

    async def delete(self, option_id: str) -> None:
        """Remove a free option from the catalogue. An alert on its quota is resolved."""
        await self._caller.send("free_options.delete", f"DELETE /free-options/{segment(option_id)}")


class AsyncPurchaseMethods(AsyncResource):
    """Operations on purchase methods."""

    async def set(
        self,
        *,
        name: str,
        label: str,
        kind: params.MethodKind,
        fee: params.MethodFeeSet | None | Omitted = OMITTED,
        rank: int | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseMethodView:
        """Declare a method for external payments, or replace the one of that name.

        It is not connected: the payer reports the attempt. Counted attempts stay.
        """
        return await self._caller.ask(
            models.PurchaseMethodView,
            "purchase_methods.set",
            "PUT /purchase-methods",
            key=idempotency_key,
            body={
                "name": name,
                "label": label,
                "kind": kind,
                "fee": fee,
                "rank": rank,
                "organization_id": organization_id,
            },
        )

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.PurchaseMethodPage:
        """List the declared methods by rank. All are on one page.

        With `Accept: text/csv` the response is a CSV file.
        """
        return await self._caller.ask(
            models.PurchaseMethodPage,
            "purchase_methods.list",
            "GET /purchase-methods",
            query={"organization_id": organization_id},
        )

    async def delete(self, purchase_method_id: str) -> None:
        """Delete a declared method, with its counted attempts."""
        await self._caller.send("purchase_methods.delete", f"DELETE /purchase-methods/{segment(purchase_method_id)}")


class AsyncBudgets(AsyncResource):
    """Operations on budgets."""

    async def get_prompt_template(self, *, organization_id: str | Omitted = OMITTED) -> models.PromptTemplateView:
        """Read the template of the budget prompts of an organization's agents."""
        return await self._caller.ask(
            models.PromptTemplateView,
            "budgets.get_prompt_template",
            "GET /budgets/prompt-template",
            query={"organization_id": organization_id},
        )

    async def set_prompt_template(
        self, *, template: str | None, organization_id: str | Omitted = OMITTED
    ) -> models.PromptTemplateView:
        """Set the template of the budget prompts of an organization's agents."""
        return await self._caller.ask(
            models.PromptTemplateView,
            "budgets.set_prompt_template",
            "PUT /budgets/prompt-template",
            query={"organization_id": organization_id},
            body={"template": template},
        )

    async def create(
        self,
        *,
        subject: params.SubjectSet,
        limits: Sequence[params.WindowSet],
        currency: str | Omitted = OMITTED,
        time_zone: str | Omitted = OMITTED,
        week_starts: int | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        per_spend: AmountLike | None | Omitted = OMITTED,
        thresholds: Sequence[AmountLike] | Omitted = OMITTED,
        starts_at: datetime | str | None | Omitted = OMITTED,
        ends_at: datetime | str | None | Omitted = OMITTED,
        parent_id: str | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        reserve: AmountLike | None | Omitted = OMITTED,
        emergency: AmountLike | None | Omitted = OMITTED,
        pools_of: params.Window | None | Omitted = OMITTED,
        carry_over: AmountLike | None | Omitted = OMITTED,
        may_draw_reserve: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Create a budget: a spend control whose longest window, or another one, has a reserve and an emergency pool.

        The amount of a window is the maximum spending; the operating part is the amount less the two pools. A spend must fit into every budget and every limit of its subjects and of those above them.
        """
        return await self._caller.ask(
            models.BudgetView,
            "budgets.create",
            "POST /budgets",
            key=idempotency_key,
            body={
                "subject": subject,
                "currency": currency,
                "time_zone": time_zone,
                "week_starts": week_starts,
                "organization_id": organization_id,
                "per_spend": per_spend,
                "thresholds": thresholds,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "parent_id": parent_id,
                "reason": reason,
                "limits": limits,
                "reserve": reserve,
                "emergency": emergency,
                "pools_of": pools_of,
                "carry_over": carry_over,
                "may_draw_reserve": may_draw_reserve,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        status: Sequence[params.ControlStatus] | Omitted = OMITTED,
        subject_type: params.SubjectKind | Omitted = OMITTED,
        subject_id: str | Omitted = OMITTED,
        open: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.BudgetView]:
        """List budgets, newest first, with the remainder of their pools.

        The key of an agent gets the budgets above it. So does a member's key that is attributed to a department or a project, and also gets those of the agents and parts in it.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.BudgetView,
            "budgets.list",
            "/budgets",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "currency": currency,
                "status": status,
                "subject_type": subject_type,
                "subject_id": subject_id,
                "open": open,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, budget_id: str) -> models.BudgetView:
        """Read one budget."""
        return await self._caller.ask(models.BudgetView, "budgets.get", f"GET /budgets/{segment(budget_id)}")

    async def change(
        self,
        budget_id: str,
        *,
        limits: Sequence[params.WindowSet],
        per_spend: AmountLike | None | Omitted = OMITTED,
        thresholds: Sequence[AmountLike] | Omitted = OMITTED,
        starts_at: datetime | str | None | Omitted = OMITTED,
        ends_at: datetime | str | None | Omitted = OMITTED,
        parent_id: str | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        reserve: AmountLike | None | Omitted = OMITTED,
        emergency: AmountLike | None | Omitted = OMITTED,
        pools_of: params.Window | None | Omitted = OMITTED,
        carry_over: AmountLike | None | Omitted = OMITTED,
        may_draw_reserve: AmountLike | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Replace the terms of a budget and its parent. The change applies to later spends.

        Moved and carried-over amounts stay in the present window.
        """
        return await self._caller.ask(
            models.BudgetView,
            "budgets.change",
            f"PUT /budgets/{segment(budget_id)}",
            key=idempotency_key,
            body={
                "per_spend": per_spend,
                "thresholds": thresholds,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "parent_id": parent_id,
                "reason": reason,
                "limits": limits,
                "reserve": reserve,
                "emergency": emergency,
                "pools_of": pools_of,
                "carry_over": carry_over,
                "may_draw_reserve": may_draw_reserve,
                "version": version,
            },
        )

    async def freeze(
        self,
        budget_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Freeze a budget until it is unfrozen or closed: the next spend below it is refused, from every pool.

        Reserved amounts can still be captured and released.
        """
        return await self._caller.ask(
            models.BudgetView,
            "budgets.freeze",
            f"POST /budgets/{segment(budget_id)}/freeze",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    async def unfreeze(
        self,
        budget_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Unfreeze a budget: spending under it is allowed again, within its pools."""
        return await self._caller.ask(
            models.BudgetView,
            "budgets.unfreeze",
            f"POST /budgets/{segment(budget_id)}/unfreeze",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    async def close(
        self,
        budget_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Close a budget permanently. It no longer limits anything, and a new one can be created for its subject."""
        return await self._caller.ask(
            models.BudgetView,
            "budgets.close",
            f"POST /budgets/{segment(budget_id)}/close",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    async def move_pool(
        self,
        budget_id: str,
        *,
        from_: params.NamedPool,
        to: params.NamedPool,
        amount: AmountLike,
        reason: str,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """Move an amount from one pool of a budget into another, for the rest of the present window.

        For owners, admins and finance. The reason is recorded in the audit trail.
        """
        return await self._caller.ask(
            models.BudgetView,
            "budgets.move_pool",
            f"POST /budgets/{segment(budget_id)}/pools/move",
            key=idempotency_key,
            body={"from": from_, "to": to, "amount": amount, "reason": reason},
        )

    async def declare_emergency(
        self, budget_id: str, *, reason: str, until: datetime | str, idempotency_key: str | None = None
    ) -> models.BudgetView:
        """Declare an emergency, or confirm one: the emergency pool can be drawn until it ends.

        One person declares it, and a second one confirms it with the same reason and end. Both are owners, admins or finance, and neither has issued the other's key. If all such keys of the organization belong to one person, no second one is needed.
        """
        return await self._caller.ask(
            models.BudgetView,
            "budgets.declare_emergency",
            f"POST /budgets/{segment(budget_id)}/emergency",
            key=idempotency_key,
            body={"reason": reason, "until": until},
        )

    async def end_emergency(
        self,
        budget_id: str,
        *,
        reason: str | None | Omitted = OMITTED,
        version: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BudgetView:
        """End an emergency immediately, and cancel unconfirmed declarations."""
        return await self._caller.ask(
            models.BudgetView,
            "budgets.end_emergency",
            f"POST /budgets/{segment(budget_id)}/emergency/end",
            key=idempotency_key,
            body={"reason": reason, "version": version},
        )

    def list_versions(
        self,
        budget_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        changed_by: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.BudgetVersionView]:
        """List the versions of what a budget allowed, newest first, with who made each change.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.BudgetVersionView,
            "budgets.list_versions",
            f"/budgets/{segment(budget_id)}/versions",
            {"from": from_, "to": to, "changed_by": changed_by, "limit": limit, "cursor": cursor},
        )

    def list_spends(
        self,
        budget_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.SpendStatus] | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CountedSpendView]:
        """List spends, escrows and purchases that count in a budget, newest first. Keys of agents get their own only.

        A page scans a bounded number of the organization's spends. It may have fewer than `limit` items, or none, and still have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CountedSpendView,
            "budgets.list_spends",
            f"/budgets/{segment(budget_id)}/spends",
            {
                "from": from_,
                "to": to,
                "agent_id": agent_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "action": action,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_refusals(
        self,
        budget_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RefusalView]:
        """List refusals of a budget, newest first: the first 1,000 of each window.

        The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RefusalView,
            "budgets.list_refusals",
            f"/budgets/{segment(budget_id)}/refusals",
            {
                "from": from_,
                "to": to,
                "agent_id": agent_id,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "action": action,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncAllocations(AsyncResource):
    """Operations on allocations."""

    async def set(
        self,
        slug: str,
        *,
        currency: str,
        daily_amount: AmountLike,
        mode: params.AllocationMode | Omitted = OMITTED,
        floor: AmountLike | Omitted = OMITTED,
        ceiling: AmountLike | Omitted = OMITTED,
        reinvest: AmountLike | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AllocationSettingView:
        """Set the allocation of a project's budget to its agents, from the next night on.

        The night begins with the day, in the zone of the project's budget.
        """
        return await self._caller.ask(
            models.AllocationSettingView,
            "allocations.set",
            f"PUT /projects/{segment(slug)}/allocation",
            key=idempotency_key,
            body={
                "mode": mode,
                "currency": currency,
                "daily_amount": daily_amount,
                "floor": floor,
                "ceiling": ceiling,
                "reinvest": reinvest,
            },
        )

    async def settings(self, slug: str) -> models.AllocationSettingView:
        """Read the allocation settings of a project; 404 before they were set."""
        return await self._caller.ask(
            models.AllocationSettingView, "allocations.settings", f"GET /projects/{segment(slug)}/allocation"
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        status: Sequence[params.AllocationStatus] | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.AllocationView]:
        """List allocations, newest first, without their lines.

        A page reads a bounded number of allocations, so it may be short or empty while `next_cursor` is not null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.AllocationView,
            "allocations.list",
            "/allocations",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "status": status,
                "project_id": project_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, allocation_id: str) -> models.AllocationDetailView:
        """Read an allocation: each agent's old and new amount, its four factors, and the reason."""
        return await self._caller.ask(
            models.AllocationDetailView, "allocations.get", f"GET /allocations/{segment(allocation_id)}"
        )

    async def accept(self, allocation_id: str, *, idempotency_key: str | None = None) -> models.AllocationDetailView:
        """Accept a proposed allocation: the budgets change immediately. Accepting it again changes nothing."""
        return await self._caller.ask(
            models.AllocationDetailView,
            "allocations.accept",
            f"POST /allocations/{segment(allocation_id)}/accept",
            key=idempotency_key,
        )


class AsyncTrials(AsyncResource):
    """Operations on trials."""

    async def create(
        self,
        *,
        agent_id: str,
        amount: AmountLike,
        currency: str,
        stages: Sequence[params.TrialStageSet],
        idempotency_key: str | None = None,
    ) -> models.TrialView:
        """Create a trial, an amount for an agent in stages. Each is paid when due, or stops the trial if a bar is missed.

        It opens a budget of the agent, whose lifetime amount each stage raises.
        """
        return await self._caller.ask(
            models.TrialView,
            "trials.create",
            "POST /trials",
            key=idempotency_key,
            body={"agent_id": agent_id, "amount": amount, "currency": currency, "stages": stages},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        status: Sequence[params.TrialStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.TrialView]:
        """List trials, newest first, with their stages.

        A page reads a bounded number of trials, so it may be short or empty while `next_cursor` is not null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.TrialView,
            "trials.list",
            "/trials",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncRouting(AsyncResource):
    """Operations on routing."""

    async def create_decision(
        self,
        *,
        task_kind: str,
        candidates: Sequence[str] | None | Omitted = OMITTED,
        quality_at_least: AmountLike | None | Omitted = OMITTED,
        value: AmountLike | None | Omitted = OMITTED,
        max_cost: AmountLike | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        run_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RoutingDecisionView:
        """Choose a model or an agent for a call, by the outcomes of earlier calls and the remaining budget.

        The choice is random by the candidates' probabilities, so candidates that are rarely the best are tried too. A candidate without a price is excluded. Nothing is spent or reserved. Send the `run_id` of the response with the usage of the call; the result of that run for the same `task_kind` is then the outcome. For an agent that is paid by contract, send the id of the decision as the contract's `external_id`.
        """
        return await self._caller.ask(
            models.RoutingDecisionView,
            "routing.create_decision",
            "POST /routing/decisions",
            key=idempotency_key,
            body={
                "task_kind": task_kind,
                "candidates": candidates,
                "quality_at_least": quality_at_least,
                "value": value,
                "max_cost": max_cost,
                "currency": currency,
                "agent_id": agent_id,
                "run_id": run_id,
            },
        )

    def list_decisions(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RoutingDecisionView]:
        """List routing decisions, newest first. An agent's key sees those of its agent.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RoutingDecisionView,
            "routing.list_decisions",
            "/routing/decisions",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_decision(self, decision_id: str) -> models.RoutingDecisionView:
        """Read one routing decision."""
        return await self._caller.ask(
            models.RoutingDecisionView, "routing.get_decision", f"GET /routing/decisions/{segment(decision_id)}"
        )

    async def set_outcome(
        self,
        decision_id: str,
        *,
        score: AmountLike,
        cost: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RoutingDecisionView:
        """Report the outcome of a routed call, at any time after it; the first outcome counts.

        Agents' keys are refused, because an agent cannot rate its own calls.
        """
        return await self._caller.ask(
            models.RoutingDecisionView,
            "routing.set_outcome",
            f"POST /routing/decisions/{segment(decision_id)}/outcome",
            key=idempotency_key,
            body={"score": score, "cost": cost},
        )


class AsyncExchangeRates(AsyncResource):
    """Operations on exchange rates."""

    async def set(
        self,
        *,
        base: str,
        quote: str,
        rate: AmountLike,
        starts_at: datetime | str | None | Omitted = OMITTED,
        valid_for: timedelta | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ExchangeRateView:
        """Set the rate from the currency that credits are sold for to another one. For operators.

        Spend controls in the other currency use the rate from its start on, and refuse spends once it is too old. Spends that were counted before are not counted again.
        """
        return await self._caller.ask(
            models.ExchangeRateView,
            "exchange_rates.set",
            "POST /exchange-rates",
            key=idempotency_key,
            body={"base": base, "quote": quote, "rate": rate, "starts_at": starts_at, "valid_for": valid_for},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        quote: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ExchangeRateView]:
        """List the current exchange rates, one for each currency. With `quote`, list all rates of that currency.

        `from` and `to` filter by the time at which rates begin.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ExchangeRateView,
            "exchange_rates.list",
            "/exchange-rates",
            {"from": from_, "to": to, "quote": quote, "limit": limit, "cursor": cursor},
        )


class AsyncPurchaseOrders(AsyncResource):
    """Operations on purchase orders."""

    async def create(
        self,
        *,
        item: str,
        vendor: str,
        category: str,
        amount: AmountLike,
        currency: str,
        why: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        project_id: str | None | Omitted = OMITTED,
        term: params.Term | None | Omitted = OMITTED,
        alternatives: Sequence[params.PurchaseAlternativeSet] | Omitted = OMITTED,
        pool: params.DrawnPool | Omitted = OMITTED,
        on_limit: params.PurchaseOnLimit | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Request an external purchase of an agent. It is decided immediately; the response is 201 even if it is declined.

        An approved purchase is held in the budgets above the agent until it is paid, abandoned or expires.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.create",
            "POST /purchase-orders",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "agent_id": agent_id,
                "project_id": project_id,
                "item": item,
                "vendor": vendor,
                "category": category,
                "amount": amount,
                "currency": currency,
                "term": term,
                "alternatives": alternatives,
                "pool": pool,
                "on_limit": on_limit,
                "why": why,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.PurchaseOrderStatus] | Omitted = OMITTED,
        unconfirmed: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.PurchaseOrderView]:
        """List purchase orders, newest first. An agent's key sees those of its agent.

        A member's key that is attributed to a department or a project sees those of that.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PurchaseOrderView,
            "purchase_orders.list",
            "/purchase-orders",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "q": q,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "unconfirmed": unconfirmed,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, purchase_order_id: str) -> models.PurchaseOrderView:
        """Read one purchase order. Its `ETag` is the version of your own `external_id` and `metadata`."""
        return await self._caller.ask(
            models.PurchaseOrderView, "purchase_orders.get", f"GET /purchase-orders/{segment(purchase_order_id)}"
        )

    async def update(
        self,
        purchase_order_id: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Change your own `external_id` and `metadata` of a purchase order."""
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.update",
            f"PATCH /purchase-orders/{segment(purchase_order_id)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata},
        )

    async def attempt(
        self, purchase_order_id: str, *, method: str, idempotency_key: str | None = None
    ) -> models.PurchaseOrderView:
        """Record a payment attempt before it is made. Another one can begin when its result is known.

        After an unconfirmed decline, the amount is held a second time, because both attempts may have paid.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.attempt",
            f"POST /purchase-orders/{segment(purchase_order_id)}/attempts",
            key=idempotency_key,
            body={"method": method},
        )

    async def report(
        self,
        purchase_order_id: str,
        number: str,
        *,
        result: Literal["succeeded", "declined", "unknown"] | str,
        amount: AmountLike | None | Omitted = OMITTED,
        fee: AmountLike | None | Omitted = OMITTED,
        reference: str | None | Omitted = OMITTED,
        receipt_url: str | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Report the result of an attempt. `unknown` can be followed by another result; any other one is final.

        An amount below the hold, or a decline, counts in budgets once a person who approves purchases confirms it. Such a person can also replace a final result, with a `reason`.

        A charge above the hold, or after the order has ended, is counted nevertheless, and raises an alert.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.report",
            f"POST /purchase-orders/{segment(purchase_order_id)}/attempts/{segment(number)}/result",
            key=idempotency_key,
            body={
                "result": result,
                "amount": amount,
                "fee": fee,
                "reference": reference,
                "receipt_url": receipt_url,
                "reason": reason,
            },
        )

    async def abandon(
        self,
        purchase_order_id: str,
        *,
        alternative_action: str | None | Omitted = OMITTED,
        saved: AmountLike | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Abandon an unpaid purchase, even a declined one, with the alternative action.

        After an attempt the hold stays until a person confirms that nothing was charged.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.abandon",
            f"POST /purchase-orders/{segment(purchase_order_id)}/abandon",
            key=idempotency_key,
            body={"alternative_action": alternative_action, "saved": saved},
        )

    async def refund(
        self,
        purchase_order_id: str,
        *,
        amount: AmountLike,
        reference: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Report a refund. It counts in the budgets if a person who approves purchases reports it.

        Other reports are in `reported`, and count once such a person confirms them.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.refund",
            f"POST /purchase-orders/{segment(purchase_order_id)}/refunds",
            key=idempotency_key,
            body={"amount": amount, "reference": reference},
        )

    async def confirm(
        self,
        purchase_order_id: str,
        *,
        charged: AmountLike,
        refunded: AmountLike,
        digest: str,
        reason: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Confirm or correct the total charged and refunded amounts of a purchase, which budgets count from now on.

        Send the figures that you have compared with the payment, and the `digest` in `reported`: if anything has changed since, nothing is confirmed. Other figures than those in `reported` need a `reason`.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.confirm",
            f"POST /purchase-orders/{segment(purchase_order_id)}/confirm",
            key=idempotency_key,
            body={"charged": charged, "refunded": refunded, "digest": digest, "reason": reason},
        )

    async def cancel(self, purchase_order_id: str, *, idempotency_key: str | None = None) -> models.PurchaseOrderView:
        """Cancel the renewal of a purchase: no further term is counted. Cancel it at the vendor too.

        If an agent reports it, terms count until a person who approves purchases cancels the renewal.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.cancel",
            f"POST /purchase-orders/{segment(purchase_order_id)}/cancel",
            key=idempotency_key,
        )

    async def grant(
        self,
        purchase_order_id: str,
        *,
        digest: str,
        pool: params.DrawnPool | None | Omitted = OMITTED,
        lifts: Sequence[params.LiftSet] | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PurchaseOrderView:
        """Approve a purchase of another person, bound to its `digest`.

        The amount is held in the budgets with this request, so it is refused with 402 if it exceeds a window that is not in `lifts`. `pool` can name the reserve.
        """
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.grant",
            f"POST /purchase-orders/{segment(purchase_order_id)}/grant",
            key=idempotency_key,
            body={"digest": digest, "pool": pool, "lifts": lifts, "reason": reason},
        )

    async def refuse(
        self, purchase_order_id: str, *, reason: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.PurchaseOrderView:
        """Refuse a purchase that needs approval."""
        return await self._caller.ask(
            models.PurchaseOrderView,
            "purchase_orders.refuse",
            f"POST /purchase-orders/{segment(purchase_order_id)}/refuse",
            key=idempotency_key,
            body={"reason": reason},
        )


class AsyncCards(AsyncResource):
    """Operations on cards."""

    async def create(
        self,
        *,
        name: str,
        organization_id: str | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        purchase_order_id: str | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        per_authorization: AmountLike | None | Omitted = OMITTED,
        per_month: AmountLike | None | Omitted = OMITTED,
        categories: Sequence[str] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.CardView:
        """Issue a virtual card that an agent pays with, or one that pays for an approved purchase order once.

        The limits and budgets above the agent decide each payment, and it holds credits that were paid for.
        """
        return await self._caller.ask(
            models.CardView,
            "cards.create",
            "POST /cards",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "agent_id": agent_id,
                "purchase_order_id": purchase_order_id,
                "name": name,
                "currency": currency,
                "per_authorization": per_authorization,
                "per_month": per_month,
                "categories": categories,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.CardStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CardView]:
        """List cards, newest first. An agent's key sees those of its agent.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CardView,
            "cards.list",
            "/cards",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "q": q,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, card_id: str) -> models.CardView:
        """Read one card, without its number."""
        return await self._caller.ask(models.CardView, "cards.get", f"GET /cards/{segment(card_id)}")

    def list_transactions(
        self,
        card_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.CardPaymentView]:
        """List the payments that merchants requested from a card, newest first, with the answers, captures and refunds.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.CardPaymentView,
            "cards.list_transactions",
            f"/cards/{segment(card_id)}/transactions",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )

    async def freeze(self, card_id: str, *, idempotency_key: str | None = None) -> models.CardView:
        """Freeze a card: from now on every payment is declined. Amounts authorized before can still be captured."""
        return await self._caller.ask(
            models.CardView, "cards.freeze", f"POST /cards/{segment(card_id)}/freeze", key=idempotency_key
        )

    async def unfreeze(self, card_id: str, *, idempotency_key: str | None = None) -> models.CardView:
        """Unfreeze a card: its limits and budgets decide payments again."""
        return await self._caller.ask(
            models.CardView, "cards.unfreeze", f"POST /cards/{segment(card_id)}/unfreeze", key=idempotency_key
        )

    async def close(self, card_id: str, *, idempotency_key: str | None = None) -> models.CardView:
        """Close a card permanently. Amounts authorized before can still be captured, and refunds still arrive."""
        return await self._caller.ask(
            models.CardView, "cards.close", f"POST /cards/{segment(card_id)}/close", key=idempotency_key
        )

    async def show_number(self, card_id: str, *, nonce: str) -> models.CardDisplayView:
        """Return the key by which Stripe's script shows the number in one browser. The audit trail records the request."""
        return await self._caller.ask(
            models.CardDisplayView,
            "cards.show_number",
            f"POST /cards/{segment(card_id)}/display",
            repeatable=False,
            body={"nonce": nonce},
        )


class AsyncCustomers(AsyncResource):
    """Operations on customers."""

    async def get(self, *, organization_id: str | Omitted = OMITTED) -> models.CustomerView:
        """Show the organization's customer at Stripe; 404 if there is none yet."""
        return await self._caller.ask(
            models.CustomerView, "customers.get", "GET /billing/customer", query={"organization_id": organization_id}
        )

    async def create(self, *, idempotency_key: str | None = None) -> models.CustomerView:
        """Create the organization's customer at Stripe, or return the existing one."""
        return await self._caller.ask(
            models.CustomerView, "customers.create", "POST /billing/customer", key=idempotency_key
        )

    async def open_portal(self, *, return_url: str | Omitted = OMITTED) -> models.PortalView:
        """Return the address of Stripe's customer portal, valid for minutes, for managing payment methods and receipts.

        It creates nothing: use the POST request, or `POST /billing/customer`, to create the customer.
        """
        return await self._caller.ask(
            models.PortalView, "customers.open_portal", "GET /billing/portal", query={"return_url": return_url}
        )

    async def create_portal_session(
        self, *, return_url: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.PortalView:
        """Create the customer if there is none, and return the address of Stripe's customer portal."""
        return await self._caller.ask(
            models.PortalView,
            "customers.create_portal_session",
            "POST /billing/portal",
            key=idempotency_key,
            body={"return_url": return_url},
        )


class AsyncPaymentMethods(AsyncResource):
    """Operations on payment methods."""

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.PaymentMethodList:
        """List the organization's payment methods as they are at Stripe now."""
        return await self._caller.ask(
            models.PaymentMethodList,
            "payment_methods.list",
            "GET /billing/payment-methods",
            query={"organization_id": organization_id},
        )

    async def create_setup_intent(self, *, idempotency_key: str | None = None) -> models.SetupIntentView:
        """Create a setup intent to store a payment method for later charges; its secret opens Stripe's form."""
        return await self._caller.ask(
            models.SetupIntentView,
            "payment_methods.create_setup_intent",
            "POST /billing/setup-intent",
            key=idempotency_key,
        )

    async def make_default(self, method_id: str, *, idempotency_key: str | None = None) -> models.PaymentMethodList:
        """Make this payment method the default."""
        return await self._caller.ask(
            models.PaymentMethodList,
            "payment_methods.make_default",
            f"PUT /billing/payment-methods/{segment(method_id)}/default",
            key=idempotency_key,
        )

    async def detach(self, method_id: str) -> None:
        """Detach a stored payment method permanently; detaching it again changes nothing."""
        await self._caller.send("payment_methods.detach", f"DELETE /billing/payment-methods/{segment(method_id)}")


class AsyncConnectedAccounts(AsyncResource):
    """Operations on connected accounts."""

    async def get(self, *, organization_id: str | Omitted = OMITTED) -> models.CreatorAccountView:
        """Show the organization's account for payouts; 404 if there is none yet."""
        return await self._caller.ask(
            models.CreatorAccountView,
            "connected_accounts.get",
            "GET /billing/connect",
            query={"organization_id": organization_id},
        )

    async def connect(
        self,
        *,
        country: str | Omitted = OMITTED,
        email: str | None | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        refresh_url: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ConnectView:
        """Open the onboarding of the organization's payout account. If there is none, create it first.

        The page asks who the creator is and where to send the money. `GET /billing/connect` shows the result.
        """
        return await self._caller.ask(
            models.ConnectView,
            "connected_accounts.connect",
            "POST /billing/connect",
            key=idempotency_key,
            body={"country": country, "email": email, "return_url": return_url, "refresh_url": refresh_url},
        )


class AsyncPayouts(AsyncResource):
    """Operations on payouts."""

    async def preview(self, *, organization_id: str | Omitted = OMITTED) -> models.PayoutPreview:
        """Show what could be paid out now and to which account. Nothing is paid out."""
        return await self._caller.ask(
            models.PayoutPreview,
            "payouts.preview",
            "GET /billing/payouts/preview",
            query={"organization_id": organization_id},
        )

    async def create(
        self,
        *,
        amount: AmountLike | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PayoutView:
        """Pay out all available earnings, or an amount of them, to the organization's account.

        The amount is taken out of the earnings at once and sent soon; `GET /billing/payouts/{id}` shows the outcome. If the earnings cannot be split to that exact amount, the payout is the next lower amount that can be reached. One payout takes 2,000 lots of earnings at most: if `amount` is less than you asked for, request the rest.
        """
        return await self._caller.ask(
            models.PayoutView,
            "payouts.create",
            "POST /billing/payouts",
            key=idempotency_key,
            body={"amount": amount, "currency": currency},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        min_amount: AmountLike | Omitted = OMITTED,
        max_amount: AmountLike | Omitted = OMITTED,
        status: Sequence[params.PayoutStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.PayoutView]:
        """List payouts, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PayoutView,
            "payouts.list",
            "/billing/payouts",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "provider": provider,
                "currency": currency,
                "min_amount": min_amount,
                "max_amount": max_amount,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def give_up(self, payout_id: str, *, reason: str, idempotency_key: str | None = None) -> models.PayoutView:
        """Give up a payout that was not sent, and return its amount to the earnings. Takes two operators.

        Check at the provider first that it was not sent. The first operator's request is refused with the id of the approval that a second operator has to give.
        """
        return await self._caller.ask(
            models.PayoutView,
            "payouts.give_up",
            f"POST /billing/payouts/{segment(payout_id)}/give-up",
            key=idempotency_key,
            body={"reason": reason},
        )

    async def get_schedule(self, *, organization_id: str | Omitted = OMITTED) -> models.PayoutScheduleView:
        """Show the organization's schedule of automatic payouts, and the outcome of the last one."""
        return await self._caller.ask(
            models.PayoutScheduleView,
            "payouts.get_schedule",
            "GET /billing/payouts/schedule",
            query={"organization_id": organization_id},
        )

    async def set_schedule(
        self,
        *,
        interval: params.PayoutInterval,
        weekly_anchor: str | None | Omitted = OMITTED,
        monthly_anchor: int | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PayoutScheduleView:
        """Set when all available earnings are paid out: daily, weekly, monthly, or only on request (`manual`).

        Each currency is paid out with a payout of its own. If what is available in one is below the minimum on a day, it waits for the next day of the schedule. If the account cannot be paid out to, or the organization owes something, the payout is tried again.
        """
        return await self._caller.ask(
            models.PayoutScheduleView,
            "payouts.set_schedule",
            "PUT /billing/payouts/schedule",
            key=idempotency_key,
            body={"interval": interval, "weekly_anchor": weekly_anchor, "monthly_anchor": monthly_anchor},
        )

    async def get(self, payout_id: str) -> models.PayoutView:
        """Show a payout."""
        return await self._caller.ask(models.PayoutView, "payouts.get", f"GET /billing/payouts/{segment(payout_id)}")


class AsyncProjects(AsyncResource):
    """Operations on projects."""

    async def create(
        self,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        name: str | None | Omitted = OMITTED,
        slug: str | None | Omitted = OMITTED,
        deploy_type: params.DeployType | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ProjectView:
        """Create a project, if the limits of the plan and the slots allow it."""
        return await self._caller.ask(
            models.ProjectView,
            "projects.create",
            "POST /projects",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "name": name,
                "slug": slug,
                "deploy_type": deploy_type,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        deployed: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
    ) -> AsyncList[models.ProjectView]:
        """List the organization's projects, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ProjectView,
            "projects.list",
            "/projects",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "deployed": deployed,
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "metadata": metadata,
            },
        )

    async def get(self, slug: str) -> models.ProjectView:
        """Read one project of your organization."""
        return await self._caller.ask(models.ProjectView, "projects.get", f"GET /projects/{segment(slug)}")

    async def update(
        self,
        slug: str,
        *,
        if_match: str,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str | None] | None | Omitted = OMITTED,
        name: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ProjectView:
        """Change a project's name, `external_id` and `metadata`.

        `If-Match` names the version to change; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.ProjectView,
            "projects.update",
            f"PATCH /projects/{segment(slug)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={"external_id": external_id, "metadata": metadata, "name": name},
        )

    async def deploy(self, slug: str, *, idempotency_key: str | None = None) -> models.ProjectView:
        """Deploy a project. Beyond the plan's limit it occupies a slot. Deploying it again changes nothing."""
        return await self._caller.ask(
            models.ProjectView, "projects.deploy", f"POST /projects/{segment(slug)}/deploy", key=idempotency_key
        )

    async def undeploy(self, slug: str, *, idempotency_key: str | None = None) -> models.ProjectView:
        """Undeploy a project, which frees its slot. Undeploying it again changes nothing."""
        return await self._caller.ask(
            models.ProjectView, "projects.undeploy", f"DELETE /projects/{segment(slug)}/deploy", key=idempotency_key
        )

    async def get_deployment_limits(self, *, organization_id: str | Omitted = OMITTED) -> models.LimitsView:
        """Show how many projects the organization may have and may deploy, and how many it has and deploys."""
        return await self._caller.ask(
            models.LimitsView,
            "projects.get_deployment_limits",
            "GET /projects/deployment/limits",
            query={"organization_id": organization_id},
        )

    async def purchase_slot(
        self,
        *,
        external_id: str | None | Omitted = OMITTED,
        metadata: Mapping[str, str] | Omitted = OMITTED,
        total: AmountLike | None | Omitted = OMITTED,
        provider: params.ProviderName | Omitted = OMITTED,
        payment_method: str | None | Omitted = OMITTED,
        off_session: bool | Omitted = OMITTED,
        hosted: bool | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        asset: params.Coin | None | Omitted = OMITTED,
        slots: int | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.SlotPurchaseView:
        """Buy slots with a payment. They can be used as soon as the money is received.

        The price is taxed like any other sale. `GET /billing/quote?slots=` shows the total.
        """
        return await self._caller.ask(
            models.SlotPurchaseView,
            "projects.purchase_slot",
            "POST /projects/deployment/purchase-slot",
            key=idempotency_key,
            body={
                "external_id": external_id,
                "metadata": metadata,
                "total": total,
                "provider": provider,
                "payment_method": payment_method,
                "off_session": off_session,
                "hosted": hosted,
                "return_url": return_url,
                "asset": asset,
                "slots": slots,
            },
        )


class AsyncUsage(AsyncResource):
    """Operations on usage."""

    async def send_events(self, *, body: Any, organization_id: str | Omitted = OMITTED) -> models.EventsView:
        """Record usage events, as CloudEvents 1.0 in JSON: one event, a batch, or one event a line.

        An event counts only once for its `source` and `id`, so repeat it if you are unsure whether it arrived. Each event has its own outcome. A single event that is invalid is refused with 422, or with 409 if its id was used for another event.
        """
        return await self._caller.ask(
            models.EventsView,
            "usage.send_events",
            "POST /usage/events",
            query={"organization_id": organization_id},
            body=Free(body),
        )

    async def estimate(
        self,
        *,
        model: str | None | Omitted = OMITTED,
        provider: str | None | Omitted = OMITTED,
        usage: Mapping[str, Any] | None | Omitted = OMITTED,
        shape: str | None | Omitted = OMITTED,
        answer: Mapping[str, Any] | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        payee_agent_id: str | None | Omitted = OMITTED,
        action: str | None | Omitted = OMITTED,
        quantity: AmountLike | Omitted = OMITTED,
        at: datetime | str | None | Omitted = OMITTED,
    ) -> models.EstimateView:
        """Rate usage without recording it, at the price of the paid agent, otherwise at that of the model.

        The agent's price is the one agreed when the organization added the agent to its library.
        """
        return await self._caller.ask(
            models.EstimateView,
            "usage.estimate",
            "POST /usage/estimate",
            body={
                "model": model,
                "provider": provider,
                "usage": Free.unless_omitted(usage),
                "shape": shape,
                "answer": Free.unless_omitted(answer),
                "agent_id": agent_id,
                "payee_agent_id": payee_agent_id,
                "action": action,
                "quantity": quantity,
                "at": at,
            },
        )

    async def sync(
        self, *, start_date: date | str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.SyncView:
        """Pull usage from the LiteLLM proxy, from `start_date` (UTC) on, or from where the last sync ended.

        Known usage is not counted again. The run in the Temporal UI shows the outcome of the calls.
        """
        return await self._caller.ask(
            models.SyncView,
            "usage.sync",
            "POST /billing/usage/sync",
            key=idempotency_key,
            body={"start_date": start_date},
        )

    async def void_charge(
        self, event_id: str, *, organization_id: str, reason: str, idempotency_key: str | None = None
    ) -> models.EventChargeView:
        """Void the charge of a usage event that waits to be charged, or is on an open bill in arrears.

        An event that is charged to credits must wait for `amount`, `event` or `books`. The event stays in the log. Voiding it again changes nothing, and it cannot be undone. It can need two operators.
        """
        return await self._caller.ask(
            models.EventChargeView,
            "usage.void_charge",
            f"POST /usage/charges/{segment(event_id)}/void",
            key=idempotency_key,
            body={"organization_id": organization_id, "reason": reason},
        )

    async def get(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        group_by: Literal["day", "model", "agent", "department", "project", "action"] | str | Omitted = OMITTED,
        model: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.UsageView:
        """Summarise usage and its cost, for whole days in UTC. The default is the last 30 days.

        The key of an agent gets the usage of its agent, grouped by `day` or `agent`. A member's key that is attributed to a department or a project gets the usage of that, grouped by `day`, and by `department` or `project`.

        With `Accept: text/csv` the response contains the lines as CSV.
        """
        return await self._caller.ask(
            models.UsageView,
            "usage.get",
            "GET /billing/usage",
            query={
                "from": from_,
                "to": to,
                "start_date": start_date,
                "end_date": end_date,
                "group_by": group_by,
                "model": model,
                "agent_id": agent_id,
                "action": action,
                "organization_id": organization_id,
            },
        )

    def list_events(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        type: str | Omitted = OMITTED,
        model: str | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        source: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.UsageEventView]:
        """List usage events, latest first.

        The key of an agent gets those of its agent only. A member's key that is attributed to a department or a project gets those of that only.

        A filtered page may be short or empty while `next_cursor` is not null, because a page scans no more than 2,000 events. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.UsageEventView,
            "usage.list_events",
            "/billing/usage/logs",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "agent_id": agent_id,
                "start_date": start_date,
                "end_date": end_date,
                "type": type,
                "model": model,
                "action": action,
                "run_id": run_id,
                "source": source,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_of_run(self, run_id: str, *, organization_id: str | Omitted = OMITTED) -> models.UsageRunView:
        """Show the cost of an agent run: in total, by agent, and by step with its substeps.

        An agent's key gets the part of its agent only, and a member's key that is attributed to a department or a project the part of that.
        """
        return await self._caller.ask(
            models.UsageRunView,
            "usage.get_of_run",
            f"GET /usage/runs/{segment(run_id)}",
            query={"organization_id": organization_id},
        )


class AsyncWebhookEndpoints(AsyncResource):
    """Operations on webhook endpoints."""

    async def create(
        self,
        *,
        url: str,
        types: Sequence[str],
        description: str | None | Omitted = OMITTED,
        ordering: params.Ordering | Omitted = OMITTED,
        asymmetric: bool | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.WebhookEndpointCreated:
        """Create a webhook endpoint, to which events are sent from now on.

        The secret is in this response only. Verify every webhook with it, as [Standard Webhooks](https://www.standardwebhooks.com) describes, and answer with 2xx within 15 seconds. A webhook may arrive more than once, always with the same `webhook-id`.
        """
        return await self._caller.ask(
            models.WebhookEndpointCreated,
            "webhook_endpoints.create",
            "POST /webhook-endpoints",
            key=idempotency_key,
            body={
                "url": url,
                "types": types,
                "description": description,
                "ordering": ordering,
                "asymmetric": asymmetric,
                "organization_id": organization_id,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.EndpointStatus] | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.WebhookEndpointView]:
        """List webhook endpoints, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.WebhookEndpointView,
            "webhook_endpoints.list",
            "/webhook-endpoints",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, endpoint_id: str) -> models.WebhookEndpointView:
        """Read one webhook endpoint."""
        return await self._caller.ask(
            models.WebhookEndpointView, "webhook_endpoints.get", f"GET /webhook-endpoints/{segment(endpoint_id)}"
        )

    async def change(
        self,
        endpoint_id: str,
        *,
        url: str | None | Omitted = OMITTED,
        types: Sequence[str] | None | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        ordering: params.Ordering | None | Omitted = OMITTED,
        status: Literal["enabled", "disabled"] | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.WebhookEndpointView:
        """Change a webhook endpoint.

        New types apply to events from now on. A new address applies to waiting events as well.
        """
        return await self._caller.ask(
            models.WebhookEndpointView,
            "webhook_endpoints.change",
            f"PATCH /webhook-endpoints/{segment(endpoint_id)}",
            key=idempotency_key,
            body={"url": url, "types": types, "description": description, "ordering": ordering, "status": status},
        )

    async def delete(self, endpoint_id: str, *, idempotency_key: str | None = None) -> None:
        """Delete a webhook endpoint permanently. Waiting events are not sent."""
        await self._caller.send(
            "webhook_endpoints.delete", f"DELETE /webhook-endpoints/{segment(endpoint_id)}", key=idempotency_key
        )

    async def rotate_secret(
        self, endpoint_id: str, *, idempotency_key: str | None = None
    ) -> models.WebhookEndpointCreated:
        """Create a new secret, and a new Ed25519 key if the endpoint has one.

        For 24 hours, webhooks are signed with the old and the new ones.
        """
        return await self._caller.ask(
            models.WebhookEndpointCreated,
            "webhook_endpoints.rotate_secret",
            f"POST /webhook-endpoints/{segment(endpoint_id)}/rotate-secret",
            key=idempotency_key,
        )

    async def test(self, endpoint_id: str, *, idempotency_key: str | None = None) -> models.WebhookTested:
        """Send a test webhook to the endpoint, whichever types it receives."""
        return await self._caller.ask(
            models.WebhookTested,
            "webhook_endpoints.test",
            f"POST /webhook-endpoints/{segment(endpoint_id)}/test",
            key=idempotency_key,
        )

    async def replay(
        self,
        endpoint_id: str,
        *,
        from_: datetime | str,
        to: datetime | str,
        types: Sequence[str] | None | Omitted = OMITTED,
        only_failed: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.WebhookReplayed:
        """Send the events of a period again, including events from before the endpoint was created.

        Each keeps its `webhook-id`, so a receiver that stores the ids recognises events that it already has.
        """
        return await self._caller.ask(
            models.WebhookReplayed,
            "webhook_endpoints.replay",
            f"POST /webhook-endpoints/{segment(endpoint_id)}/replay",
            key=idempotency_key,
            body={"from": from_, "to": to, "types": types, "only_failed": only_failed},
        )

    def list_deliveries(
        self,
        endpoint_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        status: Sequence[params.DeliveryStatus] | Omitted = OMITTED,
        type: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.WebhookDeliveryView]:
        """List the past and pending deliveries to a webhook endpoint, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.WebhookDeliveryView,
            "webhook_endpoints.list_deliveries",
            f"/webhook-endpoints/{segment(endpoint_id)}/deliveries",
            {
                "from": from_,
                "to": to,
                "status": status,
                "type": type,
                "subject": subject,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def retry_delivery(
        self, delivery_id: str, *, idempotency_key: str | None = None
    ) -> models.WebhookDeliveryView:
        """Retry a delivery now, with as many tries as a new one."""
        return await self._caller.ask(
            models.WebhookDeliveryView,
            "webhook_endpoints.retry_delivery",
            f"POST /webhook-deliveries/{segment(delivery_id)}/retry",
            key=idempotency_key,
        )


class AsyncMeters(AsyncResource):
    """Operations on meters."""

    async def create(
        self,
        *,
        name: str,
        event_type: str,
        aggregation: params.Aggregation,
        property: str | None | Omitted = OMITTED,
        dimensions: Sequence[str] | Omitted = OMITTED,
        price: Mapping[str, Any] | None | Omitted = OMITTED,
        currency: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.MeterView:
        """Create a meter of the organization.

        A meter that an operator creates belongs to the platform and counts for every organization.
        """
        return await self._caller.ask(
            models.MeterView,
            "meters.create",
            "POST /usage/meters",
            key=idempotency_key,
            body={
                "name": name,
                "event_type": event_type,
                "aggregation": aggregation,
                "property": property,
                "dimensions": dimensions,
                "price": Free.unless_omitted(price),
                "currency": currency,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.MeterView]:
        """List the meters that count in the organization: its own and the platform's, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.MeterView,
            "meters.list",
            "/usage/meters",
            {"from": from_, "to": to, "organization_id": organization_id, "q": q, "limit": limit, "cursor": cursor},
        )

    async def get_usage(
        self,
        meter_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        group_by: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
    ) -> models.MeterUsageView:
        """Show the counts of a meter, for whole days in UTC. The default is the last 30 days.

        Keys restricted to an agent, department or project are refused, because a meter counts all usage.
        """
        return await self._caller.ask(
            models.MeterUsageView,
            "meters.get_usage",
            f"GET /usage/meters/{segment(meter_id)}",
            query={
                "from": from_,
                "to": to,
                "start_date": start_date,
                "end_date": end_date,
                "group_by": group_by,
                "organization_id": organization_id,
            },
        )

    async def close(self, meter_id: str) -> models.MeterView:
        """Close a meter, which ends its counting. Its counts stay."""
        return await self._caller.ask(models.MeterView, "meters.close", f"DELETE /usage/meters/{segment(meter_id)}")

    async def charge(self, meter_id: str) -> models.MeterView:
        """Charge organizations' credits for the counts of a meter from now on, once for each event.

        An event is charged at the meter's price, or at its own cost if the meter has none. This cannot be undone: to stop, close the meter and create another one.
        """
        return await self._caller.ask(
            models.MeterView, "meters.charge", f"POST /usage/meters/{segment(meter_id)}/charge", repeatable=False
        )


class AsyncBillingTerms(AsyncResource):
    """Operations on billing terms."""

    async def get(self, organization_id: str) -> models.BillingTermsView:
        """Show an organization's current billing terms, and those that follow."""
        return await self._caller.ask(
            models.BillingTermsView, "billing_terms.get", f"GET /organizations/{segment(organization_id)}/billing-terms"
        )

    async def agree(
        self,
        organization_id: str,
        *,
        mode: params.UsageMode,
        currency: str | Omitted = OMITTED,
        time_zone: str | Omitted = OMITTED,
        minimum_commitment: AmountLike | Omitted = OMITTED,
        commitment_from: date | str | None | Omitted = OMITTED,
        volume_discounts: Sequence[params.DiscountSet] | Omitted = OMITTED,
        net_days: int | Omitted = OMITTED,
        collection_method: params.CollectionMethod | Omitted = OMITTED,
        plan_prices: Sequence[params.PlanPriceSet] | Omitted = OMITTED,
        unpaid_limit: AmountLike | None | Omitted = OMITTED,
        reason: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.BillingTermsView:
        """Agree billing terms with an organization. For operators.

        The first terms apply at once. A change applies from the next month, in the time zone of the previous terms.
        """
        return await self._caller.ask(
            models.BillingTermsView,
            "billing_terms.agree",
            f"PUT /organizations/{segment(organization_id)}/billing-terms",
            key=idempotency_key,
            body={
                "mode": mode,
                "currency": currency,
                "time_zone": time_zone,
                "minimum_commitment": minimum_commitment,
                "commitment_from": commitment_from,
                "volume_discounts": volume_discounts,
                "net_days": net_days,
                "collection_method": collection_method,
                "plan_prices": plan_prices,
                "unpaid_limit": unpaid_limit,
                "reason": reason,
            },
        )


class AsyncBillingProfile(AsyncResource):
    """Operations on billing profile."""

    async def get(self, *, organization_id: str | Omitted = OMITTED) -> models.ProfileView:
        """Show the organization's billing profile: the name, address and tax details on its invoices."""
        return await self._caller.ask(
            models.ProfileView,
            "billing_profile.get",
            "GET /billing/profile",
            query={"organization_id": organization_id},
        )

    async def set(
        self,
        *,
        legal_name: str | None | Omitted = OMITTED,
        line1: str | None | Omitted = OMITTED,
        line2: str | None | Omitted = OMITTED,
        city: str | None | Omitted = OMITTED,
        postal_code: str | None | Omitted = OMITTED,
        region: str | None | Omitted = OMITTED,
        country: str | None | Omitted = OMITTED,
        email: str | None | Omitted = OMITTED,
        language: str | None | Omitted = OMITTED,
        vat_id: str | None | Omitted = OMITTED,
        charges_vat: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ProfileView:
        """Replace the organization's billing profile. EU VAT numbers are checked with the register."""
        return await self._caller.ask(
            models.ProfileView,
            "billing_profile.set",
            "PUT /billing/profile",
            key=idempotency_key,
            body={
                "legal_name": legal_name,
                "line1": line1,
                "line2": line2,
                "city": city,
                "postal_code": postal_code,
                "region": region,
                "country": country,
                "email": email,
                "language": language,
                "vat_id": vat_id,
                "charges_vat": charges_vat,
            },
        )

    async def decide(
        self,
        *,
        organization_id: str,
        confirmed_country: str | None | Omitted = OMITTED,
        exempt_reason: str | None | Omitted = OMITTED,
        legal_entity: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ProfileView:
        """Record an operator's decision on an organization: its country or a tax exemption. For operators."""
        return await self._caller.ask(
            models.ProfileView,
            "billing_profile.decide",
            "PUT /billing/profile/decisions",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "confirmed_country": confirmed_country,
                "exempt_reason": exempt_reason,
                "legal_entity": legal_entity,
            },
        )


class AsyncTaxRates(AsyncResource):
    """Operations on tax rates."""

    async def add(
        self,
        *,
        code: str,
        country: str,
        rate: str,
        valid_from: datetime | str,
        region: str | None | Omitted = OMITTED,
        product: str | None | Omitted = OMITTED,
        valid_until: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.TaxRateView:
        """Add a rate. Past charges keep their rate; the newest rate that has begun applies. For operators."""
        return await self._caller.ask(
            models.TaxRateView,
            "tax_rates.add",
            "POST /tax-rates",
            key=idempotency_key,
            body={
                "code": code,
                "country": country,
                "region": region,
                "product": product,
                "rate": rate,
                "valid_from": valid_from,
                "valid_until": valid_until,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        country: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.TaxRateView]:
        """List the rates, newest first. For operators.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.TaxRateView,
            "tax_rates.list",
            "/tax-rates",
            {"from": from_, "to": to, "q": q, "country": country, "limit": limit, "cursor": cursor},
        )


class AsyncPrincipals(AsyncResource):
    """Operations on principals."""

    def list(
        self,
        *,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        role: params.Role | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.PrincipalView]:
        """List the principals of an organization except agents, by name: those with a key, a session or a link.

        An operator names the organization. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.PrincipalView,
            "principals.list",
            "/principals",
            {"organization_id": organization_id, "q": q, "role": role, "limit": limit, "cursor": cursor},
        )

    async def revoke(self, principal: str, *, organization_id: str | Omitted = OMITTED) -> None:
        """Revoke a principal at once: its keys, sessions, links and invitation end. Keys that it issued to others stay."""
        await self._caller.send(
            "principals.revoke", f"DELETE /principals/{segment(principal)}", query={"organization_id": organization_id}
        )

    async def invite(
        self,
        *,
        email: str,
        role: params.Role,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.InvitationView:
        """Invite a person by mail, who becomes a principal with the address as its name by opening the link.

        The link is valid for seven days, once. After that the person signs in by mail. Inviting somebody again who has not accepted sends another link. Owners and admins invite for the roles whose keys they may issue.
        """
        return await self._caller.ask(
            models.InvitationView,
            "principals.invite",
            "POST /invitations",
            key=idempotency_key,
            body={"organization_id": organization_id, "email": email, "role": role},
        )

    async def mail_link(self, *, email: str) -> None:
        """Mail a link that opens a session to a person who signs in by mail, valid for 15 minutes, once. No key is needed.

        The response is the same for every address, and takes the same time. Requests count against the client's address.
        """
        await self._caller.send("principals.mail_link", "POST /sessions/mail", repeatable=False, body={"email": email})


class AsyncSessions(AsyncResource):
    """Operations on sessions."""

    async def me(self, *, marks: bool | Omitted = OMITTED, unread: bool | Omitted = OMITTED) -> models.MeView:
        """Show the caller: the principal, its role and permissions, and the session if there is one.

        With `marks`, a page that follows changes needs only this call to begin.
        """
        return await self._caller.ask(models.MeView, "sessions.me", "GET /me", query={"marks": marks, "unread": unread})

    async def set_preferences(
        self,
        *,
        locale: params.Locale | None | Omitted = OMITTED,
        time_zone: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.MePreferences:
        """Set the caller's locale and time zone, for the console, and for notifications and mails to the caller.

        Messages are in the locale's language if it is English, French, German or Spanish, or else in the organization's.
        """
        return await self._caller.ask(
            models.MePreferences,
            "sessions.set_preferences",
            "PUT /me/preferences",
            key=idempotency_key,
            body={"locale": locale, "time_zone": time_zone},
        )

    async def create(self, *, idempotency_key: str | None = None) -> models.SessionCreated:
        """Open a session with a key. Its token has the rights of the key, until the session or the key ends.

        A session ends after 12 hours without use, and after seven days at the latest. A session of a role of the platform ends after 30 minutes without use, and after 12 hours at the latest.
        """
        return await self._caller.ask(models.SessionCreated, "sessions.create", "POST /sessions", key=idempotency_key)

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        mine: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.SessionView]:
        """List the sessions that have not ended, newest first: your own or, for owners and admins, the organization's.

        An operator sees all of them, or those of one organization. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.SessionView,
            "sessions.list",
            "/sessions",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "mine": mine,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def end(self, session_id: str) -> None:
        """End a session at once, wherever it is used. Ending it again changes nothing.

        All callers can end their own sessions. Owners and admins can also end sessions of their organization, for roles whose keys they may revoke. Operators can end every session.
        """
        await self._caller.send("sessions.end", f"DELETE /sessions/{segment(session_id)}")


class AsyncSessionLinks(AsyncResource):
    """Operations on session links."""

    async def create(
        self,
        *,
        principal: str,
        role: params.Role,
        organization_id: str | None | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        path: str | Omitted = OMITTED,
        return_url: str | None | Omitted = OMITTED,
        expires_in: timedelta | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.LinkCreated:
        """Make a link that opens one session as the named principal, who does not need a key.

        Operators make links for any organization, owners and admins for their own, for the roles whose keys they may issue. The address is in this response only; a replayed response does not contain it.
        """
        return await self._caller.ask(
            models.LinkCreated,
            "session_links.create",
            "POST /sessions/links",
            key=idempotency_key,
            body={
                "organization_id": organization_id,
                "principal": principal,
                "role": role,
                "agent_id": agent_id,
                "path": path,
                "return_url": return_url,
                "expires_in": expires_in,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.LinkView]:
        """List the links that can still be used, newest first. An operator sees all, or those of one organization.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.LinkView,
            "session_links.list",
            "/sessions/links",
            {"from": from_, "to": to, "organization_id": organization_id, "q": q, "limit": limit, "cursor": cursor},
        )

    async def end(self, link_id: str) -> None:
        """End a link at once, and the session that it has opened. Ending it again changes nothing."""
        await self._caller.send("session_links.end", f"DELETE /sessions/links/{segment(link_id)}")

    async def preview(self, *, token: str) -> models.LinkPreview:
        """Show the principal for which a link would open a session. This does not use the link.

        No key is needed. Programs that open links in mails call only this, and so do not use up the link.
        """
        return await self._caller.ask(
            models.LinkPreview,
            "session_links.preview",
            "POST /sessions/links/preview",
            repeatable=False,
            body={"token": token},
        )

    async def redeem(self, *, token: str) -> models.Redeemed:
        """Redeem a link: open its session. No key is needed. Of two concurrent requests, one succeeds."""
        return await self._caller.ask(
            models.Redeemed, "session_links.redeem", "POST /sessions/redeem", repeatable=False, body={"token": token}
        )


class AsyncAudit(AsyncResource):
    """Operations on audit."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        action: str | Omitted = OMITTED,
        target: str | Omitted = OMITTED,
        principal: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.AuditView]:
        """List privileged actions, newest first. For operators, `organization_id` finds actions by it and on it.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.AuditView,
            "audit.list",
            "/audit",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "action": action,
                "target": target,
                "principal": principal,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncAlerts(AsyncResource):
    """Operations on alerts."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.AlertStatus] | Omitted = OMITTED,
        unacknowledged: bool | Omitted = OMITTED,
        kind: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        severity: params.Severity | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.AlertView]:
        """List alerts, newest first. An organization sees its own alerts, an operator sees all of them.

        A member's key that is attributed to a department or project sees no alerts of others' spend controls; such a page may be short.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.AlertView,
            "alerts.list",
            "/alerts",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "q": q,
                "status": status,
                "unacknowledged": unacknowledged,
                "kind": kind,
                "subject": subject,
                "severity": severity,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def acknowledge(self, alert_id: str, *, idempotency_key: str | None = None) -> models.AlertView:
        """Acknowledge an alert. The first operator to do so is recorded, and the first of its organization.

        An organization acknowledges alerts for itself. If operators should handle the alert as well, it stays open for them.
        """
        return await self._caller.ask(
            models.AlertView, "alerts.acknowledge", f"POST /alerts/{segment(alert_id)}/acknowledge", key=idempotency_key
        )

    async def resolve(self, alert_id: str, *, idempotency_key: str | None = None) -> models.AlertView:
        """Resolve an alert. The first one to do so is recorded.

        It stays resolved: if the case occurs again, it is a new alert.

        An organization can resolve alerts that only it has to handle. Most alerts resolve automatically when their case is over.
        """
        return await self._caller.ask(
            models.AlertView, "alerts.resolve", f"POST /alerts/{segment(alert_id)}/resolve", key=idempotency_key
        )

    async def snooze(
        self, alert_id: str, *, until: datetime | str, idempotency_key: str | None = None
    ) -> models.AlertView:
        """Snooze an alert: no notifications of it are sent before a given time.

        An organization snoozes it for its own members, an operator for all operators. Snoozing it again sets a new time.
        """
        return await self._caller.ask(
            models.AlertView,
            "alerts.snooze",
            f"POST /alerts/{segment(alert_id)}/snooze",
            key=idempotency_key,
            body={"until": until},
        )


class AsyncAlertRules(AsyncResource):
    """Operations on alert rules."""

    async def list(self, *, organization_id: str | Omitted = OMITTED) -> models.AlertRulePage:
        """List the built-in rules, and then the other rules, newest first. All are on one page.

        With `Accept: text/csv` the response is a CSV file.
        """
        return await self._caller.ask(
            models.AlertRulePage, "alert_rules.list", "GET /alert-rules", query={"organization_id": organization_id}
        )

    async def create(
        self,
        *,
        name: str,
        metric: str | None | Omitted = OMITTED,
        filter: Mapping[str, str] | None | Omitted = OMITTED,
        condition: params.ConditionSet | None | Omitted = OMITTED,
        window: timedelta | str | None | Omitted = OMITTED,
        cool_down: timedelta | str | None | Omitted = OMITTED,
        severity: Literal["info", "warning", "critical"] | str | None | Omitted = OMITTED,
        channels: Sequence[str] | None | Omitted = OMITTED,
        ladder: Sequence[params.LadderStep] | None | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        enabled: bool | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AlertRuleView:
        """Create a rule. Its metric is checked from now on, once a minute, or less often for long windows."""
        return await self._caller.ask(
            models.AlertRuleView,
            "alert_rules.create",
            "POST /alert-rules",
            key=idempotency_key,
            body={
                "metric": metric,
                "filter": filter,
                "condition": condition,
                "window": window,
                "cool_down": cool_down,
                "severity": severity,
                "channels": channels,
                "ladder": ladder,
                "description": description,
                "enabled": enabled,
                "name": name,
                "organization_id": organization_id,
            },
        )

    async def list_metrics(self) -> models.AlertMetricsView:
        """List the metrics that rules can watch, with their conditions and filters."""
        return await self._caller.ask(models.AlertMetricsView, "alert_rules.list_metrics", "GET /alert-rules/metrics")

    async def get(self, rule_id: str, *, organization_id: str | Omitted = OMITTED) -> models.AlertRuleView:
        """Read a rule by its id, or a built-in rule by its name."""
        return await self._caller.ask(
            models.AlertRuleView,
            "alert_rules.get",
            f"GET /alert-rules/{segment(rule_id)}",
            query={"organization_id": organization_id},
        )

    async def set(
        self,
        rule_id: str,
        *,
        organization_id: str | Omitted = OMITTED,
        metric: str | None | Omitted = OMITTED,
        filter: Mapping[str, str] | None | Omitted = OMITTED,
        condition: params.ConditionSet | None | Omitted = OMITTED,
        window: timedelta | str | None | Omitted = OMITTED,
        cool_down: timedelta | str | None | Omitted = OMITTED,
        severity: Literal["info", "warning", "critical"] | str | None | Omitted = OMITTED,
        channels: Sequence[str] | None | Omitted = OMITTED,
        ladder: Sequence[params.LadderStep] | None | Omitted = OMITTED,
        description: str | None | Omitted = OMITTED,
        enabled: bool | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.AlertRuleView:
        """Replace a rule. For a built-in rule: its severity, channels, escalation, and whether it is enabled.

        Replacing a rule resets its state and resolves its open alerts.
        """
        return await self._caller.ask(
            models.AlertRuleView,
            "alert_rules.set",
            f"PUT /alert-rules/{segment(rule_id)}",
            key=idempotency_key,
            query={"organization_id": organization_id},
            body={
                "metric": metric,
                "filter": filter,
                "condition": condition,
                "window": window,
                "cool_down": cool_down,
                "severity": severity,
                "channels": channels,
                "ladder": ladder,
                "description": description,
                "enabled": enabled,
            },
        )

    async def delete(self, rule_id: str, *, organization_id: str | Omitted = OMITTED) -> None:
        """Delete a rule, and resolve its open alerts. A built-in rule is reset to its defaults."""
        await self._caller.send(
            "alert_rules.delete", f"DELETE /alert-rules/{segment(rule_id)}", query={"organization_id": organization_id}
        )


class AsyncNotificationDefaults(AsyncResource):
    """Operations on notification defaults."""

    async def list(self) -> models.DefaultsPage:
        """List each notification type with its default timing by role. For operators and auditors of the platform."""
        return await self._caller.ask(models.DefaultsPage, "notification_defaults.list", "GET /notifications/defaults")

    async def set(
        self,
        notification_type: str,
        *,
        roles: Mapping[str, Literal["inbox", "instant", "hourly", "daily", "weekly"] | str],
        idempotency_key: str | None = None,
    ) -> models.DefaultsView:
        """Set the default timing of a notification type by role. Preferences that people have set stay. For operators.

        It applies to future notifications.
        """
        return await self._caller.ask(
            models.DefaultsView,
            "notification_defaults.set",
            f"PUT /notifications/defaults/{segment(notification_type)}",
            key=idempotency_key,
            body={"roles": roles},
        )

    async def reset(self, notification_type: str) -> None:
        """Reset a notification type to the built-in defaults. For operators."""
        await self._caller.send(
            "notification_defaults.reset", f"DELETE /notifications/defaults/{segment(notification_type)}"
        )


class AsyncNotifications(AsyncResource):
    """Operations on notifications."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        unread: bool | Omitted = OMITTED,
        type: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.NotificationView]:
        """List the notifications in the caller's inbox, newest first, in the caller's language.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.NotificationView,
            "notifications.list",
            "/notifications",
            {
                "from": from_,
                "to": to,
                "unread": unread,
                "type": type,
                "subject": subject,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def read_many(
        self, *, until: str | None | Omitted = OMITTED, idempotency_key: str | None = None
    ) -> models.NotificationsReadView:
        """Mark notifications in the caller's inbox as read."""
        return await self._caller.ask(
            models.NotificationsReadView,
            "notifications.read_many",
            "POST /notifications/read",
            key=idempotency_key,
            body={"until": until},
        )

    async def get_preferences(self) -> models.PreferencesView:
        """Read the caller's preferences: the timing of each notification type by channel."""
        return await self._caller.ask(
            models.PreferencesView, "notifications.get_preferences", "GET /notifications/preferences"
        )

    async def set_preferences(
        self,
        *,
        quiet_hours: params.QuietHours | None | Omitted = OMITTED,
        digest_hour: int | Omitted = OMITTED,
        digest_weekday: int | Omitted = OMITTED,
        types: Mapping[str, Mapping[str, params.Cadence]] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.PreferencesView:
        """Replace the caller's preferences: the timing of each notification type by channel.

        A digest collects what happened in one message. It is sent at the full hour, or at the hour and on the weekday that are set here. Chargebacks and critical alerts do not wait for the end of quiet hours. All hours are in the time zone of `PUT /me/preferences`.
        """
        return await self._caller.ask(
            models.PreferencesView,
            "notifications.set_preferences",
            "PUT /notifications/preferences",
            key=idempotency_key,
            body={
                "quiet_hours": quiet_hours,
                "digest_hour": digest_hour,
                "digest_weekday": digest_weekday,
                "types": types,
            },
        )

    async def list_channels(self) -> models.ChannelPage:
        """List the caller's channels, at most ten. The inbox always exists and is not listed."""
        return await self._caller.ask(models.ChannelPage, "notifications.list_channels", "GET /notifications/channels")

    async def create_channel(
        self,
        *,
        kind: params.ChannelKind,
        address: str | None | Omitted = OMITTED,
        url: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ChannelView:
        """Create a channel, to which a code is sent. The channel is used once the code is confirmed."""
        return await self._caller.ask(
            models.ChannelView,
            "notifications.create_channel",
            "POST /notifications/channels",
            key=idempotency_key,
            body={"kind": kind, "address": address, "url": url},
        )

    async def verify_channel(self, channel_id: str, *, code: str) -> models.ChannelView:
        """Confirm the code that was sent to the channel. It is valid for five tries and 30 minutes."""
        return await self._caller.ask(
            models.ChannelView,
            "notifications.verify_channel",
            f"POST /notifications/channels/{segment(channel_id)}/verify",
            repeatable=False,
            body={"code": code},
        )

    async def resend_code(self, channel_id: str, *, idempotency_key: str | None = None) -> models.ChannelView:
        """Send another code, which replaces the last one. Limits for one address: three an hour and ten a day."""
        return await self._caller.ask(
            models.ChannelView,
            "notifications.resend_code",
            f"POST /notifications/channels/{segment(channel_id)}/resend",
            key=idempotency_key,
        )

    async def delete_channel(self, channel_id: str) -> None:
        """Delete a channel permanently. Nothing more is sent to it."""
        await self._caller.send("notifications.delete_channel", f"DELETE /notifications/channels/{segment(channel_id)}")

    async def read(self, notification_id: str, *, idempotency_key: str | None = None) -> models.NotificationView:
        """Mark a notification in the caller's inbox as read. The first time counts."""
        return await self._caller.ask(
            models.NotificationView,
            "notifications.read",
            f"POST /notifications/{segment(notification_id)}/read",
            key=idempotency_key,
        )


class AsyncMailSuppressions(AsyncResource):
    """Operations on mail suppressions."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        address: str | Omitted = OMITTED,
        lifted: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.MailSuppressionView]:
        """List the addresses to which no mail is sent, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.MailSuppressionView,
            "mail_suppressions.list",
            "/mail-suppressions",
            {"from": from_, "to": to, "q": q, "address": address, "lifted": lifted, "limit": limit, "cursor": cursor},
        )

    async def lift(self, suppression_id: str, *, idempotency_key: str | None = None) -> models.MailSuppressionView:
        """Lift a suppression: mail is sent to the address again. The first one to lift it is recorded.

        Reports of older mails no longer count.
        """
        return await self._caller.ask(
            models.MailSuppressionView,
            "mail_suppressions.lift",
            f"POST /mail-suppressions/{segment(suppression_id)}/lift",
            key=idempotency_key,
        )


class AsyncEvents(AsyncResource):
    """Operations on events."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        after: str | Omitted = OMITTED,
        type: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.OutboxEventView]:
        """List events, oldest first. An organization sees its own events, an operator sees all of them.

        An agent's key sees the events about its agent only: those with its `agent_id` in `data`. A member's key that is attributed to a department or project sees no events of spends and spend controls of others, nor of their alerts.

        To follow the events, keep the id of the last one and pass it as `after`. No event is skipped, even if it is committed late: an event appears only when its place in the order is certain. `subject_seq` gives the order of the events about one subject. A page that is filtered by time, or by a type across all organizations, may be short or empty although more pages follow. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.OutboxEventView,
            "events.list",
            "/events",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "after": after,
                "type": type,
                "subject": subject,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def list_types(self) -> models.CatalogueView:
        """List all types of events, with the JSON Schema of their data and an example."""
        return await self._caller.ask(models.CatalogueView, "events.list_types", "GET /events/catalogue")


class AsyncChanges(AsyncResource):
    """Operations on changes."""

    async def get(self, *, organization_id: str | Omitted = OMITTED) -> models.MarksView:
        """Show the mark of each topic: a number that grows when something in the topic changes.

        Store the marks with the data that you show. When the mark of a topic differs, read its data again. Compare marks only with earlier marks of the same topic. Operators see marks of all organizations, which may grow without a change.
        """
        return await self._caller.ask(
            models.MarksView, "changes.get", "GET /changes", query={"organization_id": organization_id}
        )

    def stream(self, *, organization_id: str | Omitted = OMITTED) -> AsyncIterator[str]:
        """Follow the changes, for as long as you iterate: the topics of what has changed, within about a second.

        First comes every topic once, so that what you read from then on is not outdated unnoticed; then what has changed. A connection that ends is made again, and what changed meanwhile comes after it.
        """
        return self._caller.topics("changes.stream", "/changes/stream", {"organization_id": organization_id})


class AsyncWebhooks(AsyncResource):
    """Operations on webhooks."""

    def list_events(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.InboxStatus] | Omitted = OMITTED,
        unhandled: bool | Omitted = OMITTED,
        type: str | Omitted = OMITTED,
        payment_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.InboxEventView]:
        """List the webhooks that providers have sent, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.InboxEventView,
            "webhooks.list_events",
            "/webhooks/events",
            {
                "from": from_,
                "to": to,
                "provider": provider,
                "q": q,
                "status": status,
                "unhandled": unhandled,
                "type": type,
                "payment_id": payment_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def retry_event(self, number: str, *, idempotency_key: str | None = None) -> models.InboxEventView:
        """Retry the handling of a webhook now. It is also retried automatically within minutes.

        The object is read at the provider again, so nothing takes effect twice. An event that is already handled stays as it is.
        """
        return await self._caller.ask(
            models.InboxEventView,
            "webhooks.retry_event",
            f"POST /webhooks/events/{segment(number)}/retry",
            key=idempotency_key,
        )


class AsyncApprovals(AsyncResource):
    """Operations on approvals."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.ApprovalStatus] | Omitted = OMITTED,
        action: params.ApprovalAction | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        requested_by: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ApprovalView]:
        """List the approvals that operators requested, newest first. For operators and auditors of the platform.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ApprovalView,
            "approvals.list",
            "/approvals",
            {
                "from": from_,
                "to": to,
                "q": q,
                "status": status,
                "action": action,
                "subject": subject,
                "requested_by": requested_by,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def approve(self, approval_id: str, *, idempotency_key: str | None = None) -> models.ApprovalView:
        """Approve another operator's request. That operator can then repeat the request. For operators."""
        return await self._caller.ask(
            models.ApprovalView,
            "approvals.approve",
            f"POST /approvals/{segment(approval_id)}/approve",
            key=idempotency_key,
        )

    async def reject(self, approval_id: str, *, idempotency_key: str | None = None) -> models.ApprovalView:
        """Reject another operator's request, or cancel your own, also after it was approved but not used. For operators.

        Request the action again to have it approved again.
        """
        return await self._caller.ask(
            models.ApprovalView,
            "approvals.reject",
            f"POST /approvals/{segment(approval_id)}/reject",
            key=idempotency_key,
        )


class AsyncPricingRules(AsyncResource):
    """Operations on pricing rules."""

    async def create(
        self,
        *,
        name: str,
        priority: int,
        terms: params.SurgeTerms
        | params.ReputationTerms
        | params.TimeOfDayTerms
        | params.BulkTerms
        | params.VolumeTerms
        | params.TierTerms
        | params.ContractPriceTerms
        | params.CustomTerms
        | params.BoundsTerms,
        stacking: params.Stacking | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        floor: AmountLike | None | Omitted = OMITTED,
        ceiling: AmountLike | None | Omitted = OMITTED,
        valid_from: datetime | str | None | Omitted = OMITTED,
        valid_until: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RuleView:
        """Add a rule. It applies to prices from now on. Existing quotes do not change.

        A rule for one organization or agent can take two operators.
        """
        return await self._caller.ask(
            models.RuleView,
            "pricing_rules.create",
            "POST /pricing/rules",
            key=idempotency_key,
            body={
                "name": name,
                "priority": priority,
                "terms": terms,
                "stacking": stacking,
                "agent_id": agent_id,
                "organization_id": organization_id,
                "floor": floor,
                "ceiling": ceiling,
                "valid_from": valid_from,
                "valid_until": valid_until,
            },
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        type: params.RuleType | Omitted = OMITTED,
        ended: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RuleView]:
        """List rules, newest first. For operators and auditors of the platform.

        The rules name clients and their agreements.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RuleView,
            "pricing_rules.list",
            "/pricing/rules",
            {
                "from": from_,
                "to": to,
                "agent_id": agent_id,
                "organization_id": organization_id,
                "type": type,
                "ended": ended,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def dry_run(
        self,
        *,
        rule: params.RuleWrite,
        replaces: str | None | Omitted = OMITTED,
        since: datetime | str | None | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.DryRunView:
        """Try a rule: price past quotes with the current rules, without it and with it. No price and no rule changes."""
        return await self._caller.ask(
            models.DryRunView,
            "pricing_rules.dry_run",
            "POST /pricing/rules/dry-run",
            key=idempotency_key,
            body={"rule": rule, "replaces": replaces, "since": since, "limit": limit},
        )

    async def get(self, rule_id: str) -> models.RuleView:
        """Read a rule, including one that has ended. For operators and auditors of the platform."""
        return await self._caller.ask(models.RuleView, "pricing_rules.get", f"GET /pricing/rules/{segment(rule_id)}")

    async def change(
        self,
        rule_id: str,
        *,
        name: str,
        priority: int,
        terms: params.SurgeTerms
        | params.ReputationTerms
        | params.TimeOfDayTerms
        | params.BulkTerms
        | params.VolumeTerms
        | params.TierTerms
        | params.ContractPriceTerms
        | params.CustomTerms
        | params.BoundsTerms,
        stacking: params.Stacking | Omitted = OMITTED,
        agent_id: str | None | Omitted = OMITTED,
        organization_id: str | None | Omitted = OMITTED,
        floor: AmountLike | None | Omitted = OMITTED,
        ceiling: AmountLike | None | Omitted = OMITTED,
        valid_from: datetime | str | None | Omitted = OMITTED,
        valid_until: datetime | str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RuleView:
        """Replace a rule. The audit trail keeps the earlier version.

        A rule for one organization or agent can take two operators.
        """
        return await self._caller.ask(
            models.RuleView,
            "pricing_rules.change",
            f"PUT /pricing/rules/{segment(rule_id)}",
            key=idempotency_key,
            body={
                "name": name,
                "priority": priority,
                "terms": terms,
                "stacking": stacking,
                "agent_id": agent_id,
                "organization_id": organization_id,
                "floor": floor,
                "ceiling": ceiling,
                "valid_from": valid_from,
                "valid_until": valid_until,
            },
        )

    async def end(self, rule_id: str) -> models.RuleView:
        """End a rule permanently. Ending it again changes nothing."""
        return await self._caller.ask(models.RuleView, "pricing_rules.end", f"DELETE /pricing/rules/{segment(rule_id)}")


class AsyncReconciliation(AsyncResource):
    """Operations on reconciliation."""

    def list_runs(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        status: Sequence[params.RunStatus] | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ReconciliationRunView]:
        """List reconciliation runs, newest first. Times are when they started.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ReconciliationRunView,
            "reconciliation.list_runs",
            "/reconciliation/runs",
            {"from": from_, "to": to, "status": status, "provider": provider, "limit": limit, "cursor": cursor},
        )

    async def start_run(
        self, *, provider: str, from_: datetime | str, to: datetime | str, idempotency_key: str | None = None
    ) -> models.ReconciliationRunView:
        """Start a reconciliation run: compare a provider's statement with the books for a window of time."""
        return await self._caller.ask(
            models.ReconciliationRunView,
            "reconciliation.start_run",
            "POST /reconciliation/runs",
            key=idempotency_key,
            body={"provider": provider, "from": from_, "to": to},
        )

    async def get_run(self, run_id: str) -> models.ReconciliationRunView:
        """Show a reconciliation run: totals by currency and kind, and the clearing account."""
        return await self._caller.ask(
            models.ReconciliationRunView, "reconciliation.get_run", f"GET /reconciliation/runs/{segment(run_id)}"
        )

    def list_differences(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        status: Sequence[params.DiscrepancyStatus] | Omitted = OMITTED,
        provider: str | Omitted = OMITTED,
        kind: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.DiscrepancyView]:
        """List the discrepancies between providers and the books, newest first. Times are when they were found.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.DiscrepancyView,
            "reconciliation.list_differences",
            "/reconciliation/differences",
            {
                "from": from_,
                "to": to,
                "q": q,
                "status": status,
                "provider": provider,
                "kind": kind,
                "run_id": run_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get_difference(self, difference_id: str) -> models.DiscrepancyView:
        """Show a discrepancy with both sides."""
        return await self._caller.ask(
            models.DiscrepancyView,
            "reconciliation.get_difference",
            f"GET /reconciliation/differences/{segment(difference_id)}",
        )

    async def resolve_difference(
        self,
        difference_id: str,
        *,
        action: params.Action,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.DiscrepancyView:
        """Resolve a discrepancy: book the correction that makes the books agree, or accept it as it is."""
        return await self._caller.ask(
            models.DiscrepancyView,
            "reconciliation.resolve_difference",
            f"POST /reconciliation/differences/{segment(difference_id)}/resolution",
            key=idempotency_key,
            body={"action": action, "note": note},
        )

    async def explain_clearing(self, provider: str) -> Sequence[models.ClearingView]:
        """Explain the balances of a provider's clearing accounts, by currency; 404 when nothing has been booked."""
        response, _ = await self._caller.send(
            "reconciliation.explain_clearing", f"GET /reconciliation/clearing/{segment(provider)}"
        )
        return read_models(models.ClearingView, response)


class AsyncAccounting(AsyncResource):
    """Operations on accounting."""

    async def get_trial_balance(
        self,
        *,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
    ) -> models.TrialBalanceView:
        """Show every line of the books with its opening balance, debits, credits and closing balance.

        A period is 1 to 400 whole days in UTC, by effective time; the last 30 days when left out. `journal_url` of a line leads to its transfers.
        """
        return await self._caller.ask(
            models.TrialBalanceView,
            "accounting.get_trial_balance",
            "GET /accounting/trial-balance",
            query={"start_date": start_date, "end_date": end_date, "currency": currency},
        )

    async def get_profit_and_loss(
        self,
        *,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
    ) -> models.ProfitAndLossView:
        """Show revenue, expenses and the cost of model calls of a period. Currencies are never added up."""
        return await self._caller.ask(
            models.ProfitAndLossView,
            "accounting.get_profit_and_loss",
            "GET /accounting/profit-and-loss",
            query={"start_date": start_date, "end_date": end_date, "currency": currency},
        )

    async def get_balance_sheet(
        self, *, date: date | str | Omitted = OMITTED, currency: str | Omitted = OMITTED
    ) -> models.BalanceSheetView:
        """Show assets, liabilities and equity at the end of a day, for each currency."""
        return await self._caller.ask(
            models.BalanceSheetView,
            "accounting.get_balance_sheet",
            "GET /accounting/balance-sheet",
            query={"date": date, "currency": currency},
        )

    def list_journal(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        currency: str | Omitted = OMITTED,
        start_date: date | str | Omitted = OMITTED,
        end_date: date | str | Omitted = OMITTED,
        line: str | Omitted = OMITTED,
        format_: params.Format | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.JournalTransferView]:
        """List transfers with all of their entries, by day and within a day in the order of recording.

        A period is 1 to 400 days in UTC; the last 30 when left out. `from` and `to` narrow the list and `csv` to a range of effective times. The other files cover whole days.

        With `format` the response is a file of the whole period, as the books were at one moment. `csv`, also returned for `Accept: text/csv`, has one row for each entry. `beancount` has opening balances, transfers and closing balances. `quickbooks` and `xero` have one journal entry for each day in one currency, for import there.
        """
        return AsyncList(
            self._caller,
            models.JournalTransferView,
            "accounting.list_journal",
            "/accounting/journal",
            {
                "from": from_,
                "to": to,
                "currency": currency,
                "start_date": start_date,
                "end_date": end_date,
                "line": line,
                "format": format_,
                "limit": limit,
                "cursor": cursor,
            },
        )


class AsyncExports(AsyncResource):
    """Operations on exports."""

    async def create(
        self,
        *,
        dataset: params.Dataset,
        from_: datetime | str,
        to: datetime | str | None | Omitted = OMITTED,
        format_: params.ExportFormat | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ExportView:
        """Export rows of a period into files of at most 1,000,000 rows.

        The rows are those recorded in the period; an export waits for transactions that were open when it was ordered, so no row is missed. `GET /exports/{export_id}` shows its progress. The files are deleted seven days after the last one was written. Operators export the rows of all organizations.
        """
        return await self._caller.ask(
            models.ExportView,
            "exports.create",
            "POST /exports",
            key=idempotency_key,
            body={"dataset": dataset, "from": from_, "to": to, "format": format_},
        )

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        status: Sequence[params.ExportStatus] | Omitted = OMITTED,
        dataset: params.Dataset | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.ExportView]:
        """List exports, newest first, without their files.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.ExportView,
            "exports.list",
            "/exports",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "status": status,
                "dataset": dataset,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, export_id: str) -> models.ExportView:
        """Show an export with its finished files: rows, sums by currency and SHA-256 of each."""
        return await self._caller.ask(models.ExportView, "exports.get", f"GET /exports/{segment(export_id)}")

    async def get_file(self, export_id: str, number: str) -> bytes:
        """Download a finished file of an export, with the permission for the dataset's list."""
        response, _ = await self._caller.send(
            "exports.get_file", f"GET /exports/{segment(export_id)}/files/{segment(number)}"
        )
        return response.content


class AsyncReputation(AsyncResource):
    """Operations on reputation."""

    async def get_score(self, agent_id: str) -> models.AgentScoreView:
        """Read the reputation of an agent that the caller can see."""
        return await self._caller.ask(
            models.AgentScoreView, "reputation.get_score", f"GET /reputation/score/{segment(agent_id)}"
        )

    async def explain_score(
        self,
        agent_id: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        kind: params.FactKind | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> models.ScoreExplanationView:
        """Explain an agent's score: the rules, and each event in a sentence, including voided and excluded events.

        For operators and auditors of the platform.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return await self._caller.ask(
            models.ScoreExplanationView,
            "reputation.explain_score",
            f"GET /reputation/score/{segment(agent_id)}/explanation",
            query={"from": from_, "to": to, "q": q, "kind": kind, "subject": subject, "limit": limit, "cursor": cursor},
        )

    def get_history(
        self,
        agent_id: str,
        *,
        from_: date | str | Omitted = OMITTED,
        to: date | str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.HistoryView]:
        """List an agent's overall score after each nightly count that changed it, newest first, for at most a year.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.HistoryView,
            "reputation.get_history",
            f"/reputation/history/{segment(agent_id)}",
            {"from": from_, "to": to, "limit": limit, "cursor": cursor},
        )

    async def get_leaderboard(
        self,
        *,
        dimension: params.Dimension | Omitted = OMITTED,
        category: str | Omitted = OMITTED,
        period: params.Period | Omitted = OMITTED,
        minimum_evidence: params.MinimumEvidence | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> models.LeaderboardView:
        """List the agents that rank highest, among public agents and the caller's own."""
        return await self._caller.ask(
            models.LeaderboardView,
            "reputation.get_leaderboard",
            "GET /reputation/leaderboard",
            query={
                "dimension": dimension,
                "category": category,
                "period": period,
                "minimum_evidence": minimum_evidence,
                "limit": limit,
            },
        )

    async def get_distribution(
        self, *, dimension: params.Dimension | Omitted = OMITTED, category: str | Omitted = OMITTED
    ) -> models.DistributionView:
        """Count agents with evidence by their rank score. For operators and auditors of the platform."""
        return await self._caller.ask(
            models.DistributionView,
            "reputation.get_distribution",
            "GET /reputation/distribution",
            query={"dimension": dimension, "category": category},
        )

    async def get_peers(self, agent_id: str) -> models.PeersView:
        """Read an agent's place among all agents with evidence, and among the agents of its category."""
        return await self._caller.ask(
            models.PeersView, "reputation.get_peers", f"GET /reputation/peers/{segment(agent_id)}"
        )

    async def give_feedback(
        self,
        *,
        contract_id: str,
        ratings: Mapping[str, int],
        comment: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.FeedbackView:
        """Rate the agent of a settled contract, as its client. This is possible once, within the feedback window."""
        return await self._caller.ask(
            models.FeedbackView,
            "reputation.give_feedback",
            "POST /reputation/feedback",
            key=idempotency_key,
            body={"contract_id": contract_id, "ratings": ratings, "comment": comment},
        )

    def list_feedback(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        contract_id: str | Omitted = OMITTED,
        q: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.FeedbackView]:
        """List feedback on an agent, or on all agents of the organization, newest first.

        Callers that see the agent see the feedback that counts, without the client and the contract. The two parties of the contract and the platform see all.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.FeedbackView,
            "reputation.list_feedback",
            "/reputation/feedback",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "contract_id": contract_id,
                "q": q,
                "agent_id": agent_id,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def change_feedback(
        self,
        feedback_id: str,
        *,
        ratings: Mapping[str, int],
        comment: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.FeedbackView:
        """Change feedback, once and within the window. The earlier version no longer counts, and is kept."""
        return await self._caller.ask(
            models.FeedbackView,
            "reputation.change_feedback",
            f"PUT /reputation/feedback/{segment(feedback_id)}",
            key=idempotency_key,
            body={"ratings": ratings, "comment": comment},
        )

    async def report_event(
        self,
        *,
        agent_id: str,
        event_type: params.EventType,
        score_delta: AmountLike | Omitted = OMITTED,
        metadata: params.EventMetadata | Omitted = OMITTED,
        note: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.ReputationEventView:
        """Report an event outside of contracts: at most one unit of evidence, and a response time.

        Response times make up the average and the percentile. With `response_target_ms` a response time is also evidence: all good up to the target, half good at twice the target, and so on.
        """
        return await self._caller.ask(
            models.ReputationEventView,
            "reputation.report_event",
            "POST /reputation/events",
            key=idempotency_key,
            body={
                "agent_id": agent_id,
                "event_type": event_type,
                "score_delta": score_delta,
                "metadata": metadata,
                "note": note,
            },
        )

    async def get_event(self, event_id: str) -> models.ReputationEventView:
        """Read one event of an agent, void or not. For operators and auditors of the platform."""
        return await self._caller.ask(
            models.ReputationEventView, "reputation.get_event", f"GET /reputation/events/{segment(event_id)}"
        )

    async def void_event(
        self, event_id: str, *, reason: str, idempotency_key: str | None = None
    ) -> models.ReputationEventView:
        """Void an event: scores are computed as if it had never happened. Voiding it again changes nothing."""
        return await self._caller.ask(
            models.ReputationEventView,
            "reputation.void_event",
            f"POST /reputation/events/{segment(event_id)}/void",
            key=idempotency_key,
            body={"reason": reason},
        )

    async def get_levels(self) -> models.LadderView:
        """Read the levels of reputation, and the terms that each level gives."""
        return await self._caller.ask(models.LadderView, "reputation.get_levels", "GET /reputation/levels")

    async def set_levels(
        self, *, levels: Sequence[params.LevelBody], idempotency_key: str | None = None
    ) -> models.LadderView:
        """Set the levels, as a new version. Existing contracts and quotes keep their terms. For operators."""
        return await self._caller.ask(
            models.LadderView,
            "reputation.set_levels",
            "PUT /reputation/levels",
            key=idempotency_key,
            body={"levels": levels},
        )

    async def explain_level(self, agent_id: str) -> models.AgentLevelView:
        """Explain the level of an agent, and its terms. For its organization and the platform."""
        return await self._caller.ask(
            models.AgentLevelView, "reputation.explain_level", f"GET /reputation/levels/{segment(agent_id)}"
        )

    async def get_client(self, organization_id: str) -> models.ClientView:
        """Read how far an organization is trusted as a client, and why.

        The organization itself and the platform see the events. An organization whose agents are paid under its contracts sees the trust and the amount of evidence, and so does an agent's key without `read_billing`.
        """
        return await self._caller.ask(
            models.ClientView, "reputation.get_client", f"GET /reputation/clients/{segment(organization_id)}"
        )


class AsyncRiskRules(AsyncResource):
    """Operations on risk rules."""

    async def list(self) -> models.RiskRulesView:
        """List the current version of every rule, with the defaults."""
        return await self._caller.ask(models.RiskRulesView, "risk_rules.list", "GET /risk/rules")

    async def create(
        self,
        *,
        points: Sequence[params.Point],
        expression: str,
        action: params.Outcome,
        sentence: str,
        name: str,
        priority: int | Omitted = OMITTED,
        mode: Literal["off", "shadow"] | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RiskRuleView:
        """Add a rule that is off or in shadow. Activate it to switch it on."""
        return await self._caller.ask(
            models.RiskRuleView,
            "risk_rules.create",
            "POST /risk/rules",
            key=idempotency_key,
            body={
                "points": points,
                "expression": expression,
                "action": action,
                "priority": priority,
                "mode": mode,
                "sentence": sentence,
                "name": name,
            },
        )

    async def get(self, name: str) -> models.RiskRuleHistoryView:
        """Read a rule with its versions. The `ETag` is its current version."""
        return await self._caller.ask(models.RiskRuleHistoryView, "risk_rules.get", f"GET /risk/rules/{segment(name)}")

    async def change(
        self,
        name: str,
        *,
        if_match: str,
        points: Sequence[params.Point],
        expression: str,
        action: params.Outcome,
        sentence: str,
        priority: int | Omitted = OMITTED,
        mode: Literal["off", "shadow"] | str | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RiskRuleView:
        """Write a new version of a rule, off or in shadow.

        It replaces the earlier version at once. Activate it to switch it on. `If-Match` names the version to replace, `"0"` for a default; the response has the new one as its `ETag`.
        """
        return await self._caller.ask(
            models.RiskRuleView,
            "risk_rules.change",
            f"PUT /risk/rules/{segment(name)}",
            key=idempotency_key,
            headers={"if-match": if_match},
            body={
                "points": points,
                "expression": expression,
                "action": action,
                "priority": priority,
                "mode": mode,
                "sentence": sentence,
            },
        )

    async def activate(
        self, name: str, *, mode: Literal["off", "shadow", "on"] | str, version: int, idempotency_key: str | None = None
    ) -> models.RiskRuleView:
        """Change a rule's mode; this is a new version.

        Switching a rule on takes two operators if a backtest over the last 30 days changes more than one percent of the decisions of its points, or those of more than ten organizations.
        """
        return await self._caller.ask(
            models.RiskRuleView,
            "risk_rules.activate",
            f"POST /risk/rules/{segment(name)}/activate",
            key=idempotency_key,
            body={"mode": mode, "version": version},
        )

    async def backtest(
        self,
        name: str,
        *,
        from_: datetime | str,
        to: datetime | str,
        version: int | None | Omitted = OMITTED,
        expression: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RiskBacktestView:
        """Test a rule over stored decisions, with the facts that they saw. Nothing changes.

        At most 200,000 decisions are read, the newest first; `is_cut` says whether there were more.
        """
        return await self._caller.ask(
            models.RiskBacktestView,
            "risk_rules.backtest",
            f"POST /risk/rules/{segment(name)}/backtest",
            key=idempotency_key,
            body={"version": version, "expression": expression, "from": from_, "to": to},
        )


class AsyncRiskListItems(AsyncResource):
    """Operations on risk list items."""

    def list(
        self,
        name: str,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        kind: params.EntityKind | Omitted = OMITTED,
        active: bool | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RiskListItemView]:
        """List the entities on the allow list or the block list, newest first.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RiskListItemView,
            "risk_list_items.list",
            f"/risk/lists/{segment(name)}/items",
            {"from": from_, "to": to, "kind": kind, "active": active, "limit": limit, "cursor": cursor},
        )

    async def add(
        self,
        name: str,
        *,
        entity: params.RiskEntity,
        reason: str,
        ends_at: datetime | str,
        idempotency_key: str | None = None,
    ) -> models.RiskListItemView:
        """Put an entity on the allow list or the block list until `ends_at`.

        The allow list precedes the block list, and both precede all rules. What identifies a person or device is stored as an HMAC.
        """
        return await self._caller.ask(
            models.RiskListItemView,
            "risk_list_items.add",
            f"POST /risk/lists/{segment(name)}/items",
            key=idempotency_key,
            body={"entity": entity, "reason": reason, "ends_at": ends_at},
        )

    async def remove(self, name: str, item_id: str) -> models.RiskListItemView:
        """Remove an entity from a list. Removing it again changes nothing."""
        return await self._caller.ask(
            models.RiskListItemView,
            "risk_list_items.remove",
            f"DELETE /risk/lists/{segment(name)}/items/{segment(item_id)}",
        )


class AsyncRiskDecisions(AsyncResource):
    """Operations on risk decisions."""

    def list(
        self,
        *,
        from_: datetime | str | Omitted = OMITTED,
        to: datetime | str | Omitted = OMITTED,
        organization_id: str | Omitted = OMITTED,
        point: params.Point | Omitted = OMITTED,
        outcome: params.Outcome | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        rule: str | Omitted = OMITTED,
        label: params.Label | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
    ) -> AsyncList[models.RiskDecisionView]:
        """List decisions on acts, newest first: all for operators, and its own, reduced, for an organization.

        Operators' acts are not decided. An agent's key sees decisions on its own acts, unless it has `read_billing`.

        With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
        """
        return AsyncList(
            self._caller,
            models.RiskDecisionView,
            "risk_decisions.list",
            "/risk/decisions",
            {
                "from": from_,
                "to": to,
                "organization_id": organization_id,
                "point": point,
                "outcome": outcome,
                "subject": subject,
                "rule": rule,
                "label": label,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def get(self, decision_id: str) -> models.RiskDecisionDetailsView:
        """Read a decision: for operators with what it saw, for its organization reduced."""
        return await self._caller.ask(
            models.RiskDecisionDetailsView, "risk_decisions.get", f"GET /risk/decisions/{segment(decision_id)}"
        )

    async def label(
        self, *, decision_id: str, label: params.Label, idempotency_key: str | None = None
    ) -> models.RiskDecisionView:
        """Label a decision as fraud or legitimate, for the training of models. A label is final."""
        return await self._caller.ask(
            models.RiskDecisionView,
            "risk_decisions.label",
            "POST /risk/labels",
            key=idempotency_key,
            body={"decision_id": decision_id, "label": label},
        )

    async def evaluate(
        self,
        *,
        event: Literal["signup", "login", "login_failed"] | str,
        subject: str,
        organization_id: str | None | Omitted = OMITTED,
        device: str | None | Omitted = OMITTED,
        address: str | None | Omitted = OMITTED,
        instrument: str | None | Omitted = OMITTED,
        mail: str | None | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> models.RiskEvaluationView:
        """Decide an event of the platform, such as a sign-up, for the platform's backend, which acts on the outcome.

        The given entities are counted, never the caller's. A repeated request gets the first decision, or the result of its case. Without `BURSAR_RISK_ENFORCED` the outcome is `allow`, and the decision stores what it would have been.
        """
        return await self._caller.ask(
            models.RiskEvaluationView,
            "risk_decisions.evaluate",
            "POST /risk/evaluate",
            key=idempotency_key,
            body={
                "event": event,
                "subject": subject,
                "organization_id": organization_id,
                "device": device,
                "address": address,
                "instrument": instrument,
                "mail": mail,
            },
        )


class AsyncHealth(AsyncResource):
    """Operations on health."""

    async def live(self) -> models.Liveness:
        """Report that the process answers, without checking its dependencies."""
        return await self._caller.ask(models.Liveness, "health.live", "GET /healthz")

    async def ready(self) -> models.Readiness:
        """Report whether PostgreSQL and Temporal answer. The status is 503 if PostgreSQL does not."""
        return await self._caller.ask(models.Readiness, "health.ready", "GET /readyz")


class AsyncResources(AsyncCaller):
    """Everything that the API can do, by resource."""

    def _connect(self) -> None:
        self.billing = AsyncBilling(self)
        self.credits = AsyncCredits(self)
        self.escrows = AsyncEscrows(self)
        self.tasks = AsyncTasks(self)
        self.topups = AsyncTopups(self)
        self.credit_packages = AsyncCreditPackages(self)
        self.pricing = AsyncPricing(self)
        self.payments = AsyncPayments(self)
        self.chargebacks = AsyncChargebacks(self)
        self.risk = AsyncRisk(self)
        self.invoices = AsyncInvoices(self)
        self.billing_runs = AsyncBillingRuns(self)
        self.invoice_items = AsyncInvoiceItems(self)
        self.plans = AsyncPlans(self)
        self.entitlements = AsyncEntitlements(self)
        self.statements = AsyncStatements(self)
        self.creators = AsyncCreators(self)
        self.subscriptions = AsyncSubscriptions(self)
        self.grants = AsyncGrants(self)
        self.costs = AsyncCosts(self)
        self.auto_topups = AsyncAutoTopups(self)
        self.earnings = AsyncEarnings(self)
        self.organizations = AsyncOrganizations(self)
        self.series = AsyncSeries(self)
        self.analytics = AsyncAnalytics(self)
        self.reports = AsyncReports(self)
        self.search = AsyncSearch(self)
        self.secret_grants = AsyncSecretGrants(self)
        self.secrets = AsyncSecrets(self)
        self.names = AsyncNames(self)
        self.contracts = AsyncContracts(self)
        self.agents = AsyncAgents(self)
        self.marketplace = AsyncMarketplace(self)
        self.referrals = AsyncReferrals(self)
        self.departments = AsyncDepartments(self)
        self.api_keys = AsyncApiKeys(self)
        self.spend_controls = AsyncSpendControls(self)
        self.economics = AsyncEconomics(self)
        self.results = AsyncResults(self)
        self.revenue = AsyncRevenue(self)
        self.payment_policies = AsyncPaymentPolicies(self)
        self.free_options = AsyncFreeOptions(self)
        self.purchase_methods = AsyncPurchaseMethods(self)
        self.budgets = AsyncBudgets(self)
        self.allocations = AsyncAllocations(self)
        self.trials = AsyncTrials(self)
        self.routing = AsyncRouting(self)
        self.exchange_rates = AsyncExchangeRates(self)
        self.purchase_orders = AsyncPurchaseOrders(self)
        self.cards = AsyncCards(self)
        self.customers = AsyncCustomers(self)
        self.payment_methods = AsyncPaymentMethods(self)
        self.connected_accounts = AsyncConnectedAccounts(self)
        self.payouts = AsyncPayouts(self)
        self.projects = AsyncProjects(self)
        self.usage = AsyncUsage(self)
        self.webhook_endpoints = AsyncWebhookEndpoints(self)
        self.meters = AsyncMeters(self)
        self.billing_terms = AsyncBillingTerms(self)
        self.billing_profile = AsyncBillingProfile(self)
        self.tax_rates = AsyncTaxRates(self)
        self.principals = AsyncPrincipals(self)
        self.sessions = AsyncSessions(self)
        self.session_links = AsyncSessionLinks(self)
        self.audit = AsyncAudit(self)
        self.alerts = AsyncAlerts(self)
        self.alert_rules = AsyncAlertRules(self)
        self.notification_defaults = AsyncNotificationDefaults(self)
        self.notifications = AsyncNotifications(self)
        self.mail_suppressions = AsyncMailSuppressions(self)
        self.events = AsyncEvents(self)
        self.changes = AsyncChanges(self)
        self.webhooks = AsyncWebhooks(self)
        self.approvals = AsyncApprovals(self)
        self.pricing_rules = AsyncPricingRules(self)
        self.reconciliation = AsyncReconciliation(self)
        self.accounting = AsyncAccounting(self)
        self.exports = AsyncExports(self)
        self.reputation = AsyncReputation(self)
        self.risk_rules = AsyncRiskRules(self)
        self.risk_list_items = AsyncRiskListItems(self)
        self.risk_decisions = AsyncRiskDecisions(self)
        self.health = AsyncHealth(self)
