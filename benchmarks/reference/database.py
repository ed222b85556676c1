"""Engine and session. Run as a program, it makes the tables."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


class Settings(BaseSettings):
    """Settings from REFERENCE_* in the environment."""

    model_config = SettingsConfigDict(env_prefix="REFERENCE_")
    database_url: str
    secret_key: str = "a key for measuring that nobody else may ever use"
    access_token_minutes: int = 24 * 60


settings = Settings()
engine = create_async_engine(settings.database_url)
new_session = async_sessionmaker(engine, expire_on_commit=False)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        """The durability that contactapp promises, and WAL."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session per request."""
    async with new_session() as session:
        yield session


async def create_tables() -> None:
    """Make the tables, once, before the workers start."""
    from .models import Base

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(create_tables())
