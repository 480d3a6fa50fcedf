"""Properties of docker-compose.yml, read from the file. `make test-docker` runs it."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.settings import Settings as ServingSettings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
WITH_OUR_CODE = ("code", "dagster-webserver", "dagster-daemon", "api")


def test_services_are_those_of_the_stack():
    assert set(SERVICES) == {"postgres", "redis", "mlflow", *WITH_OUR_CODE}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_restarts_limits_and_no_root(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["logging"]["options"]["max-size"]


def test_only_the_api_is_public_and_two_user_interfaces_are_on_loopback():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": ["${ZENITH_PORT:-8000}:8000"],
        "dagster-webserver": ["127.0.0.1:${DAGSTER_PORT:-3000}:3000"],
        "mlflow": ["127.0.0.1:${MLFLOW_PORT:-5000}:5000"],
    }


def test_services_start_after_their_dependencies_are_healthy():
    needs = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert needs == {
        "postgres": set(),
        "redis": set(),
        "mlflow": {"postgres"},
        "code": {"postgres", "redis", "mlflow"},
        "dagster-webserver": {"code"},
        "dagster-daemon": {"code"},
        "api": {"redis", "mlflow", "code"},
    }
    conditions = {need["condition"] for service in SERVICES.values() for need in service.get("depends_on", {}).values()}
    assert conditions == {"service_healthy"}


def test_no_password_has_a_default_and_the_example_names_each():
    secret = re.findall(r"\$\{(\w*(?:PASSWORD|KEYS?|SECRET)\w*)([^}]*)\}", TEXT)
    assert {rest for _, rest in secret} == {":?set it in .env, as .env.example says"}
    assert set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)) == {name for name, _ in secret}
    assert re.findall(r"^\w+=.+$", EXAMPLE, re.MULTILINE) == []


def test_the_example_names_every_variable_that_has_a_default():
    assert set(re.findall(r"\$\{(\w+):-", TEXT)) <= set(re.findall(r"^#(\w+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("name", WITH_OUR_CODE)
def test_every_setting_reaches_the_service_or_is_fixed_by_the_image(name):
    settings = ServingSettings if name == "api" else PipelinesSettings
    image_settings = {"ZENITH_HOME", "ZENITH_DATA_URI", "MODELS_PATH"}
    variables = {field.upper() for field in settings.model_fields} - image_settings
    assert variables <= set(SERVICES[name]["environment"])


def test_state_is_in_named_volumes_and_serving_only_reads_the_datasets():
    volumes = yaml.safe_load(TEXT)["volumes"]
    mounts = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {source for source, *_ in mounts if not source.startswith("./")} == set(volumes)
    assert [rest for source, *rest in mounts if source.startswith("./")] == [["/docker-entrypoint-initdb.d", "ro"]]
    assert "datasets:/var/lib/zenith/data:ro" in SERVICES["api"]["volumes"]
    assert SERVICES["api"]["read_only"] is True


@pytest.mark.parametrize(
    "path",
    [".env", ".git/config", ".venv/bin/python", ".zenith/data", "tests/conftest.py", "zenith_core/__pycache__/a.pyc"],
)
def test_secrets_and_local_files_stay_out_of_the_images(path):
    assert not in_build_context(path)


def test_copied_files_are_in_the_build_context():
    sources = [
        word
        for file in (*(ROOT / "deploy" / "docker").glob("*.Dockerfile"), ROOT / "mlflow" / "Dockerfile")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text(), re.MULTILINE)
        for word in line.split()
    ]
    assert "zenith_serving" in sources
    assert [path for path in sources if not (ROOT / path).exists() or not in_build_context(path)] == []


def in_build_context(path):
    """Apply .dockerignore like Docker: the last pattern that matches the path or a parent folder decides."""
    parts = Path(path).parts
    folders = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    inside = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        anywhere = pattern.removeprefix("**/") if pattern.startswith("**/") else None
        names = parts if anywhere else [folder for folder in folders if folder.count("/") == pattern.count("/")]
        if line and line[0] != "#" and any(fnmatch(name, anywhere or pattern) for name in names):
            inside = line.startswith("!")
    return inside


def test_serving_requires_a_subset_of_the_project_s_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["dependency-groups"]["serving"]) <= set(project["project"]["dependencies"])


@pytest.mark.parametrize("name", ["serving", "mlflow"])
def test_image_lock_has_the_pins_of_the_project(name):
    own, lock = (pins(ROOT / file) for file in ("requirements.lock", f"requirements-{name}.lock"))
    assert {package for package in lock if own.get(package, lock[package]) != lock[package]} == set()
    assert not {"tensorflow-cpu", "tensorflow", "jax", "dagster"} & set(lock)


def pins(file):
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", file.read_text(), re.MULTILINE))
