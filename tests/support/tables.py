"""What a long test found, as a table that can be quoted."""

from __future__ import annotations


def show(capsys, title, rows):
    """Print rows, each {column: value} with the same columns, past pytest's capturing."""
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    with capsys.disabled():
        print(f"\n{title}")
        for line in lines:
            print(
                "  "
                + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            )
