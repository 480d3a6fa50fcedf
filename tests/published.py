"""Facts on disk as `zenith_pipelines.datasets.store` publishes them for serving, without the pipelines."""

from zenith_core.sealed_json import seal


def publish(home, asset, ticker, facts, *, stamp=None):
    """Replace the current facts, sealed. With a stamp, the copy beside them is written first, as the store does."""
    folder = home / "data" / asset / ticker
    folder.mkdir(parents=True, exist_ok=True)
    content = seal({"stamp": stamp or "1", "facts": facts, "tables": {}})
    if stamp:
        (folder / stamp).mkdir(exist_ok=True)
        (folder / stamp / "manifest.json").write_bytes(content)
    (folder / "new").write_bytes(content)
    (folder / "new").replace(folder / "current.json")
    return folder / "current.json"
