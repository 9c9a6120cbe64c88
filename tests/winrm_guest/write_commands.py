# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes tests/data/vss/commands anew from the product's table: `python -m tests.winrm_guest.write_commands`.

Run it after a command was changed on purpose, and read the difference as a person would read a script that runs as
administrator on every guest: that reading is what the files are for.
"""

from __future__ import annotations

from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows import commands as product

from .console import COMMANDS


def main() -> None:
    """Write the files."""
    COMMANDS.mkdir(parents=True, exist_ok=True)
    for path in COMMANDS.glob("*.ps1"):
        path.unlink()
    (COMMANDS / "_reader.ps1").write_text(product.READER + "\n", encoding="utf-8")
    for command in product.COMMANDS.values():
        (COMMANDS / f"{command.name}.ps1").write_text(command.text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
