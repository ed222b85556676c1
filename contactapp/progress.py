"""How far a command has come, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]  # by so many more


@contextmanager
def progress(label: str, length: int) -> Iterator[Advance]:
    """A bar from nothing to `length`, with the time that is left; where nobody watches, only its
    label, for a log is no place for it."""
    # Here: a command that shows none need not wait for what draws it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(label)
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeLeft())
    with Progress(*columns, console=console) as drawn:
        task = drawn.add_task(label, total=length)
        yield lambda some: drawn.advance(task, some)
