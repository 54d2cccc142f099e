"""A faulty rule file is refused, with file and line. Each `lint/<fault>.toml` has its `<fault>.expected`."""

import shutil
from pathlib import Path

import pytest

from schemas.vocabulary import ErrorType
from streams.catalogue import PACKAGED_RULES, RulesError, load_rules, read_rule_file
from streams.core.rule_files import lint

FAULTS = sorted(Path(__file__).with_name("lint").glob("*.toml"))


@pytest.mark.parametrize("faulty", [pytest.param(path, id=path.stem) for path in FAULTS])
def test_a_faulty_file_is_refused(faulty: Path, tmp_path: Path) -> None:
    """Every problem, one a line, and nothing else."""
    shutil.copy(faulty, tmp_path)
    with pytest.raises(RulesError) as refused:
        load_rules(tmp_path)
    assert faulty.with_suffix(".expected").read_text(encoding="utf-8") == f"{refused.value}\n"


def test_the_packaged_rules_are_sound() -> None:
    """No problem in any of them; each names its sources and speaks known error types."""
    assert lint([read_rule_file(path) for path in sorted(PACKAGED_RULES.glob("*.toml"))]) == ()
    rules = load_rules()
    assert all(rule.source.startswith("https://") for rule in rules.rules())
    assert {rule.error_type for rule in rules.rules()} >= set(ErrorType) - {ErrorType.KEY_NOT_ACTIVATED}


def test_two_files_for_one_exchange_are_refused(tmp_path: Path) -> None:
    """An alias counts as a name."""
    shutil.copy(PACKAGED_RULES / "htx.toml", tmp_path)
    tail = 'checked = 2026-11-24\nsource = "https://example.com"\n'
    (tmp_path / "huobi.toml").write_text('exchange = "huobi"\n' + tail, encoding="utf-8")
    with pytest.raises(RulesError, match=r'^huobi\.toml:1: exchange "huobi" has two files$'):
        load_rules(tmp_path)


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    """One start shows every problem, by file and line."""
    for path in FAULTS:
        shutil.copy(path, tmp_path)
    with pytest.raises(RulesError) as refused:
        load_rules(tmp_path)
    told = str(refused.value).splitlines()
    for path in FAULTS:
        assert set(path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()) <= set(told)


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    """A wrong path must not leave the worker without rules."""
    with pytest.raises(RulesError, match="no rule file here"):
        load_rules(tmp_path)
