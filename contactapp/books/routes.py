"""`/api/v1/books`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..http import Blueprint, actor
from ..paging import Pager, answer_page
from ..shapes import Paging
from . import service
from .schemas import BookPage

books = Blueprint("books", __name__, description="The address books one may use", area="contacts")


@books.route("/books")
@books.query(Paging)
@books.response(200, BookPage)
def list_books(query: dict[str, Any]) -> Response:
    """List the address books one may use"""
    who = actor()
    return answer_page(b"books", Pager(who, "books", query).cut(service.list_books(who)))
