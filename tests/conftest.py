"""What all tests share: hypothesis draws the same examples each time, and times nothing; the longest files begin."""

import pytest
from hypothesis import settings

settings.register_profile("zenith", deadline=None, derandomize=True)
settings.load_profile("zenith")


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items):
    """Two processes share the files: begun last, a file of minutes would keep one of them alone at the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
