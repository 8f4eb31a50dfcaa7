"""Activities of Temporal as scopes of keys. Imported only where Temporal's package is."""

import threading
import weakref

from temporalio import activity

from bursar._keys import Scope

_LOCK = threading.Lock()
#: One scope for each attempt that runs, by the identity of its `activity.Info`, which lives as long as the attempt.
_SCOPES: dict[int, Scope] = {}


def scope() -> Scope | None:
    """Return the scope of the activity that runs here: the same for each of its attempts, numbered anew in each."""
    if not activity.in_activity():
        return None
    info = activity.info()
    with _LOCK:
        known = _SCOPES.get(id(info))
        if known is None:
            named = (info.workflow_namespace, info.workflow_id, info.workflow_run_id, info.activity_id)
            known = _SCOPES[id(info)] = Scope("activity", *(str(part) for part in named))
            weakref.finalize(info, _SCOPES.pop, id(info), None)
    return known
