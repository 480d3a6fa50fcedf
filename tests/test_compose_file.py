"""What docker-compose.yml promises, read from the file. `make test-docker` runs it."""

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


def test_the_services_are_those_of_the_stack():
    assert set(SERVICES) == {"postgres", "redis", "mlflow", *WITH_OUR_CODE}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_restarted_bounded_and_nobody_s_root(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["logging"]["options"]["max-size"]


def test_only_the_api_is_published_and_on_loopback_the_two_user_interfaces():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": ["${ZENITH_PORT:-8000}:8000"],
        "dagster-webserver": ["127.0.0.1:${DAGSTER_PORT:-3000}:3000"],
        "mlflow": ["127.0.0.1:${MLFLOW_PORT:-5000}:5000"],
    }


def test_services_start_when_what_they_need_is_healthy():
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
def test_every_setting_reaches_the_service_or_is_decided_here(name):
    settings = ServingSettings if name == "api" else PipelinesSettings
    by_the_image = {"ZENITH_HOME", "ZENITH_DATA_URI", "MODELS_PATH"}
    wanted = {field.upper() for field in settings.model_fields} - by_the_image
    assert wanted <= set(SERVICES[name]["environment"])


def test_state_is_in_named_volumes_and_serving_reads_the_datasets_only():
    volumes = yaml.safe_load(TEXT)["volumes"]
    used = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {source for source, *_ in used if not source.startswith("./")} == set(volumes)
    assert [rest for source, *rest in used if source.startswith("./")] == [["/docker-entrypoint-initdb.d", "ro"]]
    assert "datasets:/var/lib/zenith/data:ro" in SERVICES["api"]["volumes"]
    assert SERVICES["api"]["read_only"] is True


@pytest.mark.parametrize(
    "path",
    [".env", ".git/config", ".venv/bin/python", ".zenith/data", "tests/conftest.py", "zenith_core/__pycache__/a.pyc"],
)
def test_what_is_secret_or_of_this_machine_stays_out_of_the_images(path):
    assert not in_build_context(path)


def test_what_images_are_made_of_is_in_the_build_context():
    copied = [
        word
        for file in (*(ROOT / "deploy" / "docker").glob("*.Dockerfile"), ROOT / "mlflow" / "Dockerfile")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text(), re.MULTILINE)
        for word in line.split()
    ]
    assert "zenith_serving" in copied
    assert [path for path in copied if not (ROOT / path).exists() or not in_build_context(path)] == []


def in_build_context(path):
    """As Docker reads .dockerignore: the last pattern that matches a path or a folder of it decides."""
    parts = Path(path).parts
    folders = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    inside = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        anywhere = pattern.removeprefix("**/") if pattern.startswith("**/") else None
        names = parts if anywhere else [one for one in folders if one.count("/") == pattern.count("/")]
        if line and line[0] != "#" and any(fnmatch(name, anywhere or pattern) for name in names):
            inside = line.startswith("!")
    return inside


def test_serving_s_requirements_are_the_project_s_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["dependency-groups"]["serving"]) <= set(project["project"]["dependencies"])


@pytest.mark.parametrize("name", ["serving", "mlflow"])
def test_an_image_s_lock_pins_what_the_project_s_own_pins(name):
    own, lock = (pins(ROOT / file) for file in ("requirements.lock", f"requirements-{name}.lock"))
    assert {package for package in lock if own.get(package, lock[package]) != lock[package]} == set()
    assert not {"tensorflow-cpu", "tensorflow", "jax", "dagster"} & set(lock)


def pins(file):
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", file.read_text(), re.MULTILINE))
