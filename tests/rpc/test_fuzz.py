"""Whatever bytes are sent: as many replies as requests, in their order, each of them JSON-RPC, and nothing raised."""

import asyncio
import json
import socket
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from structlog.testing import capture_logs

from routerd.config import SocketConfig
from routerd.rpc.jsonrpc import read_request
from routerd.rpc.listen import bound
from routerd.rpc.messages import ReportResult
from routerd.rpc.server import serving
from tests.rpc.fake import FakeHandlers
from tests.rpc.test_jsonrpc import NEAR, whole_line

LINE = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")) | NEAR.map(whole_line)


class Prompt(FakeHandlers):
    """Reports are on disk by the next round of the loop."""

    async def _report(self, outcome_id: str) -> ReportResult:
        await asyncio.sleep(0)
        return ReportResult(outcome_id=outcome_id, duplicate=False)


async def exchange(listening: socket.socket, data: bytes, cuts: list[int]) -> tuple[list[Any], list[Any]]:
    """All that comes back, and what went to the loop as an unhandled exception."""
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    path = listening.getsockname()
    async with serving(listening, Prompt(), SocketConfig(), grace_s=0):
        reader, writer = await asyncio.open_unix_connection(path)
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            writer.write(data[start:end])
            await asyncio.sleep(0)
        writer.write_eof()
        replies = (await reader.read()).split(b"\n")[:-1]
        writer.close()
    return [json.loads(one) for one in replies], unhandled


@settings(deadline=None, max_examples=60)
@given(st.lists(LINE, max_size=5), st.just(b"") | LINE, st.data())
def test_any_bytes(lines: list[bytes], rest: bytes, data: st.DataObject) -> None:
    sent = b"".join(line + b"\n" for line in lines) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    with tempfile.TemporaryDirectory() as folder, bound(f"{folder}/s") as listening, capture_logs() as logged:
        replies, unhandled = asyncio.run(exchange(listening, sent, cuts))
    assert (unhandled, logged) == ([], [])
    ids = [request.id for request in map(read_request, lines) if request.id is not UNSET]
    assert [one["id"] for one in replies] == ids + [None] * bool(rest)
    assert all(one["jsonrpc"] == "2.0" and ("result" in one) != ("error" in one) for one in replies)
