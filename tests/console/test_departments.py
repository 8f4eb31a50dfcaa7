"""Departments are made, limited and chosen by name."""

import re

import pytest

from console.forms import COMMAND, new_key as command_key
from tests.api.conftest import Tenant, good, new_key
from tests.console.conftest import Visitor

pytestmark = pytest.mark.db


async def test_department_is_made_limited_and_given_to_a_key_by_its_name(
    visitors: dict[str, Visitor], tenant: Tenant
) -> None:
    owner, base = visitors["owner"], f"/console/{tenant.org_id}"
    name, part = f"Research {new_key()}", f"Lab {new_key()}"
    made = await owner.post(f"{base}/departments/new", {"name": name, COMMAND: command_key()})
    assert (made.status_code, made.headers["location"]) == (303, f"{base}/departments?notice=department.created")
    [above] = good(await tenant.owner.get("/departments", params={"q": name}))["data"]
    form = (await owner.get(f"{base}/departments/new")).text
    assert f'<option value="{above["id"]}">{name}</option>' in form
    await owner.post(f"{base}/departments/new", {"name": part, "parent_id": above["id"], COMMAND: command_key()})
    listed = (await owner.get(f"{base}/departments?q={part}")).text
    assert name in listed
    limit = re.search(rf'href="({base}/limits/new[^"]+)"', listed)
    assert limit is not None
    chosen = (await owner.get(limit[1].replace("&amp;", "&"))).text
    assert re.search(rf"<option value=\"dep_\w+\" selected>{part}</option>", chosen)

    key = good(await tenant.owner.post("/api-keys", {"principal": new_key(), "role": "member"}), 201)
    assert f">{key['principal']}</option>" in (await owner.get(f"{base}/limits/new?subject=key")).text
    page = f"{base}/settings/keys/{key['id']}/spends-for?q={key['principal']}"
    saved = await owner.post(page, {"department_id": above["id"], "project_id": "", COMMAND: command_key()})
    assert saved.status_code == 303, saved.text
    [shown] = good(await tenant.owner.get("/api-keys", params={"q": key["principal"]}))["data"]
    assert shown["department_id"] == above["id"]
    assert name in (await owner.get(f"{base}/settings/keys?q={key['principal']}")).text
