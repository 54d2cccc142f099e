"""What a status asks of its owner: complete tables, and advice that fits the reason."""

import pytest

from schemas.vocabulary import Reason, Remedy, Severity, Status
from streams.core.advice import SEVERITY, remedy_for
from tests.factories import Story, after

#: Every remedy with every reason that it cures.
CURES = {
    Remedy.NONE: "all_good removed",
    Remedy.WAIT: "rate_limited clock_skew nonce maintenance exchange_unavailable timeout network bad_response "
    "egress_blocked exchange_incident",
    Remedy.BIND_IP: "expires_soon ip_not_allowed",
    Remedy.REENABLE_PERMISSIONS: "permission_expired_by_policy",
    Remedy.RENEW_KEY: "exchange_reported policy_deleted expiry_passed",
    Remedy.FIX_PERMISSIONS: "missing_permission permission_denied",
    Remedy.DISABLE_WITHDRAWAL: "withdrawal_permission",
    Remedy.ENABLE_FUTURES: "futures_not_registered futures_permission_off futures_not_enabled",
    Remedy.CONTACT_EXCHANGE: "key_not_activated key_disabled account_suspended kyc_required region_restricted",
    Remedy.REPLACE_KEY: "key_not_found key_malformed signature_mismatch passphrase_mismatch auth_failed_unspecified",
}


@pytest.mark.parametrize(
    ("reason", "remedy"), [(Reason(name), remedy) for remedy, names in CURES.items() for name in names.split()]
)
def test_a_reason_has_its_remedy(reason: Reason, remedy: Remedy) -> None:
    assert remedy_for(reason, ip_restricted=None) is remedy


def test_every_reason_and_every_remedy_is_tested_above() -> None:
    assert sorted(name for names in CURES.values() for name in names.split()) == sorted(Reason)
    assert set(CURES) == set(Remedy)


def test_a_bound_key_that_ends_must_be_renewed() -> None:
    """Binding it to addresses cannot help any more."""
    assert remedy_for(Reason.EXPIRES_SOON, ip_restricted=True) is Remedy.RENEW_KEY
    assert remedy_for(Reason.EXPIRES_SOON, ip_restricted=False) is Remedy.BIND_IP


def test_the_remedy_of_a_change_by_a_deadline_knows_that_the_key_is_bound() -> None:
    story = Story()
    story.ok(expires_at=after(days=40), ip_restricted=True)
    change = story.falls_due().change
    assert change is not None
    assert change.remedy is Remedy.RENEW_KEY


def test_severity_follows_the_colours_of_the_trade() -> None:
    """Green, orange, red; a removed key is nobody's trouble."""
    assert {severity: {status for status, own in SEVERITY.items() if own is severity} for severity in Severity} == {
        Severity.OK: {None, Status.CONNECTED},
        Severity.WARNING: {Status.EXPIRING, Status.TEMPORARY_ISSUE, Status.INACTIVE_FUTURES},
        Severity.CRITICAL: {
            Status.EXPIRED,
            Status.INCORRECT_PERMISSIONS,
            Status.WITHDRAWAL_ENABLED,
            Status.INVALID,
        },
    }
