"""The worker's web endpoints: ``/metrics``, ``/livez`` and ``/readyz``."""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from streams.errors import WebError
from streams.settings import Settings
from streams.worker.health import Health

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Probes of a supervisor carry no token, and these tell nothing but yes or no.
_OPEN = frozenset({"/livez", "/readyz"})


async def serve(settings: Settings, registry: CollectorRegistry, health: Health) -> tuple[web.AppRunner, str]:
    """Start the endpoints; returns the runner, to clean up, and the base address.

    Raises WebError when the address is taken or not ours.
    """
    application = web.Application(middlewares=[_asking_for(settings.web_token)])
    application.add_routes(
        [
            web.get("/metrics", _metrics(registry)),
            web.get("/livez", _probe(health.liveness)),
            web.get("/readyz", _probe(health.readiness)),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.web_host, settings.web_port).start()
    except OSError as error:
        await runner.cleanup()
        raise WebError(
            f"{settings.web_host}:{settings.web_port} cannot be served ({error.strerror}): "
            "set KEYSTATUS_WEB_PORT to another port, or to 0 for any free one"
        ) from None
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


def _metrics(registry: CollectorRegistry) -> Handler:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return metrics


def _probe(problems: Callable[[], list[str]]) -> Handler:
    """200 with an empty list, or 503 with what is wrong."""

    async def probe(_request: web.Request) -> web.Response:
        found = problems()
        return web.json_response({"ok": not found, "problems": found}, status=503 if found else 200)

    return probe


def _asking_for(token: str | None) -> Middleware:
    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token is None or request.path in _OPEN or hmac.compare_digest(given.encode(), token.encode()):
            return await handler(request)
        return web.json_response({"ok": False, "problems": ["a bearer token is required"]}, status=401)

    return ask
