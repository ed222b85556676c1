"""`/api/v1/books`."""

from __future__ import annotations

from flask import Response

from ..answers import answer_object
from ..http import Blueprint, actor
from . import service
from .schemas import BookPage

books = Blueprint("books", __name__, description="The address books one may use")


@books.route("/books")
@books.response(200, BookPage)
def list_books() -> Response:
    """List the address books one may use"""
    found = service.list_books(actor())
    return answer_object({"items": found, "next_cursor": None, "total": len(found)})
