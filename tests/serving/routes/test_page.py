"""The files of the page: what the server says with them, what they may load, and their words. In a browser:
tests/integration/test_page.py."""

import hashlib
import re

import pytest
from fastapi.testclient import TestClient
from setuptools.dist import Distribution

from zenith_core.evidence.verdicts import CODES
from zenith_core.forecasting.abstention import REASONS
from zenith_core.inference import SIGNALS
from zenith_core.names import DISCLAIMER, PAGE_FILES
from zenith_core.words import texts
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

EN = texts("en")
SCRIPTS = {path.name: path.read_text() for path in PAGE_FILES.glob("*.js")}
OURS = {path.name: path.read_text() for path in PAGE_FILES.iterdir() if path.is_file()}


@pytest.fixture
def client(tmp_path):
    with TestClient(create_app(Settings(zenith_home=tmp_path / "none", mlflow_tracking_uri=None))) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/page/main.js",
        "/page/words.pt.json",
        "/page/vendor/inter-latin.woff2",
        "/docs",
        "/docs/assets/swagger-ui.css",
    ],
)
def test_each_file_may_load_from_its_own_server_only(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy and "*" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_is_there_without_any_ticker_and_for_head(client):
    assert client.get("/").text == OURS["index.html"]
    head = client.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/", "/page/page.css"])
def test_what_the_browser_has_is_not_sent_again(client, path):
    first = client.get(path)

    again = client.get(path, headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/page/none.js", "/page/", "/page/..%2Fapp.py", "/page/%2e%2e/app.py"])
def test_nothing_else_is_given_out(client, path):
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.slow
def test_the_page_is_no_part_of_the_api_s_description(client):
    assert not {"/", "/page"} & set(client.get("/openapi.json").json()["paths"])


def test_no_file_of_ours_names_another_place_or_holds_a_script_inline():
    for name, text in OURS.items():
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\w", text) == [], name
    assert (
        re.findall(
            r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=",
            OURS["index.html"] + OURS["docs.html"] + OURS["report.html"],
        )
        == []
    )
    assert re.findall(r"innerHTML|insertAdjacentHTML|\beval\(|document\.write", "".join(SCRIPTS.values())) == []


def test_every_module_of_the_page_is_fetched_at_once():
    modules, found = {"main.js"}, set()
    while modules != found:
        found = set(modules)
        modules |= {name for module in found for name in re.findall(r'from "\./([\w-]+\.js)"', SCRIPTS[module])}

    assert set(re.findall(r'rel="modulepreload" href="page/([\w-]+\.js)"', OURS["index.html"])) == modules - {"main.js"}


def test_the_files_of_others_are_unchanged():
    checksums = dict(reversed(line.split()) for line in (PAGE_FILES / "vendor" / "SHA256SUMS").read_text().splitlines())
    files = {path.name for path in (PAGE_FILES / "vendor").iterdir()} - {"README.md", "SHA256SUMS"}

    assert files - {name for name in files if name.endswith(".LICENSE")} == set(checksums)
    for name, checksum in checksums.items():
        assert hashlib.sha256((PAGE_FILES / "vendor" / name).read_bytes()).hexdigest() == checksum


@pytest.mark.slow
def test_every_file_ships_with_the_package(monkeypatch):
    root = PAGE_FILES.parents[1]
    monkeypatch.chdir(root)
    distribution = Distribution()
    distribution.parse_config_files(["pyproject.toml"])
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    command.manifest_files = {}

    packaged_files = set(command.find_data_files("zenith_core", str(PAGE_FILES.parent)))

    assert {str(path) for path in PAGE_FILES.rglob("*") if path.is_file()} <= {
        str(root / path) for path in packaged_files
    }


def test_every_word_that_a_script_or_the_html_asks_for_is_there():
    keys = set(re.findall(r"\bt\(\"([\w.-]+)\"", "".join(SCRIPTS.values())))
    keys |= set(re.findall(r'data-t(?:-label|-placeholder)?="([\w.-]+)"', OURS["index.html"] + OURS["report.html"]))

    assert len(keys) > 80
    assert [key for key in sorted(keys) if key not in EN and f"{key}.other" not in EN] == []


def test_every_verdict_has_words():
    codes = {f"verdict.{subject}.{code}" for subject, codes in CODES.items() for code in codes}

    assert codes | {f"verdict.{subject}" for subject in CODES} <= EN.keys()


def test_every_reason_and_signal_of_the_service_has_words():
    assert {f"reason.{code}" for code in REASONS} | {f"signal.{signal}" for signal in SIGNALS} <= EN.keys()
    assert {f"reason.short.{code}" for code in (*REASONS, "model", "no_model")} <= EN.keys()
    assert {code: EN[f"reason.{code}"] for code in REASONS} == REASONS
    assert EN["disclaimer"] == DISCLAIMER
