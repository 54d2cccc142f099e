"""The closed vocabularies that every payload, rule and metric speaks.

A reader treats a value it does not know as "unknown", never as an error: new
members may be added in a minor release.
"""

from enum import StrEnum


class Status(StrEnum):
    """What a key is, as its owner sees it."""

    CONNECTED = "connected"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    INCORRECT_PERMISSIONS = "incorrect_permissions"
    WITHDRAWAL_ENABLED = "withdrawal_enabled"
    TEMPORARY_ISSUE = "temporary_issue"
    INVALID = "invalid"
    INACTIVE_FUTURES = "inactive_futures"


class Severity(StrEnum):
    """How much it matters: nothing to do, look at it, trading has stopped."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


class Remedy(StrEnum):
    """What ends the trouble."""

    NONE = "none"
    WAIT = "wait"
    BIND_IP = "bind_ip"
    REENABLE_PERMISSIONS = "reenable_permissions"
    RENEW_KEY = "renew_key"
    FIX_PERMISSIONS = "fix_permissions"
    DISABLE_WITHDRAWAL = "disable_withdrawal"
    ENABLE_FUTURES = "enable_futures"
    CONTACT_EXCHANGE = "contact_exchange"
    REPLACE_KEY = "replace_key"


class ErrorType(StrEnum):
    """What an exchange's error answer means, the same for every exchange."""

    KEY_NOT_FOUND = "key_not_found"
    KEY_MALFORMED = "key_malformed"
    SIGNATURE_MISMATCH = "signature_mismatch"
    PASSPHRASE_MISMATCH = "passphrase_mismatch"  # noqa: S105 - a name, not a secret
    KEY_NOT_ACTIVATED = "key_not_activated"
    KEY_DISABLED = "key_disabled"
    KEY_EXPIRED = "key_expired"
    IP_NOT_ALLOWED = "ip_not_allowed"
    PERMISSION_DENIED = "permission_denied"
    FUTURES_NOT_ENABLED = "futures_not_enabled"
    ACCOUNT_SUSPENDED = "account_suspended"
    KYC_REQUIRED = "kyc_required"
    REGION_RESTRICTED = "region_restricted"
    AUTH_FAILED_UNSPECIFIED = "auth_failed_unspecified"
    RATE_LIMITED = "rate_limited"
    CLOCK_SKEW = "clock_skew"
    NONCE = "nonce"
    MAINTENANCE = "maintenance"
    EXCHANGE_UNAVAILABLE = "exchange_unavailable"
    TIMEOUT = "timeout"
    NETWORK = "network"
    BAD_RESPONSE = "bad_response"
    EGRESS_BLOCKED = "egress_blocked"
    REQUEST_REJECTED = "request_rejected"
    UNCLASSIFIED = "unclassified"


class Certainty(StrEnum):
    """How far one answer of this kind can be believed.

    ``definite`` settles the matter, ``ambiguous`` needs a second one,
    ``inconclusive`` tells about the exchange rather than the key, and
    ``irrelevant`` tells nothing about the key at all.
    """

    DEFINITE = "definite"
    AMBIGUOUS = "ambiguous"
    INCONCLUSIVE = "inconclusive"
    IRRELEVANT = "irrelevant"


class Reason(StrEnum):
    """Why a key has its status. Error types are reasons under their own name."""

    # the key works
    ALL_GOOD = "all_good"
    EXPIRES_SOON = "expires_soon"
    # the exchange took the key or its rights away
    EXCHANGE_REPORTED = "exchange_reported"
    POLICY_DELETED = "policy_deleted"
    PERMISSION_EXPIRED_BY_POLICY = "permission_expired_by_policy"
    EXPIRY_PASSED = "expiry_passed"
    # rights that are missing, or that should be
    WITHDRAWAL_PERMISSION = "withdrawal_permission"
    MISSING_PERMISSION = "missing_permission"
    FUTURES_NOT_REGISTERED = "futures_not_registered"
    FUTURES_PERMISSION_OFF = "futures_permission_off"
    # many keys of the exchange fail at once: what each answer says of its key is not believed
    EXCHANGE_INCIDENT = "exchange_incident"
    # the owner took the key out of the platform
    REMOVED = "removed"
    # an error type, taken over as it is
    KEY_NOT_FOUND = "key_not_found"
    KEY_MALFORMED = "key_malformed"
    SIGNATURE_MISMATCH = "signature_mismatch"
    PASSPHRASE_MISMATCH = "passphrase_mismatch"  # noqa: S105 - a name, not a secret
    KEY_NOT_ACTIVATED = "key_not_activated"
    KEY_DISABLED = "key_disabled"
    IP_NOT_ALLOWED = "ip_not_allowed"
    PERMISSION_DENIED = "permission_denied"
    FUTURES_NOT_ENABLED = "futures_not_enabled"
    ACCOUNT_SUSPENDED = "account_suspended"
    KYC_REQUIRED = "kyc_required"
    REGION_RESTRICTED = "region_restricted"
    AUTH_FAILED_UNSPECIFIED = "auth_failed_unspecified"
    RATE_LIMITED = "rate_limited"
    CLOCK_SKEW = "clock_skew"
    NONCE = "nonce"
    MAINTENANCE = "maintenance"
    EXCHANGE_UNAVAILABLE = "exchange_unavailable"
    TIMEOUT = "timeout"
    NETWORK = "network"
    BAD_RESPONSE = "bad_response"
    EGRESS_BLOCKED = "egress_blocked"


class Permission(StrEnum):
    """A right that a key may carry at its exchange."""

    READ = "read"
    SPOT_TRADE = "spot_trade"
    MARGIN_TRADE = "margin_trade"
    FUTURES_TRADE = "futures_trade"
    WITHDRAW = "withdraw"
    INTERNAL_TRANSFER = "internal_transfer"


class Environment(StrEnum):
    """Which of an exchange's worlds the key belongs to."""

    MAIN = "main"
    TESTNET = "testnet"
    DEMO = "demo"


class CheckTrigger(StrEnum):
    """Why the connector looked at the key."""

    SCHEDULED = "scheduled"
    CONNECT = "connect"
    USER_REFRESH = "user_refresh"
    ORDER_FAILURE = "order_failure"


class Outcome(StrEnum):
    """Whether the exchange answered the check with success."""

    OK = "ok"
    ERROR = "error"


class ReportedState(StrEnum):
    """The exchange's own word for the key."""

    NORMAL = "normal"
    EXPIRED = "expired"
    LOCKED = "locked"
    FROZEN = "frozen"
    DISABLED = "disabled"


class ChangeTrigger(StrEnum):
    """What kind of record made a status change."""

    CHECK = "check"
    DEADLINE = "deadline"
    REMOVAL = "removal"


class DeadlineKind(StrEnum):
    """What falls due.

    The end date comes near (``expiring``) or is there (``expiry``), the owner is to be
    reminded of it (``reminder``), trouble has lasted long enough to be told (``lasting``),
    no result has come for too long (``stale``), a flapping key has been calm (``settled``).
    """

    EXPIRING = "expiring"
    EXPIRY = "expiry"
    REMINDER = "reminder"
    LASTING = "lasting"
    STALE = "stale"
    SETTLED = "settled"


class NoticeKind(StrEnum):
    """What a notice tells, without a change of status.

    The last two are about an exchange rather than a key.
    """

    EXPIRY_REMINDER = "expiry_reminder"
    STALE = "stale"
    FRESH = "fresh"
    SETTLED = "settled"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_CLOSED = "incident_closed"


class DeadLetterReason(StrEnum):
    """Why a record could not be read."""

    MALFORMED_JSON = "malformed_json"
    INVALID = "invalid"
    KEY_MISMATCH = "key_mismatch"
    TOO_LARGE = "too_large"
    UNSUPPORTED_VERSION = "unsupported_version"
    SECRET_IN_PAYLOAD = "secret_in_payload"  # noqa: S105 - a name, not a secret
    INTERNAL_ERROR = "internal_error"
