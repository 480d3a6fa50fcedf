"""The notebooks of docs/notebooks, run cell by cell as a reader would, beside a trained home."""

import json

import pytest

from tests.doc_pages import DOCS, ROOT
from tests.live_service import live_service
from zenith_serving.settings import Settings

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.slow


def run(notebook):
    """Run the code cells in one namespace and return it. An error names the cell."""
    namespace = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{notebook.name}:{cell['id']}", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_valid_and_holds_no_output(notebook):
    document = json.loads(notebook.read_text())

    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert notebook.read_text() == json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    for cell in document["cells"]:
        assert cell["metadata"] == {}
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])


def test_the_models_are_read_replayed_and_challenged(sample_home, tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(sample_home.zenith.home))
    monkeypatch.chdir(tmp_path)

    names = run(DOCS / "notebooks" / "models.ipynb")

    assert len(names["prices"]) == 3270
    assert len(names["both"]) == 30
    assert "overnight_gap" in names["challenger"].facts["importances"]
    ensemble, with_gap = sorted(names["board"]["models"], key=lambda row: row["model_type"])
    assert ensemble["own_rows"] == with_gap["own_rows"] == names["board"]["rows"]
    assert 0 < with_gap["value"] < 1
    assert [path.name for path in tmp_path.glob("*.*")] == ["overnight_gap.py"]


def test_the_client_asks_a_service(sample_home, monkeypatch, capsys):
    settings = Settings(zenith_home=sample_home.zenith.home, mlflow_tracking_uri=None, models_path=None, redis_url=None)
    with live_service(settings) as url:
        monkeypatch.setenv("ZENITH", url)
        names = run(DOCS / "notebooks" / "client.ipynb")

    assert names["tickers"] == ["AAPL"]
    assert list(names["table"].index) == ["AAPL"]
    output = capsys.readouterr().out
    assert "lstm 1: skill " in output
    assert "for the next 5 sessions." in output
    assert "no predictions for this ticker: did you mean AAPL? ['AAPL']" in output


def test_each_notebook_is_named_by_the_documentation():
    index = (DOCS / "README.md").read_text()
    assert [one.name for one in NOTEBOOKS if f"notebooks/{one.name}" not in index] == []
    assert (ROOT / "docs" / "notebooks").is_dir()
