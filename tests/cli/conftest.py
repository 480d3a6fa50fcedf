import pytest

from zenith_cli.main import main


@pytest.fixture
def zenith(monkeypatch, capsys):
    """Run the command in this process; return exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["zenith", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main()
        return exit.value.code or 0, *capsys.readouterr()

    return run
