"""docs/verification.md shows the very table that is tested."""

from tests.damage.documented import BEGIN, END, PAGE, page
from tests.damage.kinds import KINDS


def test_the_page_shows_what_is_tested() -> None:
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert text == page(text), "make it anew: python -m tests.damage.documented"
    assert len(KINDS) > 20
