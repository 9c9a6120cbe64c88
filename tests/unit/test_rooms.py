# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The rooms of the code are those of docs/architecture.md, and imports between them run down only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PLUGINS = ROOT / "plugins"
SIDES = ("plugin_utils", "module_utils")


def floors() -> list[list[str]]:
    """The parts of the page, each a list of rooms from the top floor down."""
    parts = re.split(r"^\*\*.+\*\* \(`plugins/|^\*\*.+\(`plugins/module_utils`", PAGE, flags=re.MULTILINE)[1:]
    return [re.findall(r"^\| `(_\w+)`", part.split("\n## ")[0], re.MULTILINE) for part in parts]


def rooms() -> set[str]:
    return {path.name for side in SIDES for path in (PLUGINS / side).iterdir() if path.is_dir() and path.name[0] == "_"}


def imports(path: Path) -> Iterator[str]:
    """The files of ours that a file imports, as `side/room/file` or shorter."""
    package = path.relative_to(PLUGINS).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            yield "/".join((*base, *(node.module or "").split(".")))


def room_of(name: str) -> str:
    """The room of a file, empty for one that stands beside the rooms."""
    parts = name.strip("/").split("/")
    return parts[1] if len(parts) > 1 and parts[0] in SIDES and parts[1] in rooms() - {"__pycache__"} else ""


def test_the_page_names_every_room_once() -> None:
    named = [room for part in floors() for room in part]
    assert sorted(named) == sorted(rooms() - {"__pycache__"})


def may_import(here: str, there: str) -> bool:
    """Down within a part, and `_failures` from anywhere; what stands beside the rooms imports none of them."""
    part = next((part for part in floors() if {here, there} <= set(part)), None)
    if part is None:
        return bool(here) and there == "_failures"
    return part.index(here) < part.index(there)


def test_imports_between_rooms_run_down_only() -> None:
    found = {
        (room_of(path.relative_to(PLUGINS).as_posix()), room_of(name), path.relative_to(ROOT).as_posix())
        for side in SIDES
        for path in (PLUGINS / side).rglob("*.py")
        for name in imports(path)
    }
    between = [(here, there, path) for here, there, path in found if there and there != here]
    assert len(between) > 50
    assert [f"{path} imports {there}" for here, there, path in sorted(between) if not may_import(here, there)] == []


def test_the_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`([\w./]+/[\w.]+)`", PAGE))
    places = (ROOT, PLUGINS, PLUGINS / "plugin_utils", ROOT / "docs")
    assert len(named) > 20
    assert [
        name
        for name in sorted(named - {"modules/x.py", "action/x.py"})
        if not any((place / name).exists() for place in places)
    ] == []


def test_degraded_is_decided_where_the_page_says() -> None:
    assert "`_fleet/verdict.py` judges" in PAGE
    tree = ast.parse((PLUGINS / "plugin_utils" / "_fleet" / "verdict.py").read_text())
    judge = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "judge")
    assert "verdict=Verdict.DEGRADED" in ast.unparse(judge)
    deciding = [path for path in PLUGINS.rglob("*.py") if "verdict=Verdict.DEGRADED" in path.read_text()]
    assert [path.name for path in deciding] == ["verdict.py"]
