"""Start MLflow's tracking server with authentication, and with the users and passwords of the environment.

MLflow makes one user, the first time, and no setting changes a password afterwards. Here each of USERS has the password
of its variable whenever the server starts, so that a password is changed in one place, `.env`.
"""

import os
import sys
from pathlib import Path

SHORTEST = 12
USERS = {  # and whether they may do everything
    "admin": ("MLFLOW_ADMIN_PASSWORD", True),
    "pipelines": ("MLFLOW_PIPELINES_PASSWORD", False),  # owns the experiments and models that it makes
    "serving": ("MLFLOW_SERVING_PASSWORD", False),  # reads: auth.ini
}


def password(variable: str) -> str:
    """The value, or the end of the process with what is wrong with it."""
    value = os.environ.get(variable, "")
    if len(value) < SHORTEST:
        sys.exit(f"{variable} needs at least {SHORTEST} characters; `openssl rand -hex 24` makes some")
    return value


def keep_users(passwords: dict[str, str]) -> None:
    """Make the users that are missing, and set the passwords that differ."""
    from mlflow.server.auth import auth_config
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(auth_config.database_uri)
    for user, (_, is_admin) in USERS.items():
        if not store.has_user(user):
            store.create_user(user, passwords[user], is_admin=is_admin)
        elif not store.authenticate_user(user, passwords[user]):
            store.update_user(user, password=passwords[user])


def main() -> None:
    """Become the server."""
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(Path(__file__).with_name("auth.ini"))
    passwords = {user: password(variable) for user, (variable, _) in USERS.items()}
    os.environ["MLFLOW_AUTH_ADMIN_USERNAME"] = "admin"
    os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"] = passwords["admin"]
    password("MLFLOW_FLASK_SERVER_SECRET_KEY")
    keep_users(passwords)
    os.execvp("mlflow", ["mlflow", "server", "--app-name", "basic-auth", *sys.argv[1:]])


if __name__ == "__main__":
    main()
