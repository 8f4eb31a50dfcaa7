"""Where the Temporal UI shows a run, for those who operate the platform."""

from urllib.parse import quote

from console.routing import console_of
from console.visit import Visit
from domain.common.access import Permission


def run_of(visit: Visit, workflow_id: str) -> str:
    """Return the address of a run; empty for everybody who has no access there."""
    if not (visit.me.is_platform and visit.may(Permission.OPERATE)):
        return ""
    settings = console_of(visit.request).settings
    workflow, namespace = quote(workflow_id, safe=""), quote(settings.temporal_namespace, safe="")
    return f"{settings.temporal_ui_url.rstrip('/')}/namespaces/{namespace}/workflows/{workflow}"
