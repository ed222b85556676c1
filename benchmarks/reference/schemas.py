"""Shapes of requests and answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, EmailStr, Field


class UserCreate(BaseModel):
    """What registers."""

    username: str = Field(min_length=3, max_length=50)
    email: EmailStr
    password: str = Field(min_length=8, max_length=72)


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    username: str
    email: EmailStr
    created_at: datetime


class Token(BaseModel):
    """What signing in gives."""

    access_token: str
    token_type: str = "bearer"


class ContactBase(BaseModel):
    """The fields of a contact."""

    first_name: str | None = Field(None, max_length=100)
    last_name: str | None = Field(None, max_length=100)
    middle_name: str | None = Field(None, max_length=100)
    prefix: str | None = Field(None, max_length=50)
    suffix: str | None = Field(None, max_length=50)
    nickname: str | None = Field(None, max_length=100)
    email: EmailStr | None = None
    phone: str | None = Field(None, max_length=50)
    company: str | None = Field(None, max_length=200)
    department: str | None = Field(None, max_length=200)
    title: str | None = Field(None, max_length=200)
    birthday: str | None = Field(None, max_length=10)
    anniversary: str | None = Field(None, max_length=10)
    starred: bool = False
    custom_fields: dict[str, str] = {}


class ContactCreate(ContactBase):
    """What makes a contact."""


class ContactOut(ContactBase):
    """A contact."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    created_at: datetime
    updated_at: datetime


class ContactPage(BaseModel):
    """Some contacts."""

    items: list[ContactOut]
    total: int
