"""`routerctl sync hindsight`: a document for every outcome in a Hindsight server, and from there back again."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
import msgspec
from cyclopts import Parameter

from routerd.cli import logs
from routerd.cli.common import DEFAULTS, Common, database_path, needs, own_config, show
from routerd.cli.import_ import taken
from routerd.cli.view import console
from routerd.config import LogConfig
from routerd.errors import ConfigError, RouterdError, StoreError, UnreachableError
from routerd.places import state_dir
from routerd.sources.jsonl import check_row

if TYPE_CHECKING:
    from routerd.integrations.hindsight import Bank
    from routerd.integrations.mirror import Mirror, Pass

URL = "http://localhost:8888"
LOOK_EVERY_S = 1.0
WHOLE_EVERY_S = 600.0
WAIT_FIRST_S = 1.0
WAIT_MAX_S = 60.0


def sync(
    to: Literal["hindsight"],
    *,
    url: str = URL,
    bank: str = "routerd",
    follow: Annotated[bool, Parameter(negative=())] = False,
    seed: Annotated[bool, Parameter(negative=())] = False,
    with_text: Annotated[bool, Parameter(negative=())] = False,
    api_key_env: str | None = None,
    common: Common = DEFAULTS,
) -> int:
    """Puts a document for every outcome into a Hindsight server's bank. Run again, it sends what has changed.

    The daemon opens no network connection; this does, to the server that is named here and to no other.

    Example: routerctl sync hindsight --follow

    Parameters
    ----------
    to: str
        hindsight: there is no other yet.
    url: str
        The server.
    bank: str
        The bank; it is created if it is not there.
    follow: bool
        Go on sending what changes, also over times when the server cannot be reached.
    seed: bool
        The other way: learn from the documents that are there, as from an import. Nothing counts twice.
    with_text: bool
        Send goals too. They must be kept for that: privacy.store_text.
    api_key_env: str
        The variable that holds the server's key, if it wants one. The key is sent to the server and kept nowhere.
    """
    if with_text and not own_config().privacy.store_text:
        raise ConfigError("--with-text: no text is kept that could be sent; set privacy.store_text = true")
    needs("hindsight_client", extra="hindsight", verb="sync hindsight")
    from routerd.integrations.hindsight import Bank  # noqa: PLC0415 - a second of importing that no other verb needs

    logs.configure(LogConfig(level="warning"))
    key = _key(api_key_env)
    if seed:
        return _seed(lambda: Bank(url, bank, key), common)
    return anyio.run(_mirror, lambda: Bank(url, bank, key), with_text, follow, common)


def _key(variable: str | None) -> str | None:
    """
    The key that was asked to be sent.

    Raises:
        ConfigError: The variable is not set.
    """
    if variable is None:
        return None
    if not (key := os.environ.get(variable)):
        raise ConfigError(f"--api-key-env: {variable} is not set")
    return key


# --- there ----------------------------------------------------------------------------------------------------------


async def _mirror(open_bank: "Callable[[], Bank]", with_text: bool, follow: bool, common: Common) -> int:
    from routerd.integrations.mirror import Mirror, Sent, sent_path  # noqa: PLC0415

    state = state_dir(os.environ)
    database = database_path()
    if not follow and not database.exists():
        raise StoreError(f"{database}: there is no database yet; has routerd run?")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with open_bank() as bank:
        with closing(Sent(sent_path(state, bank.url, bank.name))) as sent:
            mirror = Mirror(bank, database, sent, text=with_text)
            if follow:
                await _until_stopped(mirror, bank, common)
                return 0
            done = await mirror.whole()
            show({"url": bank.url, "bank": bank.name, **msgspec.to_builtins(done)}, common, render)
            return 1 if done.refused else 0


async def _until_stopped(mirror: "Mirror", bank: "Bank", common: Common) -> None:
    """Follows until SIGTERM or SIGINT; what was sent is written down already."""
    try:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with anyio.create_task_group() as running:
                running.start_soon(_follow, mirror, bank, common)
                async for _ in signals:
                    running.cancel_scope.cancel()
                    return
    except* RouterdError as group:
        raise group.exceptions[0] from None


async def _follow(mirror: "Mirror", bank: "Bank", common: Common) -> None:
    """Looks again and again: one query on a connection of its own finds whether there is anything new."""
    wait_s, whole_at = WAIT_FIRST_S, 0.0
    while True:
        try:
            if time.monotonic() >= whole_at:
                done = await mirror.whole()
                whole_at = time.monotonic() + WHOLE_EVERY_S
            else:
                done = await mirror.recent()
        except (UnreachableError, StoreError) as error:
            print(f"routerctl: {error}; next try in {wait_s:g} s", file=sys.stderr)
            await anyio.sleep(wait_s)
            wait_s = min(2 * wait_s, WAIT_MAX_S)
            continue
        wait_s = WAIT_FIRST_S
        if done:
            _tell(done, bank, common)
        await anyio.sleep(LOOK_EVERY_S)


def _tell(done: "Pass", bank: "Bank", common: Common) -> None:
    show({"url": bank.url, "bank": bank.name, **msgspec.to_builtins(done)}, common, render)
    sys.stdout.flush()


def render(answer: dict[str, Any]) -> None:
    """One line."""
    words = [f"{answer['sent']} sent", f"{answer['forgotten']} taken out"]
    words += [f"{answer['refused']} refused"] if answer["refused"] else []
    words += [f"{answer['kept']} left that this database does not know"] if answer["kept"] else []
    console().print(f"{answer['url']} bank {answer['bank']}: documents: {', '.join(words)}")


# --- and back -------------------------------------------------------------------------------------------------------


def _seed(open_bank: "Callable[[], Bank]", common: Common) -> int:
    """Reads the documents into a file of rows, takes that in, and notes that they are on the server."""
    from routerd.integrations.mirror import Sent, sent_path  # noqa: PLC0415
    from routerd.integrations.outcome_documents import DIGEST, ROW  # noqa: PLC0415

    found, url, name = anyio.run(_documents, open_bank)
    good = {one: told for one, told in found.items() if ROW in told and check_row(told[ROW].encode()) is None}
    path = sent_path(state_dir(os.environ), url, name)
    rows = path.with_suffix(".jsonl")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(rows, "".join(told[ROW] + "\n" for told in good.values()))
    answer = taken([rows], common) if good else {"files": 0, "completions": 0, "broken": []}
    with closing(Sent(path)) as sent:
        sent.add((one, told.get(DIGEST, "")) for one, told in good.items())
    show({"url": url, "bank": name, "documents": len(found), **answer}, common, _render_seed)
    return 0 if good else 1


async def _documents(open_bank: "Callable[[], Bank]") -> tuple[dict[str, dict[str, str]], str, str]:
    async with open_bank() as bank:
        found = {id_: {key: str(value) for key, value in told.items()} async for id_, told in bank.metadata()}
        return found, bank.url, bank.name


def _write(path: Path, text: str) -> None:
    """Puts a file of our own in the place of the one before it, whole."""
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _render_seed(answer: dict[str, Any]) -> None:
    console().print(
        f"{answer['url']} bank {answer['bank']}: {answer['documents']} documents read, "
        f"{answer['completions']} tasks learnt from them"
    )
