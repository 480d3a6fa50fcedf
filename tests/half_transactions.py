"""A database as a process leaves it that is killed in the middle of a transaction."""

import shutil
import sqlite3
from contextlib import closing


def leave_half_a_transaction(database):
    """Leave a transaction that has begun to change the file, with the journal that undoes it."""
    journal = database.with_name(f"{database.name}-journal")
    copies = {file: file.with_name(f"copy-of-{file.name}") for file in (database, journal)}
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # changes go to the file before the transaction ends
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE half (value)")
        connection.executemany("INSERT INTO half VALUES (?)", [("half" * 100,)] * 300)
        for file, copy in copies.items():
            shutil.copy(file, copy)
    for file, copy in copies.items():
        copy.replace(file)
    assert journal.exists()
