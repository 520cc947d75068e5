"""What check and format do with catalogs, and rules that refer to the audiences of one."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from segment_engine.catalog import rewrite
from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.rewrite import Rewritten
from segment_engine.cli.inputs import loaded_catalog
from segment_engine.cli.output import complain, say, say_json, show_findings
from segment_engine.cli.writing import replace_text


class Style(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    github = "github"


def check_catalog(
    paths: Sequence[str], schema: Path | None, timezone: str | None, fix: bool, style: Style
) -> int:
    """Everything that is wrong with a catalog; its certain fixes applied first, if asked for."""
    catalog = loaded_catalog(paths, schema, timezone)
    if fix and _written(rewrite.mended(catalog), "mended", style):
        catalog = loaded_catalog(paths, schema, timezone)
    if style is Style.json:
        say_json(_told(catalog))
    elif style is Style.github:
        for finding in catalog.findings:
            say(finding.for_github())
    else:
        show_findings(catalog.findings)
        _sum_up(catalog)
    return 0 if catalog.sound else 1


def format_catalog(paths: Sequence[str], schema: Path | None, write: bool, as_json: bool) -> int:
    """The rules of a catalog in their canonical layout; without `write` only told, exit code 1."""
    catalog = loaded_catalog(paths, schema, None)
    found = rewrite.formatted(catalog)
    style = Style.json if as_json else Style.text
    if write:
        _written(found, "formatted", style)
    if as_json:
        files = [{"file": each.file.path, "audiences": list(each.keys)} for each in found]
        say_json({"ok": write or not found, "written": write, "files": files})
    elif not write:
        for each in found:
            say(f"{each.file.path}: would format {', '.join(each.keys)}")
    for key in catalog.failed:
        complain(f"note: {key} is wrong and stays as it is; `check` says why")
    return 1 if found and not write else 0


def _written(found: Sequence[Rewritten], done: str, style: Style) -> bool:
    for each in found:
        replace_text(Path(each.file.path), each.text)
        if style is Style.text:
            say(f"{each.file.path}: {done} {', '.join(each.keys)}")
    return bool(found)


def _sum_up(catalog: Catalog) -> None:
    number = len(catalog)
    audiences = "1 audience" if number == 1 else f"{number:,} audiences"
    wrong = len(catalog.failed)
    if wrong:
        say(f"{wrong:,} of {audiences} {'is' if wrong == 1 else 'are'} wrong")
    else:
        say(f"ok: {audiences}" if catalog.sound else f"{audiences}, none of them wrong")


def _told(catalog: Catalog) -> dict[str, Any]:
    return {
        "ok": catalog.sound,
        "audiences": len(catalog),
        "failed": list(catalog.failed),
        "findings": [finding.to_json() for finding in catalog.findings],
    }


def members_of(
    catalog: Catalog,
    keys: Sequence[str],
    consumers: str,
    as_of: str,
    id_column: str,
    engine: str = "duckdb",
) -> Mapping[str, Any]:
    """The members of those audiences, for a rule that refers to them. Raises their errors."""
    if not keys:
        return {}
    run = catalog.materialize(consumers, as_of=as_of, only=keys, id_column=id_column, engine=engine)
    return {key: run.members(catalog.aliases.get(key, key)) for key in keys}
