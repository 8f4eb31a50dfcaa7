"""Detectors of fraud: of a night, and of the last minutes."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity

from contracts.common.batch import BatchStep
from contracts.risk.night import DetectFraud, DetectFraudResult
from domain.common.access import Role
from domain.common.credits import CreditPrice
from domain.common.mail import MailKind
from domain.common.money import CREDIT, scale_of
from domain.risk import detectors
from domain.risk.act import EntityKind, Point
from domain.risk.case import UNDECIDED, CaseKind, HoldKind, NewHold
from domain.risk.clusters import MOST_SHARING, Clusters
from domain.risk.detectors import Attempts, Conduct, Finding, Paid
from repositories.billing import billing_terms
from repositories.common.listing import first_id
from repositories.messages import notification
from repositories.risk import case as case_rows, night
from repositories.risk.night import Read
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.messages import mail
from services.risk import case as cases, rings

WINDOW = timedelta(days=90)
PAGE = 5_000
#: Attempts are counted over an hour. Payouts are looked at again, in case that a run is missed.
ATTEMPTS_WITHIN, PAYOUTS_WITHIN = timedelta(hours=1), timedelta(minutes=15)
#: A case of a kind and group is not opened again within this time: the evidence would be the same.
QUIET = timedelta(days=30)
_QUIET = {CaseKind.CARD_TESTING: ATTEMPTS_WITHIN, CaseKind.TAKEOVER: detectors.TAKEOVER_WITHIN}
PRAISED_WITHIN = timedelta(days=3)
#: An address relates nobody's evidence: an office and a proxy have one, too.
_OWNED = ("device", "instrument", "payout_account")
_BLOCKED = tuple(f"{kind.value}:" for kind in (EntityKind.ADDRESS, EntityKind.DEVICE))
_TRIED = (*_BLOCKED, f"{EntityKind.ORGANIZATION.value}:")
_EMPTY = f"{EntityKind.ARTIFACT.value}:{hashlib.sha256(b'').hexdigest()}"


class _Reader:
    """Reads pages, each in a transaction, with a heartbeat after it. `rows_read` counts what they returned."""

    def __init__(self, database: Database, since: datetime) -> None:
        self._database, self.since, self.rows_read = database, since, 0

    async def rows(self, read: Read, *arguments: object) -> AsyncIterator[Any]:
        after: Sequence[str] | None = read.begin(self.since)
        while after is not None:
            async with self._database.platform() as session:
                found = await night.page(await driver_connection(session), read, after, PAGE, *arguments)
            activity.heartbeat()
            self.rows_read += len(found)
            for row in found:
                yield row
            after = [found[-1][name] for name in read.order] if len(found) == PAGE else None

    async def sharing(self, read: Read, *key: str) -> AsyncIterator[tuple[str, list[Any]]]:
        """Return the rows of each entity, up to one more than can be united."""
        entity, rows = "", list[Any]()
        async for row in self.rows(read):
            if (this := ":".join(row[name] for name in key)) != entity:
                if rows:
                    yield entity, rows
                entity, rows = this, []
            if len(rows) <= MOST_SHARING:
                rows.append(row)
        if rows:
            yield entity, rows


class RiskNightActivities:
    """Activities of `RiskNightWorkflow` and `RiskSweepWorkflow`."""

    def __init__(self, database: Database, price: CreditPrice) -> None:
        """Take the database with the platform's role, and the price of a credit."""
        self._database, self._price = database, price

    @activity.defn(name="detect_fraud")
    async def detect(self, message: DetectFraud) -> DetectFraudResult:
        """Run a detector over the window.

        Effect: cases with their holds; by `clusters` also the clusters and their traits, in one transaction.
        Idempotent by: the kind and group of a case, which is not opened again within 30 days.
        """
        reader = _Reader(self._database, message.now - WINDOW)
        detector = {
            "clusters": self._clusters,
            "rings": self._rings,
            "deliveries": self._deliveries,
            "refunds": self._refunds,
            "scores": self._scores,
        }[message.kind]
        return await self._open_all(reader, await detector(reader, message.now), message.now)

    @activity.defn(name="sweep_fraud")
    async def sweep(self, message: BatchStep) -> DetectFraudResult:
        """Look for card testing of the last hour and takeovers of the last minutes.

        Effect: cases with their holds, entries of the block list, mails to owners.
        Idempotent by: the kind and group of a case; the entity and the number of its earlier blocks.
        """
        reader = _Reader(self._database, message.now - ATTEMPTS_WITHIN)
        found = await self._card_testing(reader, message.now)
        return await self._open_all(reader, [*found, *await self._takeovers(reader, message.now)], message.now)

    async def _clusters(self, reader: _Reader, now: datetime) -> list[Finding]:
        every, owned = Clusters(), Clusters()
        async for entity, rows in reader.sharing(night.LINKS, "entity"):
            kind = entity.partition(":")[0]
            recent = [row["org_id"] for row in rows if row["last_seen"] >= reader.since]
            if len(rows) <= MOST_SHARING and kind in (*_OWNED, EntityKind.ADDRESS):
                every.unite(recent)
                owned.unite(recent if kind in _OWNED else ())
        async for _, rows in reader.sharing(night.TRAITS, "kind", "digest"):
            for clusters in (every, owned):
                clusters.unite([row["org_id"] for row in rows])
        groups = [group for group in owned.found() if len(group) <= MOST_SHARING]
        cluster_of = {org_id: group[0] for group in groups for org_id in group}
        inside = Counter[str]()
        async for row in reader.rows(night.RATINGS):
            cluster = cluster_of.get(row["org_id"])
            if cluster is not None and cluster == cluster_of.get(row["agent_org_id"]):
                inside[cluster] += 1
        found = []
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            await night.write_clusters(connection, every.found(), now)
            for group in groups:
                activity.heartbeat()
                await night.relate(connection, group)
                found.append(detectors.sybil(group, inside[group[0]], await night.bonuses(connection, group)))
        return [each for each in found if each is not None]

    async def _rings(self, reader: _Reader, now: datetime) -> list[Finding]:  # noqa: ARG002
        money, ratings = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for read in (night.ESCROWS, night.SALES):
            async for row in reader.rows(read):
                money[row["payer"], row["payee"]] += self._cents(row["paid_minor"], row["currency"])
        async for row in reader.rows(night.RATINGS):
            ratings[row["org_id"], row["agent_org_id"]] += 1
        found: dict[str, Finding] = {}
        for flows, is_money in ((+money, True), (ratings, False)):
            looking = asyncio.create_task(asyncio.to_thread(rings.find, flows, by_amount=is_money))
            while not (await asyncio.wait({looking}, timeout=10))[0]:
                activity.heartbeat()
            for ring in looking.result():
                case = detectors.ring_case(ring, money=is_money)
                if case is not None:
                    found.setdefault(case.group, case)
        return list(found.values())

    async def _deliveries(self, reader: _Reader, now: datetime) -> list[Finding]:  # noqa: ARG002
        seen: dict[str, Conduct] = defaultdict(Conduct)
        categories: dict[str, list[tuple[int, str]]] = defaultdict(list)
        async for row in reader.rows(night.DELIVERED):
            categories[row["category"]].append((row["delivery_seconds"], row["org_id"]))
            seen[row["org_id"]].delivered += 1
        for timed in categories.values():
            limit = detectors.fast_limit([seconds for seconds, _ in timed])
            for seconds, org_id in timed:
                seen[org_id].fast += limit is not None and seconds < limit
        async for entity, rows in reader.sharing(night.LINKS, "entity"):
            if entity.startswith(f"{EntityKind.ARTIFACT.value}:") and len(rows) <= MOST_SHARING:
                for place, row in enumerate(sorted(rows, key=lambda each: (each["first_seen"], each["org_id"]))):
                    if row["last_seen"] >= reader.since:
                        seen[row["org_id"]].copied += place > 0
                        seen[row["org_id"]].empty |= entity == _EMPTY
        names = sorted(seen)
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            for first in range(0, len(names), PAGE):
                for row in await night.releases(connection, names[first : first + PAGE], reader.since):
                    seen[row["org_id"]].silent, seen[row["org_id"]].deliveries = row["silent"], row["deliveries"]
            silent = sum(each.silent for each in seen.values())
            deliveries = sum(each.deliveries for each in seen.values())
            found = []
            for org_id, conduct in seen.items():
                case = detectors.junk(org_id, conduct, silent, deliveries)
                if case is not None:
                    rows = await night.open_escrows(connection, org_id)
                    value = sum(self._cents(row["held_minor"], row["currency"]) for row in rows)
                    holds = (NewHold(kind=HoldKind.RELEASE, subject=row["id"], org_id=org_id) for row in rows)
                    found.append(replace(case, holds=tuple(holds), value_minor=value))
        return found

    async def _refunds(self, reader: _Reader, now: datetime) -> list[Finding]:  # noqa: ARG002
        paid: dict[str, Paid] = defaultdict(Paid)
        everybody, clusters = Paid(), defaultdict[str, set[str]](set)
        async for row in reader.rows(night.PAYMENTS):
            back = self._cents(row["refunded_minor"] + row["disputed_minor"], row["currency"])
            one = Paid(1, row["refunded_minor"] > 0, row["disputed_minor"] > 0, back)
            paid[row["org_id"]].add(one)
            everybody.add(one)
            if back and row["cluster"] is not None:
                clusters[row["cluster"]].add(row["org_id"])
        found = {org_id: detectors.refund_abuse(org_id, (org_id,), each, everybody) for org_id, each in paid.items()}
        for cluster, org_ids in clusters.items():
            together = Paid()
            for org_id in org_ids:
                together.add(paid[org_id])
            if len(org_ids) > 1 and not any(found[org_id] for org_id in org_ids):
                found[cluster] = detectors.refund_abuse(cluster, tuple(sorted(org_ids)), together, everybody)
        return [each for each in found.values() if each is not None]

    async def _scores(self, reader: _Reader, now: datetime) -> list[Finding]:
        arguments = (now.date(), detectors.MIN_CHANGE_E6, first_id("fbk", now - PRAISED_WITHIN))
        found = [detectors.anomaly(**dict(row)) async for row in reader.rows(night.CHANGES, *arguments)]
        return [each for each in found if each is not None]

    async def _card_testing(self, reader: _Reader, now: datetime) -> list[Finding]:
        tried: dict[str, Attempts] = defaultdict(Attempts)
        async for row in reader.rows(night.DECISIONS, [Point.PAYMENT, Point.TOPUP]):
            for entity in row["entities"]:
                if entity.startswith(_TRIED):
                    tried[entity].add(row["org_id"], row["entities"], row["value_minor"])
        many = [entity for entity, each in tried.items() if len(each.amounts) >= detectors.MIN_ATTEMPTS]
        found = []
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            for entity, declined in (await night.declined(connection, many, reader.since)).items():
                tried[entity].declined = declined
            for entity in many:
                case = detectors.card_testing(entity, tried[entity])
                if case is None:
                    continue
                found.append(case)
                earlier, is_listed = await night.blocks(connection, entity, now)
                if entity.startswith(_BLOCKED) and not is_listed:
                    lasts = detectors.block_for(earlier)
                    await night.block(connection, new_id("rli"), entity, earlier, now, lasts)
        return found

    async def _takeovers(self, reader: _Reader, now: datetime) -> list[Finding]:
        recent = _Reader(self._database, now - PAYOUTS_WITHIN)
        points = [Point.PAYOUT, Point.PAYOUT_ACCOUNT]
        org_ids = {row["org_id"] async for row in recent.rows(night.DECISIONS, points)} - {None}
        reader.rows_read += recent.rows_read
        found = []
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            for org_id in sorted(org_ids):
                seen = await night.taken_over(connection, org_id, now, detectors.TAKEOVER_WITHIN)
                if seen is not None and seen["asked_minor"]:
                    found.append(detectors.takeover(org_id, seen["new_key"], seen["new_address"], seen["asked_minor"]))
        return found

    async def _open_all(self, reader: _Reader, found: Sequence[Finding], now: datetime) -> DetectFraudResult:
        opened = 0
        for each in found:
            async with self._database.platform() as session:
                connection = await driver_connection(session)
                latest = await night.latest_case(connection, each.kind, each.group, each.org_ids)
                if latest is not None and latest["status"] in UNDECIDED:
                    await case_rows.hold(session, latest["id"], each.holds, now)
                elif latest is None or latest["created_at"] <= now - _QUIET.get(each.kind, QUIET):
                    given = (each.kind, each.group, each.org_ids, each.value_minor, now, each.holds, each.why)
                    case_id = await cases.open_case(session, *given, each.evidence)
                    if each.kind is CaseKind.TAKEOVER:
                        await self._warn(session, each.group, case_id, now)
                    opened += 1
            activity.heartbeat()
        return DetectFraudResult(read=reader.rows_read, found=len(found), opened=opened)

    async def _warn(self, session: Any, org_id: str, case_id: str, now: datetime) -> None:
        """Mail the contacts and all owners of before: whoever took the account may have changed either."""
        until = now + detectors.TAKEOVER_WITHIN
        zone = await billing_terms.time_zone_at(session, org_id, until)
        await mail.queue(
            session,
            key=f"risk:{case_id}:takeover",
            org_id=org_id,
            kind=MailKind.PAYOUT_DESTINATION_CHANGED,
            data={"held_until_on": until.astimezone(zone).date().isoformat()},
            also=await notification.mail_addresses(session, org_id, Role.OWNER),
        )

    def _cents(self, amount_minor: int, currency: str) -> int:
        """Return an amount in cents; credits count at their price, and currencies are not converted."""
        if currency == CREDIT:
            credits_minor, money_minor = self._price.rate()
            return amount_minor * money_minor // credits_minor
        cents: int = amount_minor * 100 // 10 ** scale_of(currency)
        return cents
