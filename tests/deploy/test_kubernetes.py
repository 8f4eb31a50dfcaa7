"""The manifests for Kubernetes: rendered as kustomize does, valid by the schemas of Kubernetes, and of one piece.

`kubernetes.json` holds the definitions of Kubernetes 1.35 that the manifests use, from its OpenAPI document
(Apache-2.0), strictly: an unknown field is an error. Descriptions are left out.
"""

import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Route

from api import pages, reference, unsubscribe
from api.app import create_app
from api.auth import current_actor
from api.codec import codec_router
from api.routing import routes_of
from api.v1 import PRIVATE_ROOT_ROUTERS
from runtime.settings import Settings, read_settings
from tests.support.cases import for_each

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
SCHEMAS = json.loads((Path(__file__).parent / "kubernetes.json").read_text("utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
SETTINGS = {f"BURSAR_{name.upper()}" for name in Settings.model_fields} | {"BURSAR_SECRETS_DIR"}

Manifest = dict[str, Any]


def label_maps(manifest: Manifest) -> Iterator[dict[str, str]]:
    """Yield the labels and selectors that `labels` with `includeSelectors` reaches."""
    yield manifest["metadata"].setdefault("labels", {})
    spec = manifest.get("spec", {})
    if "template" in spec:
        yield spec["template"]["metadata"]["labels"]
        for constraint in spec["template"]["spec"].get("topologySpreadConstraints", ()):
            yield constraint["labelSelector"]["matchLabels"]
    if "selector" in spec:
        yield spec["selector"]["matchLabels"]


def rendered(folder: str = ".") -> list[Manifest]:
    """Return what `kubectl kustomize` prints, for the few things that these kustomizations use."""
    asked = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text("utf-8"))
    assert asked.keys() <= {"apiVersion", "kind", "namespace", "nameSuffix", "labels", "resources", "images"}
    manifests = []
    for name in asked["resources"]:
        for manifest in yaml.safe_load_all((FOLDER / folder / name).read_text("utf-8")):
            if manifest["kind"] != "Namespace":
                manifest["metadata"]["namespace"] = asked["namespace"]
                manifest["metadata"]["name"] += asked.get("nameSuffix", "")
            for pairs in asked.get("labels", ()):
                for labels in label_maps(manifest):
                    labels.update(pairs["pairs"])
            for image in asked["images"]:
                for container in containers(manifest):
                    if container["image"] == image["name"]:
                        container["image"] = f"{image['newName']}:{image['newTag']}"
            manifests.append(manifest)
    return manifests


def containers(manifest: Manifest) -> list[dict[str, Any]]:
    spec = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def validate(manifest: Manifest) -> None:
    definition = SCHEMAS["kinds"][f"{manifest['apiVersion']}/{manifest['kind']}"]
    text = json.dumps({"$ref": f"#/definitions/{definition}", "definitions": SCHEMAS["definitions"]})
    schema = json.loads(re.sub(r'"#/\$defs/', '"#/definitions/', text))
    jsonschema.Draft202012Validator(schema).validate(manifest)


MANIFESTS = [manifest for folder in (".", "migrate", "worker") for manifest in rendered(folder)]
RUNNING = [manifest for manifest in MANIFESTS if containers(manifest)]
BY_NAME = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in MANIFESTS}

each = for_each("manifest", MANIFESTS)
running = pytest.mark.parametrize("manifest", RUNNING, ids=lambda m: m["metadata"]["name"])


@each
def test_manifest_is_valid(manifest: Manifest) -> None:
    validate(manifest)


@each
def test_manifest_with_an_unknown_field_is_not(manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    broken["metadata"]["nam"] = "bursar"
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_value_of_a_wrong_type_is_noticed() -> None:
    broken = copy.deepcopy(BY_NAME["Deployment", "bursar-api"])
    broken["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "http"
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_no_manifest_is_left_out_of_its_kustomization() -> None:
    for kustomization in FOLDER.rglob("kustomization.yaml"):
        listed = set(yaml.safe_load(kustomization.read_text("utf-8"))["resources"])
        assert listed | {"kustomization.yaml"} == {path.name for path in kustomization.parent.glob("*.yaml")}


@running
def test_pods_are_confined(manifest: Manifest) -> None:
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}" in (ROOT / "Dockerfile").read_text("utf-8")
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in containers(manifest):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@running
def test_container_runs_what_the_compose_file_runs(manifest: Manifest) -> None:
    (container,) = containers(manifest)
    assert container["command"] == COMPOSE[container["name"]]["command"]
    assert container["image"] == "registry.example.com/bursar:1"


@running
def test_pod_selects_itself_and_mounts_what_it_has(manifest: Manifest) -> None:
    spec = manifest["spec"]
    labels = spec["template"]["metadata"]["labels"]
    if "selector" in spec:
        assert spec["selector"]["matchLabels"].items() <= labels.items()
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    for container in containers(manifest):
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def values(manifest: Manifest) -> dict[str, str]:
    """Return the environment of a container, the config map and its own labels filled in."""
    (container,) = containers(manifest)
    found = {}
    for source in container["envFrom"]:
        found.update(BY_NAME["ConfigMap", source["configMapRef"]["name"]]["data"])
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    for entry in container.get("env", ()):
        path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        found[entry["name"]] = entry["value"] if "value" in entry else labels[path.split("'")[1]]
    return found


@running
def test_settings_of_a_pod_can_be_read_with_its_secrets(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = values(manifest)
    assert given.keys() <= SETTINGS
    for known in [*os.environ]:
        if known.startswith(("BURSAR_", "TEMPORAL_", "STRIPE_")):
            monkeypatch.delenv(known)
    (container,) = containers(manifest)
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "secrets")
    assert (given["BURSAR_SECRETS_DIR"], mount["readOnly"]) == (mount["mountPath"], True)
    # As the kubelet lays it out: links to links into a folder that is exchanged as a whole.
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "..2026/bursar_database_url").write_text("postgresql://bursar_api:word@db:5432/bursar")
    (tmp_path / "bursar_database_url").symlink_to("..data/bursar_database_url")
    for name, value in (given | {"BURSAR_SECRETS_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.database_url == "postgresql://bursar_api:word@db:5432/bursar"
    assert settings.build_id == ("1" if container["name"] in {"worker", "rollout"} else None)


def test_only_the_migration_has_the_owners_url() -> None:
    secrets = {
        manifest["metadata"]["name"]: re.findall(r'"bursar-owner"', json.dumps(manifest)) for manifest in RUNNING
    }
    assert [name for name, found in secrets.items() if found] == ["bursar-migrate-1"]


def test_probes_ask_a_port_that_the_container_has_and_no_service_shows() -> None:
    (service,) = (manifest for manifest in MANIFESTS if manifest["kind"] == "Service")
    shown = {port["targetPort"] for port in service["spec"]["ports"]}
    for kind, name in (("Deployment", "bursar-api"), ("Deployment", "bursar-worker-1")):
        (container,) = containers(BY_NAME[kind, name])
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports - shown


def test_service_selects_the_api_and_the_ingress_asks_the_service() -> None:
    service = BY_NAME["Service", "bursar-api"]
    api = BY_NAME["Deployment", "bursar-api"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= api["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in api["spec"]["containers"][0]["ports"]}
    assert {port["name"]: ports[port["targetPort"]] for port in service["spec"]["ports"]} == {"http": 8000}
    (rule,) = BY_NAME["Ingress", "bursar"]["spec"]["rules"]
    backends = [path["backend"]["service"] for path in rule["http"]["paths"]]
    assert backends == [{"name": "bursar-api", "port": {"name": "http"}}] * len(backends)


def paths_of(*routers: APIRouter) -> set[str]:
    return {route.path for router in routers for route in router.routes if isinstance(route, Route)}


def is_shown(path: str) -> bool:
    (rule,) = BY_NAME["Ingress", "bursar"]["spec"]["rules"]
    for shown in rule["http"]["paths"]:
        prefix = shown["path"].rstrip("/") + "/"
        if path == shown["path"] or (shown["pathType"] == "Prefix" and path.startswith(prefix)):
            return True
    return False


def test_ingress_shows_every_path_but_those_of_operators_and_probes() -> None:
    private = paths_of(codec_router(Settings(), current_actor))
    private |= {route.path for route in routes_of(PRIVATE_ROOT_ROUTERS, APIRoute)}
    assert {"/metrics", "/readyz", "/codec/decode"} < private
    assert [path for path in private if is_shown(path)] == []
    public = paths_of(create_app(Settings()).router, pages.router, reference.router, unsubscribe.router)
    assert {"/healthz", "/openapi.json", "/", "/docs", "/api/v1/agents"} < public
    assert [path for path in public if not is_shown(path)] == []


def test_controller_logs_no_address_of_a_request() -> None:
    """Addresses hold tokens of links, or a card number; Bursar logs requests itself, without them."""
    annotations = BY_NAME["Ingress", "bursar"]["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/enable-access-log"] == "false"


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "NetworkPolicy"])
def test_what_selects_pods_finds_some(kind: str) -> None:
    pods = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in RUNNING]
    for manifest in MANIFESTS:
        if manifest["kind"] == kind:
            spec = manifest["spec"]
            wanted = spec.get("selector", spec.get("podSelector", {})).get("matchLabels", {})
            assert [labels for labels in pods if wanted.items() <= labels.items()], manifest["metadata"]["name"]


def test_pods_reach_postgresql_and_temporal_and_are_reached_by_callers_and_scrapers_alone() -> None:
    everything = BY_NAME["NetworkPolicy", "bursar-nothing-else"]["spec"]
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (outward,) = BY_NAME["NetworkPolicy", "bursar-outward"]["spec"]["egress"]
    ports = {port["port"] for port in outward["ports"]}
    address = BY_NAME["ConfigMap", "bursar-settings"]["data"]["BURSAR_TEMPORAL_ADDRESS"]
    assert {53, 443, 5432, int(address.rpartition(":")[2])} <= ports
    inward = {
        port["port"]
        for manifest in MANIFESTS
        if manifest["kind"] == "NetworkPolicy"
        for rule in manifest["spec"].get("ingress", ())
        for port in rule["ports"]
    }
    assert inward == {"http", "private"}


def test_builds_of_the_worker_stand_side_by_side() -> None:
    """Two builds have no name in common, and neither takes the pods of the other."""
    (deployment,) = (manifest for manifest in rendered("worker") if manifest["kind"] == "Deployment")
    (job,) = (manifest for manifest in rendered("worker") if manifest["kind"] == "Job")
    asked = yaml.safe_load((FOLDER / "worker/kustomization.yaml").read_text("utf-8"))
    build = asked["labels"][0]["pairs"]["app.kubernetes.io/version"]
    assert asked["nameSuffix"] == f"-{build}"
    assert asked["images"][0]["newTag"] == build
    assert deployment["metadata"]["name"] == f"bursar-worker-{build}"
    assert deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/version"] == build
    assert values(deployment)["BURSAR_BUILD_ID"] == values(job)["BURSAR_BUILD_ID"] == build


def test_pods_reach_what_settings_name_by_default() -> None:
    (rule,) = BY_NAME["NetworkPolicy", "bursar-outward"]["spec"]["egress"]
    ports = {port["port"] for port in rule["ports"]}
    addresses = [Settings().database_url, f"//{Settings().temporal_address}", "https://api.stripe.com:443"]
    assert {urlsplit(address).port for address in addresses} | {Settings().mail_port} <= ports
