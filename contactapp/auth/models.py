"""Sign-ins, where they came from, and links by mail."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Session(Model):
    """One sign-in and the live leaf of its refresh tokens.

    `refresh_jti` is the only refresh token that rotates; `refresh_parent` the one it came from,
    which within a grace time is answered with the same child again. Ending a session sets
    `ended_at`; every request reads it.
    """

    __tablename__ = "session"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    refresh_jti: Mapped[str] = mapped_column(String(32))
    refresh_parent: Mapped[str | None] = mapped_column(String(32))
    refresh_issued_at: Mapped[int] = mapped_column(BigInteger)
    refresh_expires_at: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    last_used_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)


class ApiToken(Model):
    """What a program signs in with. `hash` is the SHA-256 of the token, `sealed` its name by the
    user's key; `scopes` are words between spaces and never change."""

    __tablename__ = "api_token"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[str] = mapped_column(String(200))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    last_used_at: Mapped[int | None] = mapped_column(BigInteger)


class Ticket(Model):
    """What opens one stream of changes, once: `hash` is the SHA-256 of its text. It stands for the
    session or API token that made it, which was to end at `ends_at`, and for this book only, one's
    own where that is null. The row goes when it is spent. No foreign key: it lives for seconds."""

    __tablename__ = "ticket"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    session_id: Mapped[int] = mapped_column(BigInteger)
    token_id: Mapped[int | None] = mapped_column(BigInteger)
    scopes: Mapped[str | None] = mapped_column(String(200))
    ends_at: Mapped[int | None] = mapped_column(BigInteger)
    book_id: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class SecondFactor(Model):
    """An account's authenticator: `sealed` is the secret by the user's key. It counts when
    `confirmed_at` is set; codes up to `last_step` are spent."""

    __tablename__ = "second_factor"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryCode(Model):
    """A keyed hash of a code that opens the account once without its authenticator."""

    __tablename__ = "recovery_code"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class KnownPlace(Model):
    """A keyed hash of an address from which somebody signed in to an account."""

    __tablename__ = "known_place"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seen_at: Mapped[int] = mapped_column(BigInteger)


class Link(Model):
    """A one-time link by mail: to confirm an address, to set a new password, to change the address;
    `told` is none, it only remembers where a notice goes. `sealed` is the address its mail goes to.
    It is spent, or replaced by a newer one, at `ended_at`."""

    __tablename__ = "link"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify', 'reset', 'email', 'told')", name="purpose"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(8))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    code_tries: Mapped[int] = mapped_column(default=0)
