# Writer, query service and migrations: one image, the command chooses.
# Build in the repository's root: docker build -f deploy/docker/data-plane.Dockerfile .
FROM python:3.13.9-slim-trixie AS build

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/data-plane.txt requirements/build.txt requirements/
RUN python -m venv /opt/waferscope \
 && /opt/waferscope/bin/pip install --require-hashes --only-binary :all: -r requirements/data-plane.txt \
 && python -m pip install --require-hashes --only-binary :all: -r requirements/build.txt

COPY schemas schemas
COPY instrumentation instrumentation
COPY collector collector
COPY query-api query-api
RUN python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels \
    ./schemas ./instrumentation ./collector ./query-api \
 && /opt/waferscope/bin/pip install --no-deps --no-index wheels/*.whl

FROM python:3.13.9-slim-trixie

LABEL org.opencontainers.image.title="WaferScope data plane" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 waferscope \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin waferscope \
 && install -d -o waferscope -g waferscope /var/cache/waferscope
COPY --from=build /opt/waferscope /opt/waferscope
COPY deploy/docker/healthcheck.py /opt/waferscope/healthcheck.py

# Compiled kernels are kept here. They are for the kind of CPU that builds the image: on another one, each is compiled once
# more, so the folder has to be writable; a volume keeps them over a new container.
ENV PATH=/opt/waferscope/bin:$PATH \
    NUMBA_CACHE_DIR=/var/cache/waferscope \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
RUN waferscope serve query --warm-kernels

# For the default command; compose and charts ask the service that they run.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/waferscope/healthcheck.py", "http://127.0.0.1:14318/v1/readyz"]

ENTRYPOINT ["waferscope"]
CMD ["serve", "writer"]
