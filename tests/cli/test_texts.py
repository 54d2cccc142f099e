"""The texts are complete: every status, reason, remedy and notice in every language."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from schemas.vocabulary import NoticeKind, Reason, Remedy, Status
from streams import texts
from streams.texts import Heading, Language, Text

TABLES: tuple[tuple[Mapping[str, Text], type[StrEnum]], ...] = (
    (texts.LABELS, Status),
    (texts.MEANINGS, Status),
    (texts.REASONS, Reason),
    (texts.REMEDIES, Remedy),
    (texts.NOTICES, NoticeKind),
    (texts.HEADINGS, Heading),
)


@pytest.mark.parametrize(("table", "names"), TABLES)
def test_complete(table: Mapping[str, Text], names: type[StrEnum]) -> None:
    assert set(table) == set(names)
    for text in table.values():
        assert set(text._fields) == {str(language) for language in Language}
        assert all(line and line == line.strip() for line in text)


@pytest.mark.parametrize("table", [table for table, _ in TABLES[:-1]])
def test_translated(table: Mapping[str, Text]) -> None:
    assert all(text.en != text.nl for text in table.values())


@pytest.mark.parametrize("table", [texts.LABELS, texts.MEANINGS, texts.REASONS])
def test_no_two_say_the_same(table: Mapping[str, Text]) -> None:
    for language in Language:
        assert len({text.to(language) for text in table.values()}) == len(table)


@pytest.mark.parametrize(
    ("days", "english", "dutch"),
    [
        (12, "Expires in 12 days", "Vervalt over 12 dagen"),
        (1, "Expires in 1 day", "Vervalt over 1 dag"),
        (0, "Expires today", "Vervalt vandaag"),
        (-1, "Expires soon", "Vervalt binnenkort"),
        (None, "Expires soon", "Vervalt binnenkort"),
    ],
)
def test_the_label_counts_the_days(days: int | None, english: str, dutch: str) -> None:
    assert texts.label("expiring", days, Language.EN) == english
    assert texts.label("expiring", days, Language.NL) == dutch
    assert texts.label("connected", days, Language.NL) == "Verbonden"


def test_a_value_of_a_later_version_shows_as_it_is() -> None:
    assert texts.label("hibernating", None, Language.EN) == "hibernating"
    assert texts.reason("because", Language.NL) == "because"
    assert texts.remedy(None, Language.NL) == ""
