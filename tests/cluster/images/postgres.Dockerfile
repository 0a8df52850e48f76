# An operand as CloudNativePG expects it: PostgreSQL's programs on PATH, user postgres with UID 26.
ARG BASE
FROM ${BASE}
RUN groupmod --gid 926 tape \
 && groupadd --system --gid 26 postgres \
 && useradd --system --uid 26 --gid 26 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
 && apt-get update -q \
 && mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
 && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends postgresql \
 && ln -s /usr/lib/postgresql/*/bin /opt/postgresql
COPY edb-hook /usr/local/bin/
ENV PATH=/opt/postgresql:/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8
USER 26
