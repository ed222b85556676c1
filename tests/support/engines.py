"""Where one engine shows what two would."""

import pytest

# For tables whose verdict falls before the first statement of SQL, or in a view of a book, which
# knows no engine. Every route's own statements run on both in the tests beside them.
on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
