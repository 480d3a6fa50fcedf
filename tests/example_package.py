"""Install one of the example packages beside nothing else."""

import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")


def install(example, folder):
    """Return the folder below `folder` that holds the installed package."""
    for file in example.iterdir():  # a copy, because a build writes into the folder that it builds
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", folder / "site"]
    subprocess.run([UV, "pip", "install", "-q", *options, folder], check=True)
    return folder / "site"
