"""Names of fields and paths into metadata: `metadata.items[0].sku`, `metadata["key.with"]`."""

import re

Steps = tuple[str | int, ...]

WORD = re.compile(r"[^\W\d]\w*")
KEY = re.compile(r"\w+")
_STEP = re.compile(r'\.(\w+)|\[([0-9]{1,9})\]|\[("(?:[^"\\]|\\.)*")\]')
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t"}
_SPECIAL = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def parse_name(name: str) -> tuple[str, Steps] | None:
    """The root and the steps of a name as a schema spells it; None where it is no path."""
    root = WORD.match(name)
    if root is None:
        return None
    steps: list[str | int] = []
    at = root.end()
    while at < len(name):
        step = _STEP.match(name, at)
        if step is None:
            return None
        word, index, key = step.groups()
        steps.append(word or (int(index) if index else unquote(key)))
        at = step.end()
    return root.group(), tuple(steps)


def spell_name(root: str, steps: Steps) -> str:
    """The canonical spelling of a path; the root is taken as it is."""
    return root + "".join(map(_spell_step, steps))


def _spell_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if KEY.fullmatch(step) else f"[{quote(step)}]"


def quote(text: str) -> str:
    """The text between double quotes, escaped as rules and paths escape."""
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    return char if char.isprintable() or ord(char) > 0xFFFF else f"\\u{ord(char):04X}"


def unquote(literal: str) -> str:
    """The text of a quoted literal; BadEscape at an escape that does not exist."""
    body = literal[1:-1]
    if "\\" not in body:
        return body
    parts, at = [], 0
    while (slash := body.find("\\", at)) >= 0:
        char, width = _unescape(body, slash)
        parts += [body[at:slash], char]
        at = slash + width
    return _joined("".join([*parts, body[at:]]))


class BadEscape(ValueError):
    """An escape that does not exist; `start` and `end` are offsets into the literal."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.start, self.end = start, end


def _unescape(body: str, slash: int) -> tuple[str, int]:
    letter = body[slash + 1 : slash + 2]
    if letter in _ESCAPES:
        return _ESCAPES[letter], 2
    digits = body[slash + 2 : slash + 6]
    if letter == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", digits):
        return chr(int(digits, 16)), 6
    raise BadEscape(slash + 1, slash + 3)


def _joined(text: str) -> str:
    """Surrogate pairs that were spelled as two escapes are one code point."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
