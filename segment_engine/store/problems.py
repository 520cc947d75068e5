"""What the language finds in a rule, as problems of the JSON in which the rule came."""

from collections.abc import Iterable

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Place, Span
from segment_engine.errors import Invalid, Problem, RuleError


def invalid(problems: Iterable[Problem]) -> Invalid:
    """One error for all of them: the first says it in words."""
    found = tuple(problems)
    more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
    return Invalid(f"{found[0].field}: {found[0].message}{more}", found)


def refuse(problems: Iterable[Problem]) -> None:
    """Raises Invalid where there are any."""
    if found := tuple(problems):
        raise invalid(found)


def of_rule(error: RuleError, field: str, start: int = 0) -> list[Problem]:
    """A rule's errors at their places below `field`, such as `rules.2.values` or `expression`.

    Of rows those from `start` on are numbered from 0: the ones before were there already, and
    what is wrong with them is placed at `field`.
    """
    found = [item for item in error.diagnostics if item.severity == "error"]
    return [
        Problem(
            _path(item.span, field, start),
            said(item),
            item.code,
            (item.span.start, item.span.end) if isinstance(item.span, Span) else None,
        )
        for item in found
    ]


def said(item: Diagnostic) -> str:
    """The message with what to do about it."""
    parts = [item.message]
    if item.fixes:
        parts.append(f"write {' or '.join(f'`{fix.replacement}`' for fix in item.fixes)}")
    elif item.near:
        parts.append(f"did you mean {', '.join(item.near)}?")
    return "; ".join([*parts, *([item.help] if item.help else [])])


def _path(place: Place, field: str, start: int) -> str:
    if isinstance(place, Span):
        return field
    steps = [step.replace("~1", "/").replace("~0", "~") for step in place.path.split("/")[1:]]
    if start and steps and steps[0].isdigit():
        if int(steps[0]) < start:
            return field
        steps[0] = str(int(steps[0]) - start)
    return ".".join([field, *steps])
