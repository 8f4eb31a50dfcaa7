"""Events of the issuer at a platform that has never made a card."""

import pytest
from sqlalchemy.dialects.postgresql import insert

from activities.cards.card import CardActivities
from contracts.payments.payment import ProviderEventInput
from models.payments.provider_event import ProviderEventRow
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.cards import NOW, PRICES, fresh

pytestmark = pytest.mark.db


async def test_an_event_without_an_issuer_or_any_card_is_unmatched(module_database_urls: DatabaseUrls) -> None:
    database, event_id = Database(module_database_urls.tenant, module_database_urls.platform, pool_size=1), fresh("evt")
    async with database.platform() as session:
        await session.execute(
            insert(ProviderEventRow).values(
                **{"provider": "stripe", "event_id": event_id, "type": "issuing_card.created", "status": "received"},
                **{"refs": ["ic_other"], "livemode": False, "payload": {}, "occurred_at": NOW},
            )
        )
    result = await CardActivities(database, None, PRICES).book_card_event(
        ProviderEventInput(provider="stripe", event_id=event_id)
    )
    await database.close()
    assert result.outcome == "unmatched"
