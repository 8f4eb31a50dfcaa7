"""Clusters: organizations that share entities, by union-find. Pure."""

from collections.abc import Collection

#: What more organizations share unites nobody: an office's address, a mail provider's domain.
MOST_SHARING = 50


class Clusters:
    """Unites organizations, and returns the clusters of two and more."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def unite(self, sharing: Collection[str]) -> None:
        """Unite the organizations that share an entity, unless they are more than `MOST_SHARING`."""
        if len(sharing) > MOST_SHARING:
            return
        roots = sorted({self._root(org_id) for org_id in sharing})
        for each in roots[1:]:
            self._parents[each] = roots[0]

    def found(self) -> list[tuple[str, ...]]:
        """Return the clusters, each in order; the first organization names it."""
        groups: dict[str, list[str]] = {}
        for org_id in sorted(self._parents):
            groups.setdefault(self._root(org_id), []).append(org_id)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    def _root(self, org_id: str) -> str:
        parent = self._parents.setdefault(org_id, org_id)
        while parent != self._parents[parent]:
            # Halve the path, so that later walks are short.
            self._parents[org_id] = parent = self._parents[parent]
            org_id, parent = parent, self._parents[parent]
        return parent
