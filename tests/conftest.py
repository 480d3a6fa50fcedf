"""What all tests share: hypothesis draws the same examples each time, and times nothing."""

from hypothesis import settings

settings.register_profile("zenith", deadline=None, derandomize=True)
settings.load_profile("zenith")
