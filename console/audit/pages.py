"""The audit trail: of an organization, and for operators of all."""

import json

from console.lists import ListResult
from console.mentions import Sentence
from console.noun import Json, Noun
from console.noun_page import pick, search, text
from console.routing import platform, tenant
from console.settings.pages import tabs
from console.texts import N_, _
from console.visit import Visit

#: The fields of an entry that have ids in them.
_NAMED = ("principal", "made_by", "target", "details", "organization_id")
_FILTERS = (
    search(N_("Text")),
    text("action", N_("Action"), "api_key.create"),
    text("principal", N_("Principal")),
    text("target", N_("Object"), "key_…"),
)
AUDIT, OF_ALL = (
    Noun("/audit", title=N_("Audit trail"), folder="audit", at=at, site=site)
    for site, at in ((tenant, "/settings/audit"), (platform, "/audit"))
)


async def _of_trail(visit: Visit, found: ListResult) -> Json:
    naming = await visit.naming(found.rows, *_NAMED)

    def whose(entry: Json) -> str | None:
        return None if visit.org_id else entry["organization_id"]

    def who(entry: Json) -> Sentence:
        name, maker = entry["principal"], entry.get("made_by")
        said = _("%(name)s, by a link of %(maker)s", name=name, maker=maker) if maker else name
        return naming(said, whose(entry))

    def details(entry: Json) -> tuple[tuple[str, Sentence], ...]:
        """Return names and values of what was done. Texts are written as they are."""
        return tuple(
            (
                name.replace("_", " "),
                naming(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), whose(entry)),
            )
            for name, value in entry["details"].items()
            if value is not None
        )

    return {"naming": naming, "who": who, "details": details}


AUDIT.list(*_FILTERS, days=True, values=_of_trail, around=tabs, create="")
OF_ALL.list(*_FILTERS, pick("organization_id", N_("Organization")), days=True, values=_of_trail, create="")
ROUTES = (*AUDIT.routes, *OF_ALL.routes)
