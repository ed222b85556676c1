"""The routes that are measured, at contactapp's paths."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.security import OAuth2PasswordRequestForm
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError

from .models import Contact, User
from .schemas import ContactCreate, ContactOut, ContactPage, Token, UserCreate, UserOut
from .security import CurrentUser, SessionDep, create_access_token, hash_password, verify_password

router = APIRouter(prefix="/api/v1")
Limit = Annotated[int, Query(ge=1, le=500)]
SEARCHED = (
    Contact.first_name,
    Contact.last_name,
    Contact.nickname,
    Contact.email,
    Contact.phone,
    Contact.company,
)


@router.post("/auth/register", response_model=UserOut, status_code=201)
async def register(data: UserCreate, session: SessionDep) -> User:
    """Make an account."""
    hashed = await run_in_threadpool(hash_password, data.password)
    user = User(username=data.username, email=data.email, hashed_password=hashed)
    session.add(user)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "Username or email already registered") from None
    return user


@router.post("/auth/token", response_model=Token)
async def token(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], session: SessionDep
) -> Token:
    """Sign in. The hash runs on a thread, or it would stop every other request."""
    query = select(User).where(User.username == form.username)
    user = (await session.execute(query)).scalar_one_or_none()
    if user is None or not await run_in_threadpool(
        verify_password, form.password, user.hashed_password
    ):
        raise HTTPException(401, "Incorrect username or password")
    return Token(access_token=create_access_token(user.id))


@router.get("/contacts", response_model=ContactPage)
async def list_contacts(
    user: CurrentUser,
    session: SessionDep,
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """List contacts."""
    query = select(Contact).where(Contact.owner_id == user.id)
    return await _page(session, query, skip, limit)


@router.get("/contacts/search", response_model=ContactPage)
async def search_contacts(
    q: str, user: CurrentUser, session: SessionDep, limit: Limit = 50
) -> dict[str, Any]:
    """Search contacts."""
    found = or_(*(column.ilike(f"%{q}%") for column in SEARCHED))
    query = select(Contact).where(Contact.owner_id == user.id, found)
    return await _page(session, query, 0, limit)


@router.get("/contacts/{contact_id}", response_model=ContactOut)
async def get_contact(contact_id: int, user: CurrentUser, session: SessionDep) -> Contact:
    """Show a contact."""
    query = select(Contact).where(Contact.id == contact_id, Contact.owner_id == user.id)
    contact = (await session.execute(query)).scalar_one_or_none()
    if contact is None:
        raise HTTPException(404, "Contact not found")
    return contact


@router.post("/contacts", response_model=ContactOut, status_code=201)
async def create_contact(data: ContactCreate, user: CurrentUser, session: SessionDep) -> Contact:
    """Add a contact."""
    contact = Contact(**data.model_dump(), owner_id=user.id)
    session.add(contact)
    await session.commit()
    await session.refresh(contact)
    return contact


async def _page(
    session: SessionDep, query: Select[tuple[Contact]], skip: int, limit: int
) -> dict[str, Any]:
    total = await session.scalar(select(func.count()).select_from(query.subquery()))
    rows = await session.execute(query.order_by(Contact.id).offset(skip).limit(limit))
    return {"items": rows.scalars().all(), "total": total}
