"""Places that run config names, beside the roots of the settings."""

import pytest

from zenith_core.errors import UserError
from zenith_pipelines.ingestion.data_roots import require_below_roots


@pytest.fixture
def home(tmp_path):
    for folder in ("prices/eu", "prices-other", "secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "prices" / "link").symlink_to(tmp_path / "secret")
    return tmp_path


@pytest.mark.parametrize(
    "place", ["{home}/prices", "{home}/prices/eu/", "file://{home}/prices/eu", "s3://bucket/zenith/a"]
)
def test_a_place_below_a_root_is_accepted(home, place):
    require_below_roots("archive", place.format(home=home), [str(home / "prices"), "s3://bucket/zenith"])


@pytest.mark.parametrize(
    "place",
    [
        "/etc",
        "{home}",
        "{home}/prices-other",
        "{home}/prices/../secret",
        "{home}/prices/link",
        "file:///etc",
        "file://{home}/prices/../secret",
        "http://127.0.0.1:17777/archive",
        "https://bucket/zenith/a",
        "s3://bucket/zenith-other",
        "s3://bucket/zenith/../other",
        "simplecache::http://127.0.0.1/a",
        "simplecache::{home}/prices",
        "memory://a",
        "",
    ],
)
def test_another_place_is_refused_with_the_settings_that_would_allow_it(home, place, monkeypatch):
    monkeypatch.chdir(home / "secret")

    with pytest.raises(UserError, match="ZENITH_DATA_ROOTS") as refusal:
        require_below_roots("archive", place.format(home=home), [str(home / "prices"), "s3://bucket/zenith"])

    assert str(refusal.value).startswith("archive ")
    assert "\n" not in str(refusal.value)
