"""The part of the Kusto query language that fleet queries use. Anything else is refused, never guessed.

`resources | where ... | extend ... | project ... | join kind=leftouter (...) on key | order by ... | take n |
summarize n = count() by key | distinct ... | count`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = "dict[str, Any]"
Expression: TypeAlias = "Callable[[Row], Any]"
Tables: TypeAlias = "Mapping[str, Callable[[], Iterable[Row]]]"

TOKEN = re.compile(
    r"""\s+|//[^\n]*
    |(?P<text>@?'(?:[^'\\]|\\.)*'|@?"(?:[^"\\]|\\.)*")
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<sign>!in~|!in\b|in~|!contains\b|=~|!~|==|!=|<=|>=|[|()\[\],.=<>])
    |(?P<word>\$?[A-Za-z_]\w*(?:-[A-Za-z]+)?)""",
    re.VERBOSE,
)
DEEPEST = 40


class QueryError(ValueError):
    """Why a query cannot be run."""


def run(query: str, tables: Tables) -> list[Row]:
    parser = _Parser(_tokens(query), tables)
    rows = parser.pipeline()
    if parser.peek() is not None:
        raise QueryError(f"unexpected '{parser.peek()}'")
    return rows


def _tokens(query: str) -> list[str]:
    tokens, at = [], 0
    while at < len(query):
        found = TOKEN.match(query, at)
        if found is None:
            raise QueryError(f"unexpected character '{query[at]}'")
        if found.lastgroup is not None:
            tokens.append(found[0])
        at = found.end()
    return tokens


def _same(left: Any, right: Any) -> bool:
    return str(left).lower() == str(right).lower()


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _less(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    try:
        return bool(left < right)
    except TypeError:
        return str(left) < str(right)


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "=~": _same,
    "!~": lambda left, right: not _same(left, right),
    "<": _less,
    ">": lambda left, right: _less(right, left),
    "<=": lambda left, right: left == right or _less(left, right),
    ">=": lambda left, right: left == right or _less(right, left),
    "contains": lambda left, right: _text(right).lower() in _text(left).lower(),
    "!contains": lambda left, right: _text(right).lower() not in _text(left).lower(),
    "startswith": lambda left, right: _text(left).lower().startswith(_text(right).lower()),
    "endswith": lambda left, right: _text(left).lower().endswith(_text(right).lower()),
    "has": lambda left, right: _text(right).lower() in re.split(r"[^a-z0-9]+", _text(left).lower()),
    "in": lambda left, right: left in right,
    "!in": lambda left, right: left not in right,
    "in~": lambda left, right: any(_same(left, value) for value in right),
    "!in~": lambda left, right: not any(_same(left, value) for value in right),
}


def _substring(text: Any, start: Any, length: Any = None) -> str:
    begin = max(0, int(start))
    return _text(text)[begin:] if length is None else _text(text)[begin : begin + max(0, int(length))]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "tostring": _text,
    "toint": lambda value: int(value) if _text(value).lstrip("-").isdigit() else None,
    "tobool": lambda value: _text(value).lower() == "true",
    "substring": _substring,
    "indexof": lambda text, part: _text(text).find(_text(part)),
    "strlen": lambda text: len(_text(text)),
    "strcat": lambda *parts: "".join(_text(part) for part in parts),
    "split": lambda text, by, at=None: _text(text).split(by) if at is None else [_text(text).split(by)[int(at)]],
    "isempty": lambda value: value in (None, ""),
    "isnotempty": lambda value: value not in (None, ""),
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "iff": lambda test, yes, no: yes if test else no,
    "iif": lambda test, yes, no: yes if test else no,
    "array_length": lambda value: len(value) if isinstance(value, list) else None,
}


class _Parser:
    def __init__(self, tokens: Sequence[str], tables: Tables) -> None:
        self.tokens, self.tables, self.at, self.depth = tokens, tables, 0, 0

    def peek(self, ahead: int = 0) -> str | None:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def next(self) -> str:
        token = self.peek()
        if token is None:
            raise QueryError("the query ends too early")
        self.at += 1
        return token

    def accept(self, *words: str) -> str | None:
        token = self.peek()
        if token is not None and token.lower() in words:
            self.at += 1
            return token.lower()
        return None

    def expect(self, *words: str) -> str:
        found = self.accept(*words)
        if found is None:
            raise QueryError(f"'{' or '.join(words)}' expected, not '{self.peek()}'")
        return found

    def word(self) -> str:
        token = self.next()
        if not re.match(r"^\$?[A-Za-z_]", token):
            raise QueryError(f"a name expected, not '{token}'")
        return token

    def pipeline(self) -> list[Row]:
        name = self.word().lower()
        if name not in self.tables:
            raise QueryError(f"the table '{name}' is not known")
        rows = list(self.tables[name]())
        while self.accept("|"):
            rows = self.operator(rows)
        return rows

    def operator(self, rows: list[Row]) -> list[Row]:
        name = self.word().lower()
        if name == "where":
            test = self.expression()
            return [row for row in rows if test(row)]
        if name in ("project", "extend"):
            columns = self.columns()
            kept = name == "extend"
            return [{**(row if kept else {}), **{key: value(row) for key, value in columns}} for row in rows]
        if name == "project-away":
            away = {key for key, _ in self.columns()}
            return [{key: value for key, value in row.items() if key not in away} for row in rows]
        if name == "join":
            return self.join(rows)
        if name in ("order", "sort"):
            return self.order(rows)
        if name in ("take", "limit"):
            return rows[: int(self.next())]
        if name == "distinct":
            return _distinct(rows, self.columns())
        if name == "count":
            return [{"Count": len(rows)}]
        if name == "summarize":
            return self.summarize(rows)
        raise QueryError(f"the operator '{name}' is not supported by the simulator")

    def columns(self) -> list[tuple[str, Expression]]:
        found = [self.column()]
        while self.accept(","):
            found.append(self.column())
        return found

    def column(self) -> tuple[str, Expression]:
        if self.peek(1) == "=":
            name = self.word()
            self.next()
            return name, self.expression()
        start = self.at
        value = self.expression()
        # An unnamed path is called after its parts, as Resource Graph does.
        return "_".join(token.strip("'\"") for token in self.tokens[start : self.at] if token not in ".[]"), value

    def join(self, rows: list[Row]) -> list[Row]:
        kind = "innerunique"
        if self.accept("kind"):
            self.expect("=")
            kind = self.word().lower()
        if kind not in ("leftouter", "inner", "innerunique"):
            raise QueryError(f"the join kind '{kind}' is not supported by the simulator")
        self.expect("(")
        others = self.nested(self.pipeline)
        self.expect(")")
        self.expect("on")
        keys = [self.join_key()]
        while self.accept(","):
            keys.append(self.join_key())
        return _join(rows, others, keys, kind)

    def join_key(self) -> tuple[str, str]:
        """`name`, or `$left.a == $right.b`."""
        first = self.word()
        if first.lower() != "$left":
            return first, first
        self.expect(".")
        left = self.word()
        self.expect("==")
        self.expect("$right")
        self.expect(".")
        return left, self.word()

    def order(self, rows: list[Row]) -> list[Row]:
        self.expect("by")
        keys = []
        while True:
            value = self.expression()
            keys.append((value, self.accept("asc", "desc") != "asc"))
            if not self.accept(","):
                break
        for value, descending in reversed(keys):
            rows = sorted(rows, key=lambda row: (value(row) is None, _text(value(row))), reverse=descending)
        return rows

    def summarize(self, rows: list[Row]) -> list[Row]:
        name = "count_"
        if self.peek(1) == "=":
            name = self.word()
            self.next()
        self.expect("count")
        self.expect("(")
        self.expect(")")
        by = self.columns() if self.accept("by") else []
        counts: dict[tuple[str, ...], Row] = {}
        for row in rows:
            group = {key: value(row) for key, value in by}
            found = counts.setdefault(tuple(repr(value) for value in group.values()), {**group, name: 0})
            found[name] += 1
        return list(counts.values())

    def nested(self, parse: Callable[[], Any]) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise QueryError("the query is nested too deeply")
        found = parse()
        self.depth -= 1
        return found

    def expression(self) -> Expression:
        left = self.conjunction()
        while self.accept("or"):
            left = _either(left, self.conjunction())
        return left

    def conjunction(self) -> Expression:
        left = self.comparison()
        while self.accept("and"):
            left = _both(left, self.comparison())
        return left

    def comparison(self) -> Expression:
        if self.accept("not"):
            self.expect("(")
            inner: Expression = self.nested(self.expression)
            self.expect(")")
            return lambda row: not inner(row)
        left = self.value()
        token = (self.peek() or "").lower()
        if token not in COMPARISONS:
            return left
        self.next()
        compare = COMPARISONS[token]
        if token.endswith(("in", "in~")):
            self.expect("(")
            values = [self.value()]
            while self.accept(","):
                values.append(self.value())
            self.expect(")")
            return lambda row: compare(left(row), [value(row) for value in values])
        right = self.value()
        return lambda row: compare(left(row), right(row))

    def value(self) -> Expression:
        token = self.next()
        if token == "(":
            value: Expression = self.nested(self.expression)
            self.expect(")")
        elif token[0] in "'\"@":
            text = token[2:-1] if token[0] == "@" else re.sub(r"\\(.)", r"\1", token[1:-1])
            value = _constant(text)
        elif token[0].isdigit():
            value = _constant(float(token) if "." in token else int(token))
        elif token.lower() in ("true", "false"):
            value = _constant(token.lower() == "true")
        elif self.peek() == "(":
            value = self.function(token.lower())
        else:
            value = _column(token)
        while self.peek() in (".", "["):
            if self.next() == ".":
                value = _member(value, self.word())
            else:
                key = self.next()
                self.expect("]")
                value = _member(value, int(key) if key.isdigit() else key.strip("'\""))
        return value

    def function(self, name: str) -> Expression:
        if name not in FUNCTIONS:
            raise QueryError(f"the function '{name}' is not supported by the simulator")
        self.expect("(")
        arguments: list[Expression] = []
        if self.peek() != ")":
            arguments.append(self.nested(self.expression))
            while self.accept(","):
                arguments.append(self.nested(self.expression))
        self.expect(")")
        function = FUNCTIONS[name]

        def call(row: Row) -> Any:
            try:
                return function(*(argument(row) for argument in arguments))
            except (TypeError, IndexError, ValueError):
                raise QueryError(f"the arguments of '{name}' do not fit") from None

        return call


def _either(left: Expression, right: Expression) -> Expression:
    return lambda row: left(row) or right(row)


def _both(left: Expression, right: Expression) -> Expression:
    return lambda row: left(row) and right(row)


def _constant(value: Any) -> Expression:
    return lambda _: value


def _column(name: str) -> Expression:
    def read(row: Row) -> Any:
        if name not in row:
            raise QueryError(f"the column '{name}' is not there")
        return row[name]

    return read


def _member(holder: Expression, key: str | int) -> Expression:
    def read(row: Row) -> Any:
        held = holder(row)
        if isinstance(held, Mapping):
            return held.get(key) if isinstance(key, str) else None
        if isinstance(held, list) and isinstance(key, int) and key < len(held):
            return held[key]
        return None

    return read


def _distinct(rows: list[Row], columns: list[tuple[str, Expression]]) -> list[Row]:
    found = {}
    for row in rows:
        cut = {key: value(row) for key, value in columns}
        found[repr(cut)] = cut
    return list(found.values())


def _join(left: list[Row], right: list[Row], keys: list[tuple[str, str]], kind: str) -> list[Row]:
    """Columns of the right side whose names are taken get a 1 behind them."""
    index: dict[tuple[str, ...], list[Row]] = {}
    for row in right:
        index.setdefault(tuple(repr(_column(key)(row)) for _, key in keys), []).append(row)
    empty = {name: None for row in right[:1] for name in row}
    joined, seen = [], set()
    for row in left:
        place = tuple(repr(_column(key)(row)) for key, _ in keys)
        if kind == "innerunique":
            if place in seen:
                continue
            seen.add(place)
        for match in index.get(place) or ([empty] if kind == "leftouter" else []):
            joined.append({**{(f"{name}1" if name in row else name): value for name, value in match.items()}, **row})
    return joined
