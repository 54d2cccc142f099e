"""What a status asks of its owner: how much it matters, and what ends the trouble."""

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Reason, Remedy, Severity, Status

#: None is a key that was removed.
SEVERITY: Final[Mapping[Status | None, Severity]] = {
    None: Severity.OK,
    Status.CONNECTED: Severity.OK,
    Status.EXPIRING: Severity.WARNING,
    Status.TEMPORARY_ISSUE: Severity.WARNING,
    Status.INACTIVE_FUTURES: Severity.WARNING,
    Status.EXPIRED: Severity.CRITICAL,
    Status.INCORRECT_PERMISSIONS: Severity.CRITICAL,
    Status.WITHDRAWAL_ENABLED: Severity.CRITICAL,
    Status.INVALID: Severity.CRITICAL,
}

_REMEDY: Final[Mapping[Reason, Remedy]] = {
    Reason.ALL_GOOD: Remedy.NONE,
    Reason.REMOVED: Remedy.NONE,
    Reason.EXPIRES_SOON: Remedy.BIND_IP,
    Reason.EXCHANGE_REPORTED: Remedy.RENEW_KEY,
    Reason.POLICY_DELETED: Remedy.RENEW_KEY,
    Reason.EXPIRY_PASSED: Remedy.RENEW_KEY,
    Reason.PERMISSION_EXPIRED_BY_POLICY: Remedy.REENABLE_PERMISSIONS,
    Reason.WITHDRAWAL_PERMISSION: Remedy.DISABLE_WITHDRAWAL,
    Reason.MISSING_PERMISSION: Remedy.FIX_PERMISSIONS,
    Reason.PERMISSION_DENIED: Remedy.FIX_PERMISSIONS,
    Reason.IP_NOT_ALLOWED: Remedy.BIND_IP,
    Reason.FUTURES_NOT_REGISTERED: Remedy.ENABLE_FUTURES,
    Reason.FUTURES_PERMISSION_OFF: Remedy.ENABLE_FUTURES,
    Reason.FUTURES_NOT_ENABLED: Remedy.ENABLE_FUTURES,
    Reason.KEY_NOT_FOUND: Remedy.REPLACE_KEY,
    Reason.KEY_MALFORMED: Remedy.REPLACE_KEY,
    Reason.SIGNATURE_MISMATCH: Remedy.REPLACE_KEY,
    Reason.PASSPHRASE_MISMATCH: Remedy.REPLACE_KEY,
    Reason.AUTH_FAILED_UNSPECIFIED: Remedy.REPLACE_KEY,
    Reason.KEY_NOT_ACTIVATED: Remedy.CONTACT_EXCHANGE,
    Reason.KEY_DISABLED: Remedy.CONTACT_EXCHANGE,
    Reason.ACCOUNT_SUSPENDED: Remedy.CONTACT_EXCHANGE,
    Reason.KYC_REQUIRED: Remedy.CONTACT_EXCHANGE,
    Reason.REGION_RESTRICTED: Remedy.CONTACT_EXCHANGE,
    Reason.RATE_LIMITED: Remedy.WAIT,
    Reason.CLOCK_SKEW: Remedy.WAIT,
    Reason.NONCE: Remedy.WAIT,
    Reason.MAINTENANCE: Remedy.WAIT,
    Reason.EXCHANGE_UNAVAILABLE: Remedy.WAIT,
    Reason.TIMEOUT: Remedy.WAIT,
    Reason.NETWORK: Remedy.WAIT,
    Reason.BAD_RESPONSE: Remedy.WAIT,
    Reason.EGRESS_BLOCKED: Remedy.WAIT,
    Reason.EXCHANGE_INCIDENT: Remedy.WAIT,
}


def remedy_for(reason: Reason, *, ip_restricted: bool | None) -> Remedy:
    """What to do. A key that expires although it is bound to IP addresses must be renewed."""
    if reason is Reason.EXPIRES_SOON and ip_restricted:
        return Remedy.RENEW_KEY
    return _REMEDY[reason]
