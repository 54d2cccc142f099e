"""What people read about a key, in English and Dutch. Complete: a test compares it with the vocabulary.

The functions take what a payload says, as text or None, and bear a value that they do not
know, since a reader treats that as unknown: they show it as it is.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.vocabulary import NoticeKind, Reason, Remedy, Status


class Language(StrEnum):
    """A language that people read."""

    EN = "en"
    NL = "nl"


class Text(NamedTuple):
    """The same in every language; the fields are those of ``Language``."""

    en: str
    nl: str

    def to(self, language: Language) -> str:
        return str(getattr(self, language))


#: The label of ``expiring`` counts the days; this is its form when they are not known.
LABELS: Final[Mapping[str, Text]] = {
    Status.CONNECTED: Text("Connected", "Verbonden"),
    Status.EXPIRING: Text("Expires soon", "Vervalt binnenkort"),
    Status.EXPIRED: Text("Expired", "Verlopen"),
    Status.INCORRECT_PERMISSIONS: Text("Incorrect permissions", "Onjuiste machtigingen"),
    Status.WITHDRAWAL_ENABLED: Text("Withdrawal enabled", "Opnames ingeschakeld"),
    Status.TEMPORARY_ISSUE: Text("Temporary issue", "Tijdelijk probleem"),
    Status.INVALID: Text("Invalid", "Ongeldig"),
    Status.INACTIVE_FUTURES: Text("Inactive futures", "Inactieve futures"),
}

NO_STATUS: Final = Text("No status yet", "Nog geen status")
REMOVED: Final = Text("Removed", "Verwijderd")

_EXPIRES_TODAY: Final = Text("Expires today", "Vervalt vandaag")
_EXPIRES_TOMORROW: Final = Text("Expires in 1 day", "Vervalt over 1 dag")
_EXPIRES_IN: Final = Text("Expires in {days} days", "Vervalt over {days} dagen")

MEANINGS: Final[Mapping[str, Text]] = {
    Status.CONNECTED: Text(
        "The key works, and every required permission is there.",
        "De sleutel werkt en heeft alle vereiste machtigingen.",
    ),
    Status.EXPIRING: Text(
        "The key works, but the exchange will end it at a known time.",
        "De sleutel werkt, maar de beurs laat hem op een bekend tijdstip vervallen.",
    ),
    Status.EXPIRED: Text(
        "The exchange took the key or its permissions away, by its time or IP policy.",
        "De beurs heeft de sleutel of zijn machtigingen ingetrokken, volgens haar tijd- of IP-beleid.",
    ),
    Status.INCORRECT_PERMISSIONS: Text(
        "A required permission was never granted, or the platform's IP address is not allowed.",
        "Een vereiste machtiging is nooit verleend, of het IP-adres van het platform is niet toegestaan.",
    ),
    Status.WITHDRAWAL_ENABLED: Text(
        "The key may withdraw funds; such a key is not used.",
        "De sleutel mag tegoeden opnemen; zo'n sleutel wordt niet gebruikt.",
    ),
    Status.TEMPORARY_ISSUE: Text(
        "The exchange has trouble; the key itself is not to blame.",
        "De beurs heeft een storing; het ligt niet aan de sleutel.",
    ),
    Status.INVALID: Text(
        "The key does not exist or cannot be used.",
        "De sleutel bestaat niet of kan niet worden gebruikt.",
    ),
    Status.INACTIVE_FUTURES: Text(
        "The key has no futures, and the customer trades futures.",
        "De sleutel heeft geen futures, terwijl de klant in futures handelt.",
    ),
}

REASONS: Final[Mapping[str, Text]] = {
    Reason.ALL_GOOD: Text("everything is in order", "alles is in orde"),
    Reason.EXPIRES_SOON: Text("the exchange will end the key soon", "de beurs laat de sleutel binnenkort vervallen"),
    Reason.EXCHANGE_REPORTED: Text(
        "the exchange says that the key has expired", "de beurs meldt dat de sleutel verlopen is"
    ),
    Reason.POLICY_DELETED: Text(
        "the exchange deleted the key by its policy", "de beurs heeft de sleutel volgens haar beleid verwijderd"
    ),
    Reason.PERMISSION_EXPIRED_BY_POLICY: Text(
        "the exchange took the permission away by its policy",
        "de beurs heeft de machtiging volgens haar beleid ingetrokken",
    ),
    Reason.EXPIRY_PASSED: Text("the key's end date has passed", "de einddatum van de sleutel is verstreken"),
    Reason.WITHDRAWAL_PERMISSION: Text("the key may withdraw funds", "de sleutel mag tegoeden opnemen"),
    Reason.MISSING_PERMISSION: Text("a required permission is off", "een vereiste machtiging staat uit"),
    Reason.FUTURES_NOT_REGISTERED: Text(
        "the customer has no futures account at the exchange", "de klant heeft geen futuresaccount bij de beurs"
    ),
    Reason.FUTURES_PERMISSION_OFF: Text(
        "the key's futures permission is off", "de futuresmachtiging van de sleutel staat uit"
    ),
    Reason.EXCHANGE_INCIDENT: Text(
        "many keys of this exchange fail at once", "veel sleutels van deze beurs falen tegelijk"
    ),
    Reason.REMOVED: Text("the owner removed the key", "de eigenaar heeft de sleutel verwijderd"),
    Reason.KEY_NOT_FOUND: Text("the exchange does not know the key", "de beurs kent de sleutel niet"),
    Reason.KEY_MALFORMED: Text("the key is not written as it should be", "de sleutel heeft niet de juiste vorm"),
    Reason.SIGNATURE_MISMATCH: Text(
        "the secret does not belong to the key", "de geheime sleutel hoort niet bij deze sleutel"
    ),
    Reason.PASSPHRASE_MISMATCH: Text(
        "the passphrase does not belong to the key", "de wachtwoordzin hoort niet bij deze sleutel"
    ),
    Reason.KEY_NOT_ACTIVATED: Text("the key is not activated", "de sleutel is niet geactiveerd"),
    Reason.KEY_DISABLED: Text("the exchange has disabled the key", "de beurs heeft de sleutel uitgeschakeld"),
    Reason.IP_NOT_ALLOWED: Text(
        "the key does not allow the platform's IP address", "de sleutel staat het IP-adres van het platform niet toe"
    ),
    Reason.PERMISSION_DENIED: Text("the key lacks a permission", "de sleutel mist een machtiging"),
    Reason.FUTURES_NOT_ENABLED: Text("futures are not enabled", "futures zijn niet ingeschakeld"),
    Reason.ACCOUNT_SUSPENDED: Text("the account is frozen or suspended", "het account is bevroren of geschorst"),
    Reason.KYC_REQUIRED: Text(
        "the exchange asks the owner for proof of identity", "de beurs vraagt de eigenaar om een identiteitsbewijs"
    ),
    Reason.REGION_RESTRICTED: Text("the exchange does not serve this region", "de beurs is niet actief in deze regio"),
    Reason.AUTH_FAILED_UNSPECIFIED: Text(
        "the exchange refuses the key and does not say why", "de beurs weigert de sleutel en zegt niet waarom"
    ),
    Reason.RATE_LIMITED: Text("there were too many requests", "er waren te veel verzoeken"),
    Reason.CLOCK_SKEW: Text(
        "the clocks of platform and exchange differ", "de klokken van het platform en de beurs lopen niet gelijk"
    ),
    Reason.NONCE: Text("requests arrived out of order", "verzoeken kwamen in de verkeerde volgorde aan"),
    Reason.MAINTENANCE: Text("the exchange is under maintenance", "de beurs is in onderhoud"),
    Reason.EXCHANGE_UNAVAILABLE: Text("the exchange is not available", "de beurs is niet beschikbaar"),
    Reason.TIMEOUT: Text("the exchange did not answer in time", "de beurs antwoordde niet op tijd"),
    Reason.NETWORK: Text("the exchange cannot be reached", "de beurs is niet bereikbaar"),
    Reason.BAD_RESPONSE: Text("the exchange's answer cannot be read", "het antwoord van de beurs is onleesbaar"),
    Reason.EGRESS_BLOCKED: Text(
        "the exchange blocks the platform's IP address for now",
        "de beurs blokkeert het IP-adres van het platform tijdelijk",
    ),
}

REMEDIES: Final[Mapping[str, Text]] = {
    Remedy.NONE: Text("nothing to do", "er hoeft niets te gebeuren"),
    Remedy.WAIT: Text("wait, it passes by itself", "wacht af, het gaat vanzelf over"),
    Remedy.BIND_IP: Text(
        "bind the key to the platform's IP addresses at the exchange",
        "koppel de sleutel bij de beurs aan de IP-adressen van het platform",
    ),
    Remedy.REENABLE_PERMISSIONS: Text(
        "re-enable the permissions at the exchange", "schakel de machtigingen bij de beurs weer in"
    ),
    Remedy.RENEW_KEY: Text("renew the key at the exchange", "vernieuw de sleutel bij de beurs"),
    Remedy.FIX_PERMISSIONS: Text(
        "compare the key's permissions with the instructions",
        "vergelijk de machtigingen van de sleutel met de instructies",
    ),
    Remedy.DISABLE_WITHDRAWAL: Text(
        "switch the withdrawal permission off at the exchange", "schakel de opnamemachtiging bij de beurs uit"
    ),
    Remedy.ENABLE_FUTURES: Text(
        "open the futures account and enable futures on the key",
        "open het futuresaccount en schakel futures voor de sleutel in",
    ),
    Remedy.CONTACT_EXCHANGE: Text("contact the exchange", "neem contact op met de beurs"),
    Remedy.REPLACE_KEY: Text("connect a new key", "verbind een nieuwe sleutel"),
}

#: What a notice tells; a reminder's text is the label with its days.
NOTICES: Final[Mapping[str, Text]] = {
    NoticeKind.EXPIRY_REMINDER: Text("reminder", "herinnering"),
    NoticeKind.STALE: Text(
        "no results any more: see to the connector", "geen resultaten meer: controleer de connector"
    ),
    NoticeKind.FRESH: Text("results arrive again", "er komen weer resultaten binnen"),
    NoticeKind.SETTLED: Text("its status has settled", "de status is weer stabiel"),
    NoticeKind.INCIDENT_OPENED: Text("many keys fail at once", "veel sleutels falen tegelijk"),
    NoticeKind.INCIDENT_CLOSED: Text("the exchange has recovered", "de beurs is hersteld"),
}


class Heading(StrEnum):
    """The lines of one key's page."""

    STATUS = "status"
    SINCE = "since"
    MEANING = "meaning"
    REASON = "reason"
    REMEDY = "remedy"
    ALSO = "also"
    EXPIRES = "expires"
    OBSERVED = "observed"


HEADINGS: Final[Mapping[str, Text]] = {
    Heading.STATUS: Text("Status", "Status"),
    Heading.SINCE: Text("Since", "Sinds"),
    Heading.MEANING: Text("Meaning", "Betekenis"),
    Heading.REASON: Text("Reason", "Reden"),
    Heading.REMEDY: Text("What to do", "Wat te doen"),
    Heading.ALSO: Text("Also", "Ook"),
    Heading.EXPIRES: Text("Ends", "Eindigt"),
    Heading.OBSERVED: Text("Last result", "Laatste resultaat"),
}

STALE: Final = Text("stale: no result when one was due", "verouderd: geen resultaat toen dat werd verwacht")
_DAYS: Final = Text("{days} days left", "nog {days} dagen")
_DAY: Final = Text("1 day left", "nog 1 dag")
_TODAY: Final = Text("today", "vandaag")
_OVER: Final = Text("passed", "verstreken")


def label(status: str | None, days_left: int | None, language: Language) -> str:
    """The status as its owner sees it; "Expires in 12 days" counts."""
    if status is None:
        return NO_STATUS.to(language)
    if status == Status.EXPIRING and days_left is not None and days_left >= 0:
        exact = {0: _EXPIRES_TODAY, 1: _EXPIRES_TOMORROW}
        return exact.get(days_left, _EXPIRES_IN).to(language).format(days=days_left)
    return _say(LABELS, status, language)


def meaning(status: str | None, language: Language) -> str:
    """What a status means."""
    return _say(MEANINGS, status, language)


def reason(name: str | None, language: Language) -> str:
    """Why a key has its status, as a clause."""
    return _say(REASONS, name, language)


def remedy(name: str | None, language: Language) -> str:
    """What to do, as an order."""
    return _say(REMEDIES, name, language)


def notice(kind: str | None, language: Language) -> str:
    """What a notice tells."""
    return _say(NOTICES, kind, language)


def days(left: int, language: Language) -> str:
    """How long a key has left."""
    if left < 0:
        return _OVER.to(language)
    return {0: _TODAY, 1: _DAY}.get(left, _DAYS).to(language).format(days=left)


def _say(texts: Mapping[str, Text], name: str | None, language: Language) -> str:
    if name is None:
        return ""
    text = texts.get(name)
    return name if text is None else text.to(language)
