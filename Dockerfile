# syntax=docker/dockerfile:1
# Two stages: what builds does not ship. The image runs any command of keystatus.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/keystatus
WORKDIR /src
COPY requirements.lock ./
RUN /opt/keystatus/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY streams ./streams
RUN /opt/keystatus/bin/pip install --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home keystatus
COPY --from=build /opt/keystatus /opt/keystatus
ENV PATH=/opt/keystatus/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["keystatus"]
CMD ["worker"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8710/livez', timeout=2)"]
