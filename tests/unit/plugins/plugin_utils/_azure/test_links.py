# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where an answer's links lead: odd spellings of our own Resource Manager are followed, the token goes nowhere else."""

from __future__ import annotations

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _errors
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.links import MOST_PAGES, note_page, own_link

BASE = "https://management.azure.com"


@pytest.mark.parametrize(
    ("link", "sent"),
    [
        (f"{BASE}/a%2fb?s=Zm9v%3d&e=(1)'!*", f"{BASE}/a%2fb?s=Zm9v%3d&e=(1)'!*"),
        (f"{BASE}:443/a?t=1", f"{BASE}:443/a?t=1"),
        ("HTTPS://Management.Azure.Com/a", "https://Management.Azure.Com/a"),
        ("https://westeurope.management.azure.com:443/a", "https://westeurope.management.azure.com:443/a"),
        (f"{BASE}/a?f=name eq 'x'", f"{BASE}/a?f=name%20eq%20'x'"),
        (f"{BASE}/Zürich", f"{BASE}/Z%C3%BCrich"),
        (f"{BASE}/a?x=\ttab\nline", f"{BASE}/a?x=%09tab%0Aline"),
        (f"  {BASE}/a ", f"{BASE}/a"),
        ("/subscriptions/1?page=2", f"{BASE}/subscriptions/1?page=2"),
    ],
)
def test_an_odd_link_to_our_own_is_sent(link: str, sent: str) -> None:
    assert own_link(BASE, link, "list") == sent


@pytest.mark.parametrize(
    "link",
    [
        "https://management.azure.com.evil.example/op",
        "https://evilmanagement.azure.com/op",
        "https://evil.example/https://management.azure.com/",
        "https://management.azure.com@evil.example/op",
        "https://management.azure.com:443@evil.example/op",
        "https://management.azure.com\\@evil.example/op",
        "https://evil.example\\.management.azure.com/op",
        "https://evil.example%2f.management.azure.com/op",
        "https://evil.example #.management.azure.com/op",
        "https://me@management.azure.com/op",
        "https://management.azure.com:8443/op",
        "https://management.azure.com:80/op",
        "http://management.azure.com/op",
        "http://management.azure.com:443/op",
        "//evil.example/op",
        "file:///etc/passwd",
        "https://mañagement.azure.com/op",
    ],
)
def test_the_token_goes_to_no_other_place(link: str) -> None:
    with pytest.raises(_errors.AzureError) as caught:
        own_link(BASE, link, "list")
    assert caught.value.code == "ForeignOperationUrl"


@pytest.mark.parametrize(
    "link", ["https://[::1/", "https://management.azure.com:port/", f"{BASE}/\ud800", f"{BASE}:99999/"]
)
def test_a_link_that_cannot_be_read_is_a_sentence(link: str) -> None:
    with pytest.raises(_errors.AzureError) as caught:
        own_link(BASE, link, "list the VMs")
    assert caught.value.code == "UnusableLink"
    assert str(caught.value).startswith("Could not list the VMs: UnusableLink: ")
    assert str(caught.value).encode()


def test_a_port_of_ones_own_is_another_place_than_the_default_one() -> None:
    assert own_link("https://127.0.0.1:8443", "https://127.0.0.1:8443/a", "list") == "https://127.0.0.1:8443/a"
    for link in ("https://127.0.0.1/a", "https://127.0.0.1:443/a"):
        with pytest.raises(_errors.AzureError):
            own_link("https://127.0.0.1:8443", link, "list")


def test_a_list_may_have_many_pages_but_none_twice_and_not_without_end() -> None:
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        note_page(seen, str(number), "list")
    for mark in ("7", "new"):
        with pytest.raises(_errors.AzureError, match="EndlessList"):
            note_page(seen, mark, "list")
