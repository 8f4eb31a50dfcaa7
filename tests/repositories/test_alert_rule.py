"""Recipients of alerts raised by rules."""

import pytest
from sqlalchemy import select

from domain.common.access import Role
from domain.messages.alert.kinds import ladder_of
from models.messages.alert import Alert
from models.messages.alert_rule import AlertRule
from repositories.messages import alert, alert_rule
from runtime.database import Database
from runtime.identity import new_id
from tests.support.notifications import an_organization

pytestmark = pytest.mark.db

BUILT_IN = "failed_payment"


async def test_own_setting_of_a_built_in_rule_overrides_operators(db: Database) -> None:
    own, other = await an_organization(db), await an_organization(db)
    async with db.platform() as session:
        for org_id, step in ((own, "owner:60"), (None, "admin:60")):
            made = new_id("rul")
            session.add(
                AlertRule(
                    **{"id": made, "org_id": org_id, "name": BUILT_IN, "created_by": "x", "command_id": made},
                    **{
                        "severity": "warning",
                        "window_seconds": 60,
                        "cool_down_seconds": 60,
                        "filters": {},
                        "ladder": [step],
                    },
                )
            )
        raised = ((own, BUILT_IN), (other, BUILT_IN), (own, None))
        for number, (org_id, rule_id) in enumerate(raised):
            values = {"org_id": org_id, "rule_id": rule_id, "subject": f"{own}:{number}"}
            await alert.raise_alert(session, kind="payment.debt", detail="Look.", **values)
        found = await session.scalars(select(Alert).where(Alert.subject.startswith(own)).order_by(Alert.subject))
        rows = found.all()
        ladders = await alert_rule.ladders(session, rows)
        called = [[step.role for step in ladders[row.id]] for row in rows]
        assert called == [[Role.OWNER], [Role.ADMIN], [step.role for step in ladder_of("payment.debt")]]
        await session.rollback()
