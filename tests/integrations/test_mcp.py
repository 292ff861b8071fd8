"""The MCP server: through the official client, over stdio and in one process, beside a real daemon and without one."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, Implementation, TextResourceContents

from routerd.catalog import text
from routerd.config import Config
from routerd.integrations.mcp import ARMS_JSON, ARMS_MARKDOWN, Asker, build, client_agent
from routerd.integrations.mcp_tools import TOOLS, schema
from routerd.integrations.modes import keep
from tests.harness import PROGRAMS, Daemon, Place
from tests.sources.codex_logs import home_files

pytestmark = pytest.mark.anyio

WHO = ["local", "opus", "glm-4.7 --provider zai"]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("home"))
    place.write(home_files())
    with place.daemon() as running:
        running.caught_up()
        running.until(lambda: running.completions() > 5)
        yield running


def within(place: Place, **more: str) -> Client:
    """A client of the server in this process."""
    return Client(build(Asker({**place.env, **more}, Config, place.socket)))


@asynccontextmanager
async def over_stdio(place: Place, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of `routerctl mcp`."""
    command = StdioServerParameters(command=str(PROGRAMS / "routerctl"), args=["mcp"], env=place.env)
    with (place.home / "mcp.err").open("w") as errors:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            yield client


def said(result: CallToolResult) -> str:
    [block] = result.content
    assert block.type == "text"
    assert result.structured_content["note"] == block.text
    return block.text


# --- what it offers -------------------------------------------------------------------------------------------------


async def test_every_tool_says_how_models_are_named(tmp_path: Path) -> None:
    async with within(Place(tmp_path)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        instructions = client.instructions or ""
    assert listed.keys() == {"recommend", "report_outcome", "list_models", "explain", "status"}
    for tool in listed.values():
        assert text.spellings() in (tool.description or "")
        assert tool.input_schema["type"] == (tool.output_schema or {})["type"] == "object"
    assert text.spellings() in instructions


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_are_schemas_and_say_what_each_argument_is(name: str) -> None:
    tool = TOOLS[name]
    for one in (schema(tool.args), schema(tool.answer)):
        jsonschema.Draft202012Validator.check_schema(one)
        assert "anyOf" not in json.dumps(one["properties"].get("goal", {}))
    unsaid = {"wall_time_ms", "input_tokens", "output_tokens"}  # their names say it
    assert all("description" in value for key, value in schema(tool.args)["properties"].items() if key not in unsaid)


# --- each tool, beside a daemon -------------------------------------------------------------------------------------


async def test_a_task_from_recommendation_to_explanation(daemon: Daemon) -> None:
    async with within(daemon.place) as client:
        asked = {"goal": "fix the parser", "candidates": WHO, "incumbent": "local", "objective": "cheap"}
        pick = await client.call_tool("recommend", asked)
        found = pick.structured_content
        assert found["answered"]
        assert {found["use"]["name"], *(one["name"] for one in found["alternatives"])} == {"local", "opus", WHO[2]}
        assert said(pick).splitlines()[0].startswith(f"routerd would use: {found['use']['name']}")
        assert found["decision_id"] in said(pick)
        assert "delegate:" not in said(pick)
        numbers: list[float] = []
        json.loads(json.dumps(found), parse_float=lambda text: numbers.append(float(text)))
        assert numbers == [float(f"{number:.4g}") for number in numbers]  # no digits that nobody reads

        ran = {"model": "glm-4.7", "provider": "zai", "reasoning_effort": "high"}
        told = await client.call_tool(
            "report_outcome",
            {"decision_id": found["decision_id"], "succeeded": 0.25, "wall_time_ms": "4000", "ran": ran},
        )
        assert told.structured_content["duplicate"] is False
        row = f"SELECT arm, succeeded, wall_time_ms FROM outcomes WHERE decision_id = '{found['decision_id']}'"
        assert daemon.place.query(row) == [("delegate:zai:glm-4.7@high", 0.25, 4000)]

        why = await client.call_tool("explain", {"decision_id": found["decision_id"]})
        assert why.structured_content["chosen"].startswith(
            found["use"]["name"].split()[0].replace("opus", "claude-opus")
        )
        assert {one["name"].split()[0] for one in why.structured_content["weighed"]} >= {"local", "glm-4.7"}
        assert len(why.structured_content["nearest"]) == 5
        assert "It succeeded: 25%." in said(why)
        assert "delegate:" not in said(why)


async def test_a_report_of_what_nobody_asked_about_counts_once(daemon: Daemon) -> None:
    report = {"goal": "write notes", "ran": "opus", "succeeded": None, "outcome_id": "mine", "cost_usd": 0.5}
    async with within(daemon.place) as client:
        first = await client.call_tool("report_outcome", report)
        again = await client.call_tool("report_outcome", report)
        other = await client.call_tool("report_outcome", {**report, "cost_usd": 0.6})
    assert [one.structured_content.get("duplicate") for one in (first, again)] == [False, True]
    assert other.is_error
    assert daemon.place.query("SELECT agent, succeeded, cost_usd FROM outcomes WHERE id = 'routerd:row:mine'") == [
        ("mcp", None, 0.5)
    ]


async def test_the_lists(daemon: Daemon) -> None:
    async with within(daemon.place) as client:
        models = await client.call_tool("list_models", {"tier": "frontier", "per_tier": 3})
        assert len(models.structured_content["models"]) == 3
        assert models.structured_content["left_out"] > 3
        assert "--provider" in said(models)
        state = (await client.call_tool("status", {})).structured_content
        assert state["counts"]["outcomes"] > 5
        assert "codex" in state["agents"]
        assert [str(one.uri) for one in (await client.list_resources()).resources] == [ARMS_JSON, ARMS_MARKDOWN]
        [data] = (await client.read_resource(ARMS_JSON)).contents
        [table] = (await client.read_resource(ARMS_MARKDOWN)).contents
        assert isinstance(data, TextResourceContents)
        assert isinstance(table, TextResourceContents)
        arms = json.loads(data.text)["arms"]
        assert {"name", "arm", "posterior", "n"} <= arms[0].keys()
        assert all(f"| {arm['name']}" in table.text for arm in arms)
        assert "delegate:" not in table.text


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("recommend", {"goal": "x", "candidats": []}, "unknown field `candidats`; recommend takes goal, context"),
        ("recommend", {}, "missing required field `goal`"),
        ("recommend", {"goal": "x", "candidates": ["opus --fast"]}, "candidates.0: no such flag"),
        ("recommend", {"goal": "x", "max_cost_usd": 0.0, "candidates": ["opus"]}, "no arm meets the constraints"),
        ("report_outcome", {"succeeded": True}, "give decision_id as recommend gave it, or goal and ran"),
        ("report_outcome", {"succeeded": 2, "decision_id": "d"}, "<= 1.0"),
        ("report_outcome", {"succeeded": True, "decision_id": "d_none"}, "not known: give goal and ran"),
        ("explain", {"decision_id": "d_none"}, "no decision 'd_none' is known"),
        ("status", {"verbose": True}, "status takes nothing"),
    ],
)
async def test_what_cannot_be_is_said_to_the_model(daemon: Daemon, tool: str, arguments: Any, why: str) -> None:
    async with within(daemon.place) as client:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert why in said(result)
        assert "\n" not in said(result)
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("do_it", {})
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource("routerd://nothing")


async def test_the_client_names_the_agent(daemon: Daemon) -> None:
    server = build(Asker(daemon.place.env, Config, daemon.place.socket))
    async with Client(server, client_info=Implementation(name="codex-mcp-client", version="1")) as client:
        pick = await client.call_tool("recommend", {"goal": "x"})
    daemon.until(lambda: daemon.place.query("SELECT 1 FROM decisions ORDER BY at DESC LIMIT 1"))
    why = daemon.ask("explain", decision_id=pick.structured_content["decision_id"])
    assert why["task"]["features"]["agent"] == "codex"
    assert [client_agent(name) for name in (None, "mcp", "Claude-Code", "pipe")] == ["mcp", "mcp", "claude-code", "mcp"]


# --- modes ----------------------------------------------------------------------------------------------------------


async def test_switched_off_it_says_so_and_asks_nothing(daemon: Daemon) -> None:
    before = daemon.settled_counts()
    async with within(daemon.place, ROUTERD_MODE="off") as client:
        for tool, arguments in CALLS.items():
            result = await client.call_tool(tool, arguments)
            assert not result.is_error
            assert result.structured_content == {"answered": False, "note": said(result)}
            assert "switched off" in said(result)
        [data] = (await client.read_resource(ARMS_JSON)).contents
        assert isinstance(data, TextResourceContents)
        assert json.loads(data.text)["arms"] == []
    assert daemon.settled_counts() == before


CALLS: dict[str, dict[str, Any]] = {
    "recommend": {"goal": "x"},
    "report_outcome": {"succeeded": True, "goal": "x", "ran": "opus"},
    "explain": {"decision_id": "d"},
    "status": {},
    "list_models": {},
}


async def test_in_shadow_it_decides_and_does_not_say_what(daemon: Daemon) -> None:
    async with within(daemon.place, ROUTERD_MODE="shadow") as client:
        result = await client.call_tool("recommend", {"goal": "x", "candidates": WHO})
    assert result.structured_content.keys() == {"answered", "note", "decision_id"}
    assert result.structured_content["answered"] is False
    assert daemon.ask("explain", decision_id=result.structured_content["decision_id"])["arms"]


async def test_a_mode_that_is_set_later_holds_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with within(place) as client:
        assert "cannot be reached" in said(await client.call_tool("status", {}))
        keep("mcp", "off", place.env)
        assert "switched off" in said(await client.call_tool("status", {}))


async def test_only_where_it_may_be_enforced_the_model_is_told_to_use_it(daemon: Daemon) -> None:
    from routerd.integrations.mcp_answers import recommended  # noqa: PLC0415

    answer = daemon.ask("recommend", task={"goal": "x"}, candidates=["local"], dry_run=True)
    sure = {**answer, "gate": {"apply": True, "reason": "P = 0.01 against delegate:anthropic:claude-opus-5"}}
    assert recommended(sure, "enforce").note.startswith("Use: local")
    assert recommended(sure, "advise").note.startswith("routerd would use: local")
    assert recommended(answer, "enforce").note.startswith("routerd would use: local")
    assert "claude-opus-5 --provider anthropic" in recommended(sure, "advise").note


# --- without a daemon, and with a slow one --------------------------------------------------------------------------


async def test_without_a_daemon_every_tool_answers_and_with_one_they_work(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with over_stdio(place) as client:
        for tool in CALLS.keys() - {"list_models"}:
            result = await client.call_tool(tool, CALLS[tool])
            assert not result.is_error
            assert result.structured_content["answered"] is False
            assert "Go on as you would without routerd." in said(result)
        assert "opus" in said(await client.call_tool("list_models", {}))  # this needs no daemon
        [table] = (await client.read_resource(ARMS_MARKDOWN)).contents
        assert isinstance(table, TextResourceContents)
        assert "cannot be reached" in table.text
        with place.daemon():
            assert (await client.call_tool("status", {})).structured_content["answered"]
            pick = await client.call_tool("recommend", {"goal": "x", "candidates": WHO})
            assert pick.structured_content["answered"]
        gone = await client.call_tool("status", {})
        assert gone.structured_content["answered"] is False
        for file in place.state.glob("routerd.db*"):  # what the decision was is known to the server alone now
            file.unlink()
        with place.daemon():
            told = await client.call_tool(
                "report_outcome", {"decision_id": pick.structured_content["decision_id"], "succeeded": True}
            )
            assert told.structured_content["answered"], said(told)
    assert (tmp_path / "mcp.err").read_text() == ""


class Slow:
    """Something that takes one connection and a line, and answers it only when it is told to, if ever."""

    def __init__(self, path: Path) -> None:
        self.line = b""
        self.heard = threading.Event()
        self.gone = threading.Event()
        self.answer: threading.Event | None = None
        self.was_waited_for = False
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(8)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rb") as lines:
            self.line = lines.readline()
            self.heard.set()
            if self.answer is not None and self.answer.wait(10):
                self._answer(connection)
            if lines.read() == b"":
                self.gone.set()

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:  # nothing more is said, and the other side is there
            self.was_waited_for = True
        connection.sendall(b'{"jsonrpc":"2.0","id":1,"result":{"outcome_id":"o","duplicate":false}}\n')

    def close(self) -> None:
        self._listening.close()
        self._thread.join()


async def _cancelled(client: Client, slow: Slow, tool: str, arguments: dict[str, Any]) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, tool, arguments)
        assert await anyio.to_thread.run_sync(slow.heard.wait, 10)
        group.cancel_scope.cancel()


async def test_a_cancelled_call_lets_go_of_the_daemon_and_the_next_is_answered(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with closing(Slow(place.socket)) as slow:
        async with over_stdio(place, "legacy") as client:
            await _cancelled(client, slow, "status", {})
            assert await anyio.to_thread.run_sync(slow.gone.wait, 1.5)  # status itself would wait for 2 s
            assert len((await client.list_tools()).tools) == len(TOOLS)


async def test_a_report_is_delivered_even_if_its_call_is_cancelled(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with closing(Slow(place.socket)) as slow:
        slow.answer = threading.Event()
        async with over_stdio(place, "legacy") as client:
            await _cancelled(client, slow, "report_outcome", {"goal": "x", "ran": "opus", "succeeded": True})
            await client.list_tools()  # the cancellation has arrived before this
            slow.answer.set()
            assert await anyio.to_thread.run_sync(slow.gone.wait, 10)
        assert json.loads(slow.line)["params"]["outcome"] == {"succeeded": True}
        assert slow.was_waited_for


async def test_a_recommendation_keeps_the_agent_waiting_no_longer_than_its_time(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with closing(Slow(place.socket)):
        async with within(place) as client:
            await client.list_tools()
            start = time.monotonic()
            result = await client.call_tool("recommend", {"goal": "x"})
            assert time.monotonic() - start < 0.05 + 0.2  # the client's own way is in it, on a busy machine
    assert "no answer within 0.04 s" in said(result)


# --- beginning and end ----------------------------------------------------------------------------------------------

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


def started(place: Place) -> subprocess.Popen[bytes]:
    """A server that has said hello."""
    process = subprocess.Popen(
        [str(PROGRAMS / "routerctl"), "mcp"],
        env=place.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(HELLO).encode() + b"\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert answer["result"]["serverInfo"]["name"] == "routerd"
    return process


def test_it_ends_with_its_input_and_has_said_nothing_else(tmp_path: Path) -> None:
    process = started(Place(tmp_path))
    assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 0


def test_an_interrupt_ends_it_at_once_without_a_word(tmp_path: Path) -> None:
    process = started(Place(tmp_path))
    process.send_signal(signal.SIGINT)
    process.wait(5)  # its input is still open
    assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write({"shadow/mcp/__init__.py": b"raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')\n"})
    place.env["PYTHONPATH"] = str(tmp_path / "shadow")
    done = place.run("routerctl", "mcp")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "routerctl: mcp needs 'mcp', which is not installed: pip install 'routerd[mcp]'\n"
