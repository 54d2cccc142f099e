"""The errors that end a command, by what the reader has to do, each with its exit code."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes. 70 to 79 are fatal worker errors: a supervisor restarts the worker."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    BROKER_UNREACHABLE = 70
    TOPICS_WRONG = 71
    FENCED = 72
    TRANSACTION_FAILED = 73
    RECOVERY_FAILED = 74
    STUCK = 75
    AGENT_FAILED = 76
    STOP_TIMED_OUT = 77
    WRONG_VERSIONS = 78
    WEB_FAILED = 79


class KeystatusError(Exception):
    """A fault told in one line that says what to do."""

    exit_code = Exit.FAILURE


class UsageError(KeystatusError):
    """A setting, option or file of the caller is wrong."""

    exit_code = Exit.USAGE


class BrokerUnreachableError(KeystatusError):
    """No Kafka broker answers."""

    exit_code = Exit.BROKER_UNREACHABLE


class TopicsError(KeystatusError):
    """The topics are not as they have to be."""

    exit_code = Exit.TOPICS_WRONG


class VersionsError(KeystatusError):
    """A library is not the version whose private methods the worker was tested with."""

    exit_code = Exit.WRONG_VERSIONS


class WebError(KeystatusError):
    """The address of the web endpoints cannot be used."""

    exit_code = Exit.WEB_FAILED
