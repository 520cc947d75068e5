"""The command line: `segment-engine`."""

from typing import Annotated

import typer

import segment_engine
from segment_engine.cli import (
    generations,
    imports,
    init,
    loading,
    organizations,
    plans,
    preview,
    rules,
    runs,
    schema,
    serving,
    syncs,
    webhooks,
)
from segment_engine.cli.output import command, never_fail_to_encode
from segment_engine.garbage import look_seldom

_HELP = """
Audience rules typed by people: check them, see their SQL, and find their members.

A rule is a text such as

\b
    totalOrderValue >= 500 and lastOrderAt older than 60 days
      and metadata.country in ("US", "CA")

or query-builder JSON, or rule rows as JSON. It is given as an argument, with --file, or on stdin
(also as `-`).

\b
Examples:
    segment-engine init consumers.parquet
    segment-engine check 'totalOrders == 3' --fix
    segment-engine count 'phone is missing' --consumers consumers.parquet
    segment-engine materialize audiences.yaml --consumers 'data/*.parquet' --out audiences/

Exit codes: 0 all is well, 1 a rule or the data is wrong, 2 the command is.
"""

app = typer.Typer(
    name="segment-engine",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _group(name: str, summary: str) -> typer.Typer:
    made = typer.Typer(name=name, help=summary, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(made)
    return made


schemas = _group("schema", "Show, propose and check schemas.")
orgs = _group("org", "Make and set the organizations of a store.")
keys = _group("key", "Make and revoke the keys that open an organization to programs.")
klaviyo = _group("klaviyo", "Set the key of an organization's lists at Klaviyo.")
consumers = _group("consumers", "Put consumers into a store.")
hooks = _group("webhook", "Tell receivers who enters and leaves audiences.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segment-engine {segment_engine.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    never_fail_to_encode()
    look_seldom()


for _body in (
    init.init,
    rules.check,
    rules.format,
    rules.sql,
    rules.explain_sql,
    rules.count,
    rules.members,
    preview.preview,
    plans.plan,
    runs.materialize,
    generations.diff,
    generations.export,
    runs.operators,
    serving.serve,
):
    app.command()(command(_body))

schemas.command()(command(schema.show))
schemas.command()(command(schema.infer))
schemas.command()(command(schema.check))

orgs.command()(command(organizations.create))
orgs.command("set")(command(organizations.set_))
orgs.command("list")(command(organizations.list_))
keys.command("create")(command(organizations.create_key))
keys.command("list")(command(organizations.list_keys))
keys.command()(command(organizations.revoke))
consumers.command()(command(loading.load))
hooks.command()(command(webhooks.create))
hooks.command("list")(command(webhooks.list_))
hooks.command()(command(webhooks.delete))
hooks.command()(command(webhooks.failed))
hooks.command()(command(webhooks.replay))
app.command("import")(command(imports.import_))
app.command()(command(syncs.sync))
klaviyo.command("key")(command(syncs.klaviyo_key))
