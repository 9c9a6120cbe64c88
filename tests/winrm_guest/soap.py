# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The few WS-Management messages that a remote shell takes (MS-WSMV), read and written."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": _SHELL,
}
# WSManFault code of "the operation did not end in the time allowed", upon which a client asks again.
OPERATION_TIMEOUT = 2150858793
# ERROR_WSMAN_... of a shell that is not, or no longer, there.
NO_SUCH_SHELL = 2150858843


@dataclass(frozen=True)
class Request:
    """One message from a client."""

    action: str
    message_id: str
    shell_id: str
    command_id: str
    command_line: str
    options: dict[str, str]
    stdin: bytes
    last: bool


@dataclass(frozen=True)
class Part:
    """A piece of a stream of output."""

    stream: str
    data: bytes


def read(body: bytes) -> Request:
    """Read a client's message; raises ValueError where it is not one."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error

    def text(path: str) -> str:
        node = root.find(path, _NAMESPACES)
        return (node.text or "") if node is not None else ""

    stream = root.find("s:Body/rsp:Send/rsp:Stream", _NAMESPACES)
    command = root.find("s:Body/rsp:CommandLine", _NAMESPACES)
    command_id = ""
    for path in ("s:Body/rsp:Receive/rsp:DesiredStream", "s:Body/rsp:Signal", "s:Body/rsp:Send/rsp:Stream"):
        node = root.find(path, _NAMESPACES)
        command_id = command_id or (node.get("CommandId", "") if node is not None else "")
    parts = [] if command is None else [node.text or "" for node in command]
    action = text("s:Header/a:Action").rpartition("/")[2]
    if not action:
        raise ValueError("a message without an action")
    return Request(
        action=action,
        message_id=text("s:Header/a:MessageID"),
        shell_id=text("s:Header/w:SelectorSet/w:Selector"),
        command_id=command_id,
        command_line=" ".join(part for part in parts if part),
        options={
            node.get("Name", ""): node.text or ""
            for node in root.iterfind("s:Header/w:OptionSet/w:Option", _NAMESPACES)
        },
        stdin=base64.b64decode(stream.text or "") if stream is not None else b"",
        last=stream is not None and stream.get("End") == "true",
    )


def created(request: Request, shell_id: str) -> bytes:
    """The answer to Create."""
    return _envelope(
        request,
        f'<rsp:Shell xmlns:rsp="{_SHELL}"><rsp:ShellId>{shell_id}</rsp:ShellId></rsp:Shell>'
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>',
    )


def started(request: Request, command_id: str) -> bytes:
    """The answer to Command."""
    body = (
        f'<rsp:CommandResponse xmlns:rsp="{_SHELL}"><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>'
    )
    return _envelope(request, body)


def accepted(request: Request) -> bytes:
    """The answer to Send, Signal and Delete."""
    return _envelope(request, "")


def received(request: Request, parts: list[Part], exit_code: int | None) -> bytes:
    """The answer to Receive; `exit_code` is None while more is to come."""
    streams = "".join(
        f'<rsp:Stream Name="{part.stream}" CommandId="{request.command_id}">'
        f"{base64.b64encode(part.data).decode('ascii')}</rsp:Stream>"
        for part in parts
    )
    done = f"<rsp:ExitCode>{exit_code}</rsp:ExitCode>" if exit_code is not None else ""
    state = "Running" if exit_code is None else "Done"
    return _envelope(
        request,
        f'<rsp:ReceiveResponse xmlns:rsp="{_SHELL}">{streams}<rsp:CommandState CommandId="{request.command_id}"'
        f' State="{_SHELL}/CommandState/{state}">{done}</rsp:CommandState></rsp:ReceiveResponse>',
    )


def fault(code: int, reason: str) -> bytes:
    """A WSManFault, to be sent with HTTP status 500."""
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>'
        "<s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:Fault</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(reason)}</s:Text></s:Reason>'
        '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
        f' Code="{code}" Machine="guest"><f:Message>{escape(reason)}</f:Message></f:WSManFault></s:Detail>'
        "</s:Fault></s:Body></s:Envelope>"
    ).encode()


def _envelope(request: Request, body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{_NAMESPACES["s"]}" xmlns:a="{_NAMESPACES["a"]}" xmlns:w="{_NAMESPACES["w"]}"><s:Header>'
        f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID><a:RelatesTo>{escape(request.message_id)}</a:RelatesTo>"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
