"""A small Hindsight: banks of documents in memory, behind the endpoints that a mirror uses, and its errors."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = "/v1/default/banks/"


class Hindsight:
    """What the server holds, and how it behaves: `down` answers 503, `garbled` nonsense, and a `key` is asked for."""

    def __init__(self) -> None:
        self.banks: dict[str, dict[str, dict[str, Any]]] = {}
        self.created: list[dict[str, Any]] = []
        self.batches: list[list[str]] = []
        self.agents: set[str] = set()
        self.refused: set[str] = set()
        self.down = False
        self.garbled = False
        self.key: str | None = None
        self.url = ""
        self.arrived = threading.Condition()

    def documents(self, bank: str = "routerd") -> dict[str, dict[str, Any]]:
        """The documents of a bank, by id."""
        return self.banks.get(bank, {})

    def wait_for(self, condition: Any, within_s: float = 30.0) -> None:
        """Until something true was brought about by a request."""
        with self.arrived:
            assert self.arrived.wait_for(condition, within_s)

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Status and body."""
        url = urlsplit(target)
        bank, _, rest = url.path.removeprefix(ROOT).partition("/")
        bank, query = unquote(bank), parse_qs(url.query)
        if method == "PUT":
            self.banks.setdefault(bank, {})
            self.created.append({"bank": bank, **body})
            return 200, {
                "bank_id": bank,
                "name": bank,
                "mission": "",
                "disposition": {"skepticism": 3, "literalism": 3, "empathy": 3},
            }
        if bank not in self.banks:
            return 404, {"detail": f"Bank '{bank}' not found"}
        if (method, rest) == ("POST", "memories"):
            return self._retain(bank, body["items"])
        if (method, rest) == ("GET", "documents"):
            return 200, self._page(bank, query)
        if method == "DELETE" and (name := unquote(rest.removeprefix("documents/"))) in self.banks[bank]:
            del self.banks[bank][name]
            return 200, {"success": True, "message": "", "document_id": rest, "memory_units_deleted": 1}
        return 404, {"detail": "Document not found"}

    def _retain(self, bank: str, items: list[dict[str, Any]]) -> tuple[int, Any]:
        if self.refused & {item["document_id"] for item in items}:
            return 422, {"detail": [{"loc": ["body"], "msg": "cannot be taken", "type": "value_error"}]}
        for item in items:
            assert item["update_mode"] == "replace"
            assert all(isinstance(value, str) for value in item["metadata"].values())
            self.banks[bank][item["document_id"]] = item
        self.batches.append([item["document_id"] for item in items])
        return 200, {"success": True, "bank_id": bank, "items_count": len(items), "async": False}

    def _page(self, bank: str, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = set(query.get("tags", []))
        found = [one for one in self.banks[bank].values() if wanted <= set(one["tags"])]
        offset, limit = (int(query.get(name, [default])[0]) for name, default in (("offset", "0"), ("limit", "100")))
        items = [
            {"id": one["document_id"], "tags": one["tags"], "document_metadata": one["metadata"]}
            for one in found[offset : offset + limit]
        ]
        return {"items": items, "total": len(found), "limit": limit, "offset": offset}


@contextmanager
def hindsight() -> Iterator[Hindsight]:
    """A server on a port of this machine."""
    state = Hindsight()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status: int
            said: Any
            with state.arrived:
                if state.down:
                    status, said = 503, {"detail": "at capacity"}
                elif state.garbled:
                    status, said = 200, "hello"
                elif state.key and self.headers.get("Authorization") != f"Bearer {state.key}":
                    status, said = 401, {"detail": "who are you?"}
                else:
                    state.agents.add(self.headers["User-Agent"])
                    status, said = state.answer(self.command, self.path, body)
                state.arrived.notify_all()
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names of the base

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as above
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield state
        finally:
            server.shutdown()
            serving.join()
