# What an operand image has: PostgreSQL, its programs on PATH, coreutils; run by an unprivileged user.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends postgresql \
 && ln -s /usr/lib/postgresql/*/bin /opt/postgresql \
 && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data /keys
ENV PATH=/opt/postgresql:/usr/bin:/bin PGDATA=/var/lib/postgresql/data/pgdata LC_ALL=C.UTF-8
USER postgres
CMD ["sleep", "infinity"]
