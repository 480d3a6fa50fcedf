"""Chromium of this machine. Its headless shell opens and draws pages with a quarter less of the CPU's time."""

import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = "needs Chromium: apt install chromium-headless-shell"
