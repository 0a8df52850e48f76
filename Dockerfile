# The image of kanfunc: builds from a clone with nothing but a container engine.
#
#   docker build -t REGISTRY/kanfunc:TAG .
#
# BASE needs python3 (3.11 or later) with its module venv; RUNTIME needs the same python3 at the same path, and libstdc++
# (RE2). Wheels of google-re2 are for x86-64 and arm64 alone.
ARG BASE=python:3.13-slim
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
WORKDIR /build
# pip stays behind in a virtual environment of its own
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/kanfunc
ENV PIP="/build/tools/bin/python -m pip --disable-pip-version-check --no-cache-dir --quiet"
COPY requirements.txt requirements-build.txt ./
RUN $PIP install --require-hashes -r requirements-build.txt \
 && $PIP --python /opt/kanfunc/bin/python install --no-compile --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY kanfunc kanfunc
RUN $PIP wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && $PIP --python /opt/kanfunc/bin/python install --no-compile --no-deps --no-index wheels/kanfunc-*.whl
# What nobody here imports goes: the Kubernetes client's asynchronous half with its dependencies, and the colours
# of help texts. Its alpha and beta groups stay (stable ones may refer to them), but are not compiled.
RUN site=$(/opt/kanfunc/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && rm -r "$site/kubernetes/aio" "$site/websocket/tests" \
 && $PIP --python /opt/kanfunc/bin/python uninstall --yes aiohttp aiohttp-retry aiohappyeyeballs aiosignal \
    frozenlist multidict propcache yarl rich pygments markdown-it-py mdurl \
 && /opt/kanfunc/bin/python -m compileall -q -j 0 -x 'kubernetes/client/.*(alpha|beta)' /opt/kanfunc

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kanfunc" \
      org.opencontainers.image.description="Proven cold backups of EDB Postgres for Kubernetes and CloudNativePG with Veeam Kasten" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/kanfunc /opt/kanfunc
ENV PATH="/opt/kanfunc/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TYPER_USE_RICH=0
# Any user will do; this one is for engines that ask for a number.
USER 65532:65532
ENTRYPOINT []
CMD ["kanfunc", "--help"]
