-- Run once, when the volume is empty. The database of POSTGRES_DB is Dagster's; both keep a table alembic_version.
CREATE DATABASE mlflow;
