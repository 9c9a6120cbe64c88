# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guide says what the scripts say."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import PROFILES
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import layout, lint

GUIDE = (Path(__file__).parents[5] / "docs/linux_scripts.md").read_text()
SOURCE = Path(lint.__file__).parent
SHELL = "\n".join([*layout.SHIPPED.values(), *(profile.hook for profile in PROFILES.values())])


def test_every_profile_is_in_the_guide() -> None:
    for name in PROFILES:
        assert re.search(rf"^\| `{name}`", GUIDE, re.MULTILINE), name


def test_every_finding_is_in_the_guide() -> None:
    for name, area in (("config", "config"), ("text", "script"), ("host", "host")):
        for code in re.findall(r'\badd\(\s*"(\w+)"', (SOURCE / f"{name}_lint.py").read_text()):
            assert f"`{area}.{code}`" in GUIDE
    for path in (*SOURCE.glob("*.py"), SOURCE.with_name("_profiles") / "table.py"):
        for code in re.findall(r'Finding\(\s*"(\w+\.\w+)"', path.read_text()):
            assert f"`{code}`" in GUIDE


def test_every_text_of_a_failure_that_the_guide_explains_is_one_that_the_scripts_say() -> None:
    table = GUIDE.split("| text | cause | do |")[1].split("\n\n")[0]
    texts = re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    assert len(texts) > 10
    for text in texts:
        # The guide writes N, a path, or ... where the scripts fill something in.
        parts = re.split(r" \.\.\. | N |/var/lib/appconsistent", text)
        assert re.search(".*".join(map(re.escape, parts)), SHELL), text
