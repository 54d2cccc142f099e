"""The drawn states are those that the code knows."""

from streams.core.policy import Policy
from streams.state_diagram import PAGE, page


def test_the_page_is_fresh() -> None:
    """``make docs`` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page(Policy())
