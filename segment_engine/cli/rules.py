"""The commands on one rule: check, format, sql, explain-sql, count, members.

The first two take catalogs, too.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from segment_engine.cli.catalogs import Style, check_catalog, format_catalog, members_of
from segment_engine.cli.inputs import (
    AsJson,
    AsOf,
    CatalogPath,
    Consumers,
    EngineName,
    Given,
    IdColumn,
    RuleFile,
    RulesOrCatalog,
    RuleText,
    SchemaFile,
    Timezone,
    engine_of,
    given_rule,
    is_catalog,
    loaded_catalog,
    one_rule,
)
from segment_engine.cli.output import (
    Json,
    complain,
    errors_of,
    say,
    say_json,
    show_pictures,
)
from segment_engine.cli.writing import replace_text
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.engine import Engine
from segment_engine.errors import RuleError
from segment_engine.language.layout import layout
from segment_engine.language.mend import mend
from segment_engine.parts import part
from segment_engine.rule import Rule
from segment_engine.values.isotime import format_instant

Source = Annotated[
    str | None,
    typer.Option(help="Consumers whose column types are taken; else the default ones."),
]


def check(
    rules: RulesOrCatalog = None,
    file: RuleFile = None,
    schema: SchemaFile = None,
    timezone: Timezone = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what has one fix: print it, or rewrite the file.")
    ] = False,
    style: Annotated[
        Style, typer.Option("--format", help="How findings are printed; github for workflows.")
    ] = Style.text,
    as_json: AsJson = False,
) -> int:
    """Say what is wrong with a rule or a catalog, where, and how to mend it.

    A right rule is printed in its canonical spelling. Hints tell where it keeps or drops
    consumers who lack a value. A catalog is one or more YAML or JSON files, or folders of them:
    everything wrong in it is told at once, by file, line and column.

    \b
    Examples:
        segment-engine check 'totalOrders >= 3 and email exists'
        segment-engine check --fix --file rule.txt
        echo 'totalOrders => 3' | segment-engine check --json
        segment-engine check audiences/ --format github
    """
    if as_json:
        style = Style.json
    if rules and all(map(is_catalog, rules)):
        return check_catalog(rules, schema, timezone, fix, style)
    if style is Style.github:
        raise typer.BadParameter("--format github is for catalogs")
    rule = one_rule(rules)
    as_json = style is Style.json
    engine = engine_of(schema, timezone)
    given = given_rule(rule, file)
    text, found = given.text, list(engine.diagnose(given.text))
    if fix:
        text, found = mend(text, engine.diagnose)
        if given.path is not None and text != given.text:
            replace_text(given.path, text)
    wrong = errors_of(found)
    if as_json:
        say_json(_check_json(engine, text, found, fix))
        return 1 if wrong else 0
    if fix:
        _say_mended(given, text, len(wrong))
    elif not wrong:
        say(f"ok\n{engine.rule(text).text}")
    else:
        _note_file(rule)
    show_pictures(found, text)
    return 1 if wrong else 0


def format(
    rules: RulesOrCatalog = None,
    file: RuleFile = None,
    schema: SchemaFile = None,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite the rules of a catalog, or the --file.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Print a rule in its canonical spelling, or rewrite the rules of a catalog.

    A long rule, or one with comments that fill a line, is printed a clause a line. With --json
    also as query-builder JSON, and as rule rows where these can say it (else null). Of a catalog
    only the characters of rules change; without --write those that would are named, and the
    exit code is 1 if there are any.

    \b
    Examples:
        segment-engine format 'totalOrders   IS 3'
        segment-engine format --file rule.txt > formatted.txt
        segment-engine format --write audiences/
    """
    if rules and all(map(is_catalog, rules)):
        return format_catalog(rules, schema, write, as_json)
    rule = one_rule(rules)
    if write and file is None:
        raise typer.BadParameter("--write is for catalogs and --file")
    checked, given = checked_rule(engine_of(schema), rule, file)
    printed = layout(given.text, checked.expression)
    if write and given.path is not None and f"{printed}\n" != given.text:
        replace_text(given.path, f"{printed}\n")
    if as_json:
        spellings = {"canonical": checked.text, "rule": checked.to_json(), "rows": _rows(checked)}
        say_json({"ok": True, "text": printed, **spellings})
    else:
        say(printed)
    return 0


def sql(
    rule: RuleText = None,
    file: RuleFile = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    source: Source = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Print a rule as DuckDB SQL.

    It is one boolean expression, to stand after WHERE: NULL counts as false there. An audience
    that the rule refers to stands in it as a boolean column of its key.

    \b
    Examples:
        segment-engine sql 'lastOrderAt within last 30 days' --timezone Europe/Berlin
        segment-engine sql --file rule.txt --source consumers.parquet
    """
    engine = engine_of(schema, timezone)
    checked, _ = checked_rule(engine, rule, file)
    instant = instant_of(engine, as_of)
    made = checked.sql(as_of=instant, source=source, audiences=_as_columns(checked))
    if as_json:
        say_json({**_told(checked, instant), "sql": made})
    else:
        say(made)
    return 0


def explain_sql(
    rule: RuleText = None,
    file: RuleFile = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    source: Source = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Print the SQL of each condition of a rule beside it.

    With the times that it asks for at this as-of, and what becomes of consumers who lack what it
    reads. Long SQL is cut in the middle; --json has all of it.

    \b
    Example:
        segment-engine explain-sql 'lastOrderAt within last 30 days or phone is missing'
    """
    checked, _ = checked_rule(engine_of(schema, timezone), rule, file)
    explanation = checked.explain_sql(as_of, source, _as_columns(checked))
    if as_json:
        say_json({"ok": True, **explanation.to_json()})
    else:
        say(str(explanation))
    return 0


def count(
    consumers: Consumers,
    rule: RuleText = None,
    file: RuleFile = None,
    catalog: CatalogPath = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    engine: EngineName = "duckdb",
    id_column: IdColumn = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Print how many consumers a rule keeps.

    \b
    Examples:
        segment-engine count 'totalOrders >= 3' --consumers consumers.parquet
        segment-engine count 'in audience "vips"' --catalog audiences.yaml -c consumers.parquet
    """
    checked, instant, run = _asked(rule, file, catalog, schema, timezone, as_of, id_column, engine)
    number = checked.count(consumers, **run(consumers))
    if as_json:
        say_json({**_told(checked, instant), "engine": engine, "count": number})
    else:
        say(str(number))
    return 0


def members(
    consumers: Consumers,
    rule: RuleText = None,
    file: RuleFile = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, help="Print the first ids only.")
    ] = None,
    catalog: CatalogPath = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    engine: EngineName = "duckdb",
    id_column: IdColumn = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Print the ids that a rule keeps.

    They are sorted, one a line.

    \b
    Examples:
        segment-engine members 'email is missing' --consumers consumers.csv | head
        segment-engine members 'in audience "vips"' --catalog audiences.yaml -c consumers.csv
    """
    checked, instant, run = _asked(rule, file, catalog, schema, timezone, as_of, id_column, engine)
    ids = checked.members(consumers, **run(consumers))
    shown = ids[:limit]
    if as_json:
        told = {"engine": engine, "count": len(ids), "members": shown}
        say_json({**_told(checked, instant), **told})
    else:
        for found in shown:
            say(str(found))
    return 0


def _asked(
    rule: str | None,
    file: Path | None,
    catalog: Path | None,
    schema: Path | None,
    timezone: str | None,
    as_of: str | None,
    id_column: str | None,
    engine: str,
) -> tuple[Rule, str, Callable[[str], Json]]:
    """The rule, the instant, and what to run it with over consumers: the audiences it refers to."""
    held = None if catalog is None else loaded_catalog([catalog], schema, timezone)
    checked, _ = checked_rule(held.engine if held else engine_of(schema, timezone), rule, file)
    instant = instant_of(checked.engine, as_of)
    options = {"engine": engine, "id_column": id_column or (held.id_column if held else "id")}

    def run(consumers: str) -> Json:
        known = members_of(held, checked.audiences, consumers, instant, **options) if held else {}
        return {"as_of": instant, **options, "audiences": known}

    return checked, instant, run


def _as_columns(rule: Rule) -> dict[str, str]:
    """Each audience that a rule refers to as a column of its key."""
    return {key: part("duckdb").identifier(key) for key in rule.audiences}


def instant_of(engine: Engine, as_of: str | None) -> str:
    """The instant of a run as text, now where none is given: read once."""
    return format_instant(engine.clock(as_of).as_of)


def checked_rule(engine: Engine, rule: str | None, file: Path | None) -> tuple[Rule, Given]:
    """The rule that a command was given, checked. Raises RuleError."""
    given = given_rule(rule, file)
    try:
        return engine.rule(given.text), given
    except RuleError:
        _note_file(rule)
        raise


def _rows(rule: Rule) -> list[Json] | None:
    try:
        return rule.to_rows()
    except RuleError:
        return None


def _note_file(rule: str | None) -> None:
    if rule and os.path.isfile(rule):
        complain(f"note: {rule} is a file; --file reads the rule from it")


def _told(rule: Rule, instant: str) -> Json:
    return {"ok": True, "text": rule.text, "as_of": instant, "timezone": rule.engine.timezone}


def _check_json(engine: Engine, text: str, found: list[Diagnostic], fix: bool) -> Json:
    rule = None if errors_of(found) else engine.rule(text)
    return {
        "ok": rule is not None,
        "text": rule and rule.text,
        "fields": list(rule.fields) if rule else [],
        "hash": rule and rule.hash,
        "diagnostics": [item.to_json(text) for item in found],
        **({"fixed": text} if fix else {}),
    }


def _say_mended(given: Given, text: str, left: int) -> None:
    if given.path is None:
        say(text)
        return
    done = "mended" if text != given.text else "nothing that could be mended"
    say(f"{given.path}: {done}" + (f", {left} left to mend by hand" if left else ""))
