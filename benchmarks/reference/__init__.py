"""The reference: a contacts API as the typical public FastAPI project writes it.

Async SQLAlchemy, a session per request, the user selected by every request, pydantic in and out.
"""
