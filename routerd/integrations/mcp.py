"""
routerd as tools of an agent that speaks MCP: a server on stdio that asks the daemon over its socket.

It outlives the daemon: every call connects anew, so a daemon that comes later is found and one that goes is missed only
by an answer that says so. The agent is kept waiting 50 ms for a recommendation at most (CONTRACT §4).
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool

from routerd import __version__
from routerd.catalog import Catalog
from routerd.catalog.answers import ModelInfo
from routerd.client import TIMEOUT_S, aio
from routerd.config import Config
from routerd.errors import InvalidParams, NoSuchDecision, Overloaded, RequestError, ShuttingDown, UnreachableError
from routerd.integrations import mcp_answers as answers
from routerd.integrations.mcp_tools import (
    GO_ON,
    INSTRUCTIONS,
    TOOLS,
    Answer,
    AnyArgs,
    ExplainArgs,
    ListModelsArgs,
    Models,
    RecommendArgs,
    Recommended,
    ReportArgs,
    StatusArgs,
    Told,
    schema,
)
from routerd.integrations.modes import mode
from routerd.integrations.wording import named_arm
from routerd.sources import SOURCES

AGENT: Final = "mcp"
READ_WITHIN_S: Final = 2.0
REPORT_WITHIN_S: Final = 5.0
"""A report is answered once it is on disk, which a busy disk may delay."""
REMEMBERED_MAX: Final = 1000
ARMS_JSON: Final = "routerd://arms"
ARMS_MARKDOWN: Final = "routerd://arms.md"

Context = ServerRequestContext[Any, Any]


class Asker:
    """
    What the tools do.

    Args:
        env: Where the socket and the mode are looked for, at every call.
        config: Reads the configuration, for what can be said without a daemon.
        socket: The daemon's socket, where it is not in its usual place.
    """

    def __init__(self, env: Mapping[str, str], config: Callable[[], Config], socket: Path | None) -> None:
        self._env = env
        self._socket = socket
        self._catalog = cache(lambda: Catalog(config(), env))
        self._remembered: OrderedDict[str, tuple[dict[str, Any], dict[str, Any]]] = OrderedDict()

    def mode(self) -> str:
        """How far routerd may go here."""
        return mode(AGENT, self._env)

    async def call(self, args: AnyArgs, agent: str) -> Answer:
        """
        The answer to one call; where routerd has none, the words that the agent goes on with.

        Raises:
            RequestError: The model asked for something that cannot be; the message says how to ask.
        """
        if self.mode() == "off":
            return Answer(answered=False, note=f"routerd is switched off for MCP. {GO_ON}")
        try:
            return await self._called(args, agent)
        except (UnreachableError, Overloaded, ShuttingDown) as error:
            return Answer(answered=False, note=f"{error}. {GO_ON}")

    async def _called(self, args: AnyArgs, agent: str) -> Answer:
        match args:
            case RecommendArgs():
                return await self._recommend(args, agent)
            case ReportArgs():
                return await self._report(args, agent)
            case ListModelsArgs():
                return await self._list_models(args)
            case ExplainArgs():
                return answers.explained(await self._ask("explain", {"decision_id": args.decision_id}, READ_WITHIN_S))
            case StatusArgs():
                return answers.state(await self._ask("status", {}, READ_WITHIN_S), self.mode())

    async def _ask(self, method: str, params: Mapping[str, Any], within_s: float) -> Any:
        return await aio.call(method, params, socket=self._socket, timeout_s=within_s)

    async def _recommend(self, args: RecommendArgs, agent: str) -> Answer:
        asked = answers.question(args, agent)
        answer = await self._ask("recommend", asked, TIMEOUT_S)
        decision_id = answer["decision_id"]
        self._remember(decision_id, asked["task"], answer["dispatch"])
        if self.mode() == "shadow":
            note = (
                f"routerd only watches here. {GO_ON} When the task has ended, call report_outcome with {decision_id}."
            )
            return Recommended(answered=False, note=note, decision_id=decision_id)
        return answers.recommended(answer, self.mode())

    def _remember(self, decision_id: str, task: dict[str, Any], dispatch: dict[str, Any]) -> None:
        self._remembered[decision_id] = (task, dispatch)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    async def _report(self, args: ReportArgs, agent: str) -> Answer:
        params = self._report_of(args, agent)
        told: dict[str, Any] = {}
        with anyio.CancelScope(shield=True):  # it was said: it is delivered, even if nobody waits any more
            try:
                told = await self._ask("report", params, REPORT_WITHIN_S)
            except NoSuchDecision:
                raise NoSuchDecision(f"decision {args.decision_id!r} is not known: give goal and ran as well") from None
        note = "It was reported before." if told["duplicate"] else "It is on disk, and learnt."
        return Told(answered=True, note=note, outcome_id=told["outcome_id"], duplicate=told["duplicate"])

    def _report_of(self, args: ReportArgs, agent: str) -> dict[str, Any]:
        """The params of `report`: task and dispatch beside the decision's id, which the daemon may have lost."""
        members: dict[str, Any] = {"outcome": answers.outcome_of(args)}
        if args.outcome_id:
            members["outcome_id"] = args.outcome_id
        if args.decision_id:
            members["decision_id"] = args.decision_id
            if known := self._remembered.get(args.decision_id):
                members["task"], members["dispatch"] = known
        elif not (args.goal and args.ran):
            raise InvalidParams("give decision_id as recommend gave it, or goal and ran")
        if args.goal and "task" not in members:
            members["task"] = {"goal": args.goal, "agent": agent}
        if args.ran:
            members["dispatch"] = answers.plain(answers.dispatch_of(args.ran, "ran"))
        return members

    async def _list_models(self, args: ListModelsArgs) -> Models:
        tier, provider = args.tier or None, args.provider or None
        wanted = {name: value for name, value in (("tier", tier), ("provider", provider)) if value}
        try:
            found = (await self._ask("models", wanted, READ_WITHIN_S))["models"]
        except UnreachableError:  # the list needs no daemon
            found = msgspec.to_builtins(
                await anyio.to_thread.run_sync(lambda: self._catalog().models(tier, provider), abandon_on_cancel=True)
            )
        return answers.models(msgspec.convert(found, list[ModelInfo]), args.per_tier)

    async def arms(self) -> tuple[list[dict[str, Any]], str | None]:
        """All arms, or why there are none to show."""
        if self.mode() == "off":
            return [], f"routerd is switched off for MCP. {GO_ON}"
        try:
            found = (await self._ask("arms", {}, READ_WITHIN_S))["arms"]
            return [{"name": named_arm(arm["arm"]), **arm} for arm in found], None
        except (UnreachableError, RequestError) as error:
            return [], f"{error}. {GO_ON}"


def client_agent(name: str | None) -> str:
    """The agent that a client's name stands for, as the logs call it (`codex-mcp-client` is codex), else `mcp`."""
    known = (name or "").lower()
    return next((agent for agent in SOURCES if known == agent or known.startswith(f"{agent}-")), AGENT)


def build(asker: Asker) -> Server[Any]:
    """The server with its tools and resources."""

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=_listed())

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"no such tool {params.name!r}; there are {', '.join(TOOLS)}")
        client = context.session.client_params
        agent = client_agent(client.client_info.name if client else None)
        try:
            return _result(await asker.call(_args(tool.args, params.arguments or {}), agent))
        except msgspec.ValidationError as error:
            members = ", ".join(tool.args.__struct_fields__)
            return _refused(f"{error}; {params.name} takes {members or 'nothing'}")
        except RequestError as error:
            return _refused(_corrected(error))

    async def list_resources(_: Context, __: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=_resources())

    async def read_resource(_: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        if uri not in (ARMS_JSON, ARMS_MARKDOWN):
            raise MCPError(INVALID_PARAMS, f"no such resource {uri!r}; there are {ARMS_JSON} and {ARMS_MARKDOWN}")
        arms, missing = await asker.arms()
        if uri == ARMS_JSON:
            body = {"arms": arms} if missing is None else {"arms": arms, "note": missing}
            said, kind = msgspec.json.encode(body).decode(), "application/json"
        else:
            said, kind = missing or answers.arms_table(arms), "text/markdown"
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=said)])

    return Server(
        "routerd",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )


async def serve(asker: Asker) -> None:
    """Serves on stdin and stdout until stdin ends."""
    server = build(asker)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def run(config: Callable[[], Config], socket: Path | None) -> None:
    """The life of the server; `config` is called only if something is asked while no daemon runs."""
    anyio.run(serve, Asker(os.environ, config, socket))


def _args(kind: type[AnyArgs], given: Mapping[str, Any]) -> AnyArgs:
    """
    The arguments of a call. A null stands for nothing, but in `succeeded`, where it means that nobody knows.

    Raises:
        ValidationError: A member is missing, unknown or of the wrong kind.
    """
    said = {name: value for name, value in given.items() if value is not None or name == "succeeded"}
    return msgspec.convert(said, kind, strict=False)


def _refused(why: str) -> CallToolResult:
    """What a model reads to ask better."""
    return _result(Answer(answered=False, note=why), is_error=True)


def _corrected(error: RequestError) -> str:
    suggestions = (error.data or {}).get("suggestions")
    return f"{error}" + (f"; did you mean {' or '.join(map(repr, suggestions[:3]))}?" if suggestions else "")


def _result(answer: Answer, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=answer.note)],
        structured_content=_short(msgspec.to_builtins(answer)),
        is_error=is_error,
    )


def _short(value: Any) -> Any:
    """The same with numbers as a model reads them: four digits are plenty, and each more is paid for."""
    match value:
        case dict():
            return {name: _short(member) for name, member in value.items()}
        case list():
            return [_short(member) for member in value]
        case float():
            return float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return value


@cache
def _listed() -> list[ListedTool]:
    return [
        ListedTool(
            name=name,
            title=tool.title,
            description=tool.description,
            input_schema=schema(tool.args),
            output_schema=schema(tool.answer),
            annotations=ToolAnnotations(
                read_only_hint=tool.reads_only, destructive_hint=False, idempotent_hint=True, open_world_hint=False
            ),
        )
        for name, tool in TOOLS.items()
    ]


@cache
def _resources() -> list[Resource]:
    about = "What is believed of every dispatch that routerd knows, and on how many outcomes"
    return [
        Resource(name="arms", uri=ARMS_JSON, mime_type="application/json", description=f"{about}, as JSON."),
        Resource(name="arms table", uri=ARMS_MARKDOWN, mime_type="text/markdown", description=f"{about}, as a table."),
    ]
