"""Settings from the environment, validated before anything starts.

Every field is an environment variable with the prefix ``KEYSTATUS_``; ``keystatus
settings`` prints them with value and meaning.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from tomllib import TOMLDecodeError, loads
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.core.policy import Policy
from streams.errors import UsageError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")]

#: A name or IPv4 address, or an IPv6 address in brackets, and perhaps a port.
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(:\d{1,5})?")


class Settings(BaseSettings):
    """What one process of keystatus is told about its surroundings."""

    model_config = SettingsConfigDict(env_prefix="KEYSTATUS_", frozen=True, extra="ignore")

    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port, separated by commas")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, with a SASL_ protocol"
    )
    kafka_sasl_plain_username: str | None = Field(None, description="SASL user")
    kafka_sasl_plain_password: SecretStr | None = Field(None, description="SASL password; better from the file below")
    kafka_sasl_password_file: Path | None = Field(None, description="file that holds the SASL password")
    kafka_ssl_cafile: Path | None = Field(None, description="certificate authorities to trust, PEM")
    kafka_ssl_certfile: Path | None = Field(None, description="client certificate, PEM")
    kafka_ssl_keyfile: Path | None = Field(None, description="client key, PEM")
    kafka_session_timeout_s: float = Field(10, gt=0, le=300, description="seconds that a dead worker goes unnoticed")
    group_id: Name = Field("keystatus", description="workers with the same id share the work")
    topic_prefix: Name = Field("apikey", description="in front of the five topic names")
    partitions: int = Field(8, ge=1, le=1_000, description="partitions of every topic, for `topics apply`")
    replication_factor: int = Field(1, ge=1, le=10, description="copies of every partition, for `topics apply`")
    policy_file: Path | None = Field(None, description="TOML that overrides the policy's numbers")
    web_host: str = Field("127.0.0.1", description="address of /metrics, /livez and /readyz")
    web_port: int = Field(8710, ge=0, le=65_535, description="its port; 0: any free one, logged at start")
    web_token_file: Path | None = Field(None, description="file with the bearer token; required beyond loopback")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _names_brokers(cls, servers: str) -> str:
        if not all(_ADDRESS.fullmatch(server.strip()) for server in servers.split(",")):
            raise ValueError("write host:port, several of them separated by commas")
        return servers

    @model_validator(mode="after")
    def _knows_who_it_is(self) -> Self:
        has_password = self.kafka_sasl_plain_password or self.kafka_sasl_password_file
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_sasl_plain_username and has_password):
            raise ValueError(
                f"KEYSTATUS_KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}: "
                "set KEYSTATUS_KAFKA_SASL_PLAIN_USERNAME and KEYSTATUS_KAFKA_SASL_PASSWORD_FILE"
            )
        return self

    @model_validator(mode="after")
    def _is_safe_to_serve(self) -> Self:
        if not self.is_loopback and self.web_token_file is None:
            raise ValueError(
                f"KEYSTATUS_WEB_HOST is {self.web_host}, which others can reach: "
                "set KEYSTATUS_WEB_TOKEN_FILE to a file with a token, or bind to 127.0.0.1"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        if self.web_host == "localhost":
            return True
        try:
            return ip_address(self.web_host).is_loopback
        except ValueError:
            return False

    @property
    def web_token(self) -> str | None:
        """The bearer token that ``/metrics`` asks for; None on loopback without a file. Raises UsageError."""
        return _secret(self.web_token_file, "KEYSTATUS_WEB_TOKEN_FILE")

    @property
    def sasl_password(self) -> str | None:
        """The password, from its file if there is one. Raises UsageError."""
        in_file = _secret(self.kafka_sasl_password_file, "KEYSTATUS_KAFKA_SASL_PASSWORD_FILE")
        given = self.kafka_sasl_plain_password
        return in_file if in_file is not None or given is None else given.get_secret_value()


def load_settings() -> Settings:
    """The settings of this process. Raises UsageError with one line per bad variable or secret file."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise UsageError("\n".join(_explain(problem["loc"], problem["msg"]) for problem in error.errors())) from None
    # Read them now: a secret that is not there must be told before anything is started.
    _ = (settings.web_token, settings.sasl_password)
    return settings


def load_policy(settings: Settings) -> Policy:
    """The policy, with the numbers of KEYSTATUS_POLICY_FILE if there is one."""
    if settings.policy_file is None:
        return Policy()
    try:
        return Policy.model_validate(loads(_read(settings.policy_file, "KEYSTATUS_POLICY_FILE")))
    except (TOMLDecodeError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        where = (
            ".".join(str(step) for step in error.errors()[0]["loc"]) if isinstance(error, ValidationError) else "file"
        )
        raise UsageError(f"the policy file {settings.policy_file} is not usable: {where}: {reason}") from None


def _explain(location: tuple[int | str, ...], message: str) -> str:
    if not location:
        return message.removeprefix("Value error, ")
    return f"KEYSTATUS_{str(location[0]).upper()}: {message.removeprefix('Value error, ')}"


def _read(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{variable} names {path}, which cannot be read: {error}") from None


def _secret(path: Path | None, variable: str) -> str | None:
    """What a secret's file holds; an empty one would open a door to everybody."""
    if path is None:
        return None
    secret = _read(path, variable).strip()
    if not secret:
        raise UsageError(f"{variable} names {path}, which is empty: write the secret into it")
    return secret
