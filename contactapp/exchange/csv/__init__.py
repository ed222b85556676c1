"""CSV: that of Google, Outlook, Thunderbird and anybody is read, our own written."""

from .own import Layout
from .reading import Header, header, read
from .writing import write

__all__ = ["Header", "Layout", "header", "read", "write"]
