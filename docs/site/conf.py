# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of Sphinx. `build.sh` lays out the sources: the guides as they are, and what is written by programs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
_GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
# A link out of docs/, which only a checkout has.
_OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]*)")

project = f"{_GALAXY['namespace']}.{_GALAXY['name']}"
author = copyright = _GALAXY["authors"][0]
release = _GALAXY["version"]
html_title = f"{project} {release}"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "none"
html_copy_source = False
html_show_sphinx = False
myst_heading_anchors = 3
nitpicky = True
# Places in ansible-core's own documentation, which is not part of this site.
nitpick_ignore_regex = [
    ("std:ref", "action_plugins|common_return_values|ansible_configuration_settings"),
    ("std:envvar", "ANSIBLE_CACHE_PLUGIN.*"),
]


def _outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links to other files of the repository into links to where it is kept."""

    def link(found: re.Match[str]) -> str:
        if not (ROOT / found[1]).exists():
            logging.getLogger(__name__).warning("%s links to %s, which is not there", docname, found[1])
        return f"]({_GALAXY['repository']}/blob/main/{found[1]}"

    if (app.srcdir / f"{docname}.md").exists():
        source[0] = _OUTSIDE.sub(link, source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _outside)
