# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the host service can be reached, asked of loopback."""

import socket

from ansible_collections.appconsistent.azure.plugins.module_utils._guest import wire_server


def test_an_open_and_a_closed_port_are_told_apart_and_nothing_is_sent() -> None:
    with socket.socket() as server, socket.socket() as closed:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        closed.bind(("127.0.0.1", 0))
        ports = (server.getsockname()[1], closed.getsockname()[1])
        answers = wire_server.probe(30.0, "127.0.0.1", ports)
        assert answers == {str(ports[0]): "open", str(ports[1]): "refused"}
        caller, _address = server.accept()
        with caller:
            assert caller.recv(100) == b""


def test_an_address_without_a_route_is_unreachable() -> None:
    # A multicast address takes no TCP connection; the kernel says so at once.
    assert wire_server.probe(30.0, "224.0.0.1", (80,)) == {"80": "unreachable"}


def test_a_port_that_does_not_answer_is_given_up() -> None:
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        # A full queue drops what comes next, as a firewall does.
        for caller in (first, second):
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        port = server.getsockname()[1]
        assert wire_server.probe(0.05, "127.0.0.1", (port,)) == {str(port): "timed_out"}


def test_what_was_not_asked_is_said_to_be() -> None:
    assert wire_server.not_probed() == {"80": "not_probed", "32526": "not_probed"}
