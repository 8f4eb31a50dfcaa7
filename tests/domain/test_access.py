"""Permissions of roles: the tables of roles agree with each other."""

import pytest

from domain.common.access import GRANTABLE, PERMISSIONS, REVOCABLE, Permission, Role

#: Operators set organizations up, and issue their first keys.
_EXCEPT = {Role.OPERATOR}


@pytest.mark.parametrize("granter", sorted(GRANTABLE.keys() - _EXCEPT))
def test_nobody_grants_a_role_with_a_permission_that_they_lack(granter: Role) -> None:
    beyond = {role: PERMISSIONS[role] - PERMISSIONS[granter] for role in GRANTABLE[granter]}
    assert not {role: more for role, more in beyond.items() if more}


def test_only_roles_that_manage_keys_issue_and_revoke_them() -> None:
    managing = {role for role in Role if Permission.MANAGE_KEYS in PERMISSIONS[role]}
    assert GRANTABLE.keys() == REVOCABLE.keys() == managing


@pytest.mark.parametrize("granter", sorted(GRANTABLE))
def test_roles_that_issue_keys_of_a_role_may_revoke_them(granter: Role) -> None:
    assert GRANTABLE[granter] <= REVOCABLE[granter]
