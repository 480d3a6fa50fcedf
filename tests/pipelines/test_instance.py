import subprocess
import sys

import pytest
import yaml

from zenith_pipelines.instance import dagster_home, open_instance
from zenith_pipelines.settings import Settings

OPEN = """
import sys
from zenith_pipelines.instance import open_instance
from zenith_pipelines.settings import Settings
sys.stdin.readline()
with open_instance(Settings()) as instance:
    instance.add_dynamic_partitions("tickers", [sys.argv[1]])
"""


def test_the_instance_lives_under_home_with_the_projects_configuration(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = dagster_home(Settings(zenith_home=tmp_path))

    assert home == tmp_path / "dagster"
    assert yaml.safe_load((home / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}


@pytest.mark.slow
def test_four_processes_that_open_an_empty_instance_together_all_come_up(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    openers = [
        subprocess.Popen([sys.executable, "-c", OPEN, ticker], stdin=subprocess.PIPE, text=True)
        for ticker in ("AAPL", "MSFT", "IBM", "GOOG")
    ]
    for opener in openers:
        opener.stdin.write("\n")
        opener.stdin.close()

    assert [opener.wait(60) for opener in openers] == [0, 0, 0, 0]
    with open_instance(Settings()) as instance:
        assert sorted(instance.get_dynamic_partitions("tickers")) == ["AAPL", "GOOG", "IBM", "MSFT"]
