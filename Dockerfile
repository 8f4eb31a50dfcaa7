# The product's image: the API (the default command), the worker and the migration, from the same files.
# No embedded server, no sandbox and no test tool is in it.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock .
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bursar
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY activities activities
COPY api api
COPY commands commands
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
COPY docs/errors.md docs/errors.md
COPY alembic.ini composition.py manage.py server.py worker.py ./
# The file system is read-only where it runs, so each start would compile all of this again.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app
USER 10001
EXPOSE 8000
CMD ["python", "server.py"]
