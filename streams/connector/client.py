"""What is used of a ccxt client. ccxt has no types, and nothing here imports it."""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol


class Client(Protocol):
    """An exchange of ``ccxt.async_support``, with its credentials set.

    Beside these names it has one method for each endpoint, such as ``privatePostGetApiKeyInfo``.
    """

    id: str
    apiKey: str | None  # noqa: N815 - ccxt's name
    secret: str | None
    password: str | None
    options: dict[str, Any]
    urls: dict[str, Any]

    def fetch_balance(self) -> Awaitable[Any]: ...
    def fetch(
        self,
        url: str,
        method: str = ...,
        headers: object = ...,
        body: object = ...,
    ) -> Awaitable[Any]: ...
    def on_rest_response(self, *response: Any) -> str: ...  # noqa: ANN401 - ccxt's own
    async def close(self) -> None: ...


#: HTTP headers as ccxt hands them on.
Headers = Mapping[str, str]
