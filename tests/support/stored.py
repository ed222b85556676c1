"""What the database itself holds, for tests of what was not written."""

from __future__ import annotations

from typing import NamedTuple

from contactapp.auth import links
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.users.service import lock_owner

_CONTACT = Sql("SELECT * FROM contact WHERE id = ?")
_USER = Sql("SELECT * FROM users WHERE id = ?")
_BOOK = Sql(
    "SELECT s.seq, s.head, u.contact_count, (SELECT count(*) FROM contact c "
    "WHERE c.book_id = b.id AND c.deleted_at IS NULL) FROM book b "
    "JOIN stream s ON s.id = b.stream_id JOIN users u ON u.id = b.owner_id WHERE b.id = ?"
)


class BookState(NamedTuple):
    """The state of a book's change log, what its owner is charged, and its live rows."""

    seq: int
    head: bytes
    charged: int
    live: int


def contact_row(app, contact_id):
    """Every column of a contact's row."""
    with app.app_context():
        return lane().one(_CONTACT, (contact_id,))


def user_row(app, user_id):
    """Every column of a user's row."""
    with app.app_context():
        return lane().one(_USER, (user_id,))


def book_state(person):
    """The state of a person's own book."""
    with person.app.app_context():
        return BookState(*lane().one(_BOOK, (person.book_id,)))


def set_user(app, user_id, **columns):
    """Change a user's row behind the API's back: `contact_limit`, `active`."""

    @write_transaction
    def change():
        values = ", ".join(f"{name} = ?" for name in columns)
        sql = Sql(f"UPDATE users SET {values} WHERE id = ?")
        assert lane().run(sql, (*columns.values(), user_id)) == 1

    with app.app_context():
        change()


def tell_writer(app, pragma):
    """Change a setting of the connection on which this process writes to SQLite."""
    with app.app_context():
        return database().writer._connection.cursor.execute(f"PRAGMA {pragma}").fetchall()


def newest_link(app, user_id, purpose):
    """The token of a user's newest link, as its mail would carry it."""
    with app.app_context():
        row = lane().one(_LINK, (user_id, purpose))
        return links.get(row[0]).token


def issue_link(app, user_id, purpose):
    """The token of a link as the job of `forgot` issues it."""

    def issue():
        owner = lock_owner(user_id)
        assert links.issue(owner, purpose, owner.email)

    with app.app_context():
        write_transaction(issue)()
    return newest_link(app, user_id, purpose)


_LINK = Sql("SELECT id FROM link WHERE user_id = ? AND purpose = ? ORDER BY id DESC LIMIT 1")
