# The product's image: the API (the default command), the worker and the migration, from the same files.
# No embedded server, no sandbox and no test tool is in it.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock requirements-risk.lock ./
# Workers that train models are built with `--build-arg LOCK=requirements-risk.lock`.
ARG LOCK=requirements.lock
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r ${LOCK}

FROM python:3.13-slim AS product
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bursar
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY activities activities
COPY api api
COPY commands commands
COPY console console
COPY contracts contracts
COPY domain domain
COPY ledger ledger
COPY migrations migrations
COPY models models
COPY providers providers
COPY repositories repositories
COPY runtime runtime
COPY services services
COPY workflows workflows
COPY docs/reference/errors.md docs/reference/errors.md
COPY alembic.ini composition.py manage.py server.py worker.py ./
# The file system is read-only where it runs, so each start would compile all of this again.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app
# Where files of exports are kept: a volume that is made from it belongs to the same account.
RUN mkdir -m 0700 /exports && chown 10001 /exports
USER 10001
EXPOSE 8000
CMD ["python", "server.py"]

# The commands of backups need PostgreSQL's own programs: its image, of the same Debian and with the same Python.
FROM postgres:18-trixie AS backup
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/18/bin:$PATH PYTHONPATH=/opt/packages PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=product /opt/venv/lib/python3.13/site-packages /opt/packages
COPY --from=product /app /app
USER postgres
ENTRYPOINT ["python3", "-m", "manage"]

# What is built unless another one is asked for.
FROM product
