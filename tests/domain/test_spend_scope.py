from itertools import product

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.credits.spend.scope import (
    Attribution,
    RequestedScope,
    Scope,
    ScopeObjects,
    SpendingKey,
    SpendOrigin,
    is_own,
    needs_lookup,
    scope_of,
)

#: Research has a laboratory, which has a bench; sales stands beside it.
PATHS = {
    "research": ["research"],
    "laboratory": ["research", "laboratory"],
    "bench": ["research", "laboratory", "bench"],
    "sales": ["sales"],
}
DEPARTMENTS = [None, *PATHS]
KNOWN = ScopeObjects(
    agents={
        "free": Attribution(),
        "chemist": Attribution(department_id="laboratory", project_id="assay"),
        "seller": Attribution(department_id="sales"),
    },
    departments=PATHS,
    projects=frozenset({"assay", "survey"}),
)


def key(department: str | None = None, project: str | None = None, agent: str | None = None) -> SpendingKey:
    return SpendingKey(
        key_id="key", agent_id=agent, attribution=Attribution(department_id=department, project_id=project)
    )


def scope(of: SpendingKey, **named: str | None) -> Scope:
    return scope_of(of, RequestedScope(**named), KNOWN)


def test_what_a_request_leaves_out_is_the_keys_own_and_needs_no_look() -> None:
    own = key("research", "assay", "free")
    assert not needs_lookup(own, RequestedScope(run_id="run-1", agent_id="free"))
    assert scope_of(own, RequestedScope(run_id="run-1")) == Scope(
        key_id="key", agent_id="free", department_id="research", project_id="assay", run_id="run-1"
    )
    assert scope_of(key(), RequestedScope()) == Scope(key_id="key")


@pytest.mark.parametrize("own", [key("laboratory"), key("laboratory", agent="free")])
def test_a_key_names_its_department_and_the_parts_of_it_only(own: SpendingKey) -> None:
    assert scope(own, department_id="laboratory").department_id == "laboratory"
    assert scope(own, department_id="bench").department_id == "bench"
    for other in ("research", "sales"):
        with pytest.raises(Invalid, match="may not spend for this department") as refused:
            scope(own, department_id=other)
        assert refused.value.extra == {"field": "department_id"}


def test_a_key_of_an_organization_names_any_department_and_project_unless_it_is_attributed() -> None:
    assert scope(key(), department_id="sales", project_id="survey") == Scope(
        key_id="key", department_id="sales", project_id="survey"
    )
    with pytest.raises(Invalid, match="may not spend for this project"):
        scope(key(project="assay"), project_id="survey")


@pytest.mark.parametrize("named", [{"department_id": "sales"}, {"project_id": "survey"}, {"agent_id": "chemist"}])
def test_a_key_of_an_agent_names_nothing_that_it_is_not_attributed_to(named: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        scope(key(agent="free"), **named)


@pytest.mark.parametrize("field", ["agent_id", "department_id", "project_id"])
def test_what_does_not_exist_is_refused_by_its_field(field: str) -> None:
    with pytest.raises(Invalid, match="no such") as refused:
        scope(key(), **{field: "unknown"})
    assert refused.value.extra == {"field": field}


def test_an_agent_that_is_named_spends_for_what_it_is_attributed_to() -> None:
    assert scope(key(), agent_id="chemist") == Scope(
        key_id="key", agent_id="chemist", department_id="laboratory", project_id="assay"
    )
    assert scope(key("research"), agent_id="chemist").department_id == "laboratory"
    assert scope(key("bench"), agent_id="chemist").department_id == "bench"
    assert scope(key("sales"), agent_id="free").department_id == "sales"
    with pytest.raises(Invalid, match="department that the key may not use"):
        scope(key("research"), agent_id="seller")
    with pytest.raises(Invalid, match="may not spend for this department"):
        scope(key(), agent_id="seller", department_id="research")


@given(
    own=st.sampled_from(DEPARTMENTS),
    asked=st.sampled_from(DEPARTMENTS),
    agent=st.sampled_from([None, *KNOWN.agents]),
)
def test_nobody_spends_outside_of_the_departments_of_its_key_and_its_agent(
    own: str | None, asked: str | None, agent: str | None
) -> None:
    try:
        found = scope(key(own), department_id=asked, agent_id=agent)
    except Invalid:
        return
    bounds = {own, KNOWN.agents[agent].department_id if agent else None} - {None}
    above = set(PATHS[found.department_id]) if found.department_id else set()
    assert bounds <= above
    assert asked in {None, found.department_id}


def test_every_pair_of_department_and_request_is_decided_as_its_path_says() -> None:
    for own, asked in product(PATHS, PATHS):
        if own in PATHS[asked]:
            assert scope(key(own), department_id=asked).department_id == asked
        else:
            with pytest.raises(Invalid):
                scope(key(own), department_id=asked)


@given(
    st.sampled_from(DEPARTMENTS),
    st.sampled_from([None, "assay"]),
    st.sampled_from([None, "chemist"]),
    st.sampled_from(DEPARTMENTS),
    st.sampled_from([None, "assay", "survey"]),
    st.sampled_from([None, "chemist", "free"]),
    st.booleans(),
)
def test_own_spends_are_those_of_the_agent_or_of_the_principal_or_within_the_keys_department_and_project(
    department: str | None,
    project: str | None,
    agent: str | None,
    of_department: str | None,
    of_project: str | None,
    of_agent: str | None,
    is_same: bool,
) -> None:
    made = SpendOrigin(
        principal="me" if is_same else "other",
        agent_id=of_agent,
        path=PATHS[of_department] if of_department else (),
        project_id=of_project,
    )
    if agent is not None:
        expected = of_agent == agent
    else:
        in_department = department is None or (of_department is not None and department in PATHS[of_department])
        expected = is_same or (in_department and project in {None, of_project})
    assert is_own(key(department, project, agent), "me", made) is expected
