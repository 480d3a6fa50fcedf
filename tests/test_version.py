"""One version for the package, the changelog and the images."""

import re
import tomllib
from pathlib import Path

import yaml

from zenith_serving.settings import version

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_installed_package_has_the_version_of_pyproject():
    assert version() == VERSION, "after a new version: make install"


def test_the_changelog_begins_with_the_version():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0].split()[0] == VERSION
    assert re.fullmatch(r"\S+ \((unreleased|\d{4}-\d\d-\d\d)\)", headings[0])


def test_compose_builds_images_of_the_version():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    images = {service["image"] for service in services.values() if service["image"].startswith("zenith-")}

    assert len(images) == 3
    assert {image.partition(":")[2] for image in images} == {f"${{ZENITH_IMAGE_TAG:-{VERSION}}}"}


def test_the_kubernetes_example_runs_images_of_the_version():
    text = "".join(path.read_text() for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml"))
    tags = re.findall(r'zenith-\w+:([\w.]+)|zenith-\w+, tag: "([^"]+)"', text)

    assert {a or b for a, b in tags} == {VERSION}
