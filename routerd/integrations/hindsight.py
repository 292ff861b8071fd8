"""
A bank of a Hindsight server: as much of its API as a mirror of outcomes needs.

It is created so that no model reads what is put into it: documents are kept in chunks as they are. A bank that is
there already keeps its own configuration.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
import msgspec
from hindsight_client import Hindsight
from hindsight_client_api.exceptions import ApiException, NotFoundException

from routerd.errors import ConfigError, RouterdError, UnreachableError
from routerd.integrations.outcome_documents import TAG, Document

T = TypeVar("T")

WITHIN_S: Final = 300.0
"""A server with a model behind it takes its time over a batch."""
PAGE: Final = 100
TRY_LATER: Final = frozenset({408, 429})


class Refused(RouterdError):
    """The server does not take a document; another may be taken."""


class Bank:
    """
    One bank.

    Args:
        url: Of the server.
        name: The bank's id.
        key: What the server asks for, if it asks for one.
    """

    def __init__(self, url: str, name: str, key: str | None = None) -> None:
        self.url = url
        self.name = name
        self._client = Hindsight(url, api_key=key, timeout=WITHIN_S, user_agent="routerd")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()  # type: ignore[no-untyped-call]

    async def make(self) -> bool:
        """
        Creates the bank where it is not there yet; whether it was not.

        Raises:
            RouterdError: As for `retain`.
        """
        if await self._tried(self._client.documents.list_documents(self.name, limit=1), missing_is=None) is not None:
            return False
        await self._tried(
            self._client.acreate_bank(self.name, retain_extraction_mode="chunks", enable_observations=False)
        )
        return True

    async def retain(self, documents: Sequence[Document]) -> None:
        """
        Puts documents into the bank, each in the place of an earlier one of its id. Returns when the server has them.

        Raises:
            UnreachableError: It cannot take them now.
            Refused: It takes none of them, for one of them cannot be taken.
            ConfigError: It does not let us in.
        """
        await self._tried(self._client.aretain_batch(self.name, [msgspec.to_builtins(one) for one in documents]))

    async def forget(self, document_id: str) -> None:
        """
        Takes a document out; one that is not there is out.

        Raises:
            RouterdError: As for `retain`.
        """
        await self._tried(self._client.documents.delete_document(self.name, document_id), missing_is=None)

    async def metadata(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """
        Ids and metadata of all documents that routerd put there; while others write, one may come twice.

        Raises:
            RouterdError: As for `retain`.
        """
        offset = 0
        while True:
            page = await self._tried(
                self._client.documents.list_documents(
                    self.name, tags=[TAG], tags_match="all_strict", time_field="created_at", limit=PAGE, offset=offset
                ),
                missing_is=None,
            )
            if page is None or not page.items:
                return
            for item in page.items:
                yield item.id, item.document_metadata or {}
            offset += len(page.items)

    async def _tried(self, answer: Awaitable[T], **instead: None) -> T | None:
        """The answer; `missing_is` stands for "no such bank or document" where that is no error."""
        try:
            return await answer
        except ApiException as error:
            if isinstance(error, NotFoundException) and "missing_is" in instead:
                return instead["missing_is"]
            raise self.said(error.status or 0, error.body or error.reason or "") from None
        except aiohttp.ClientResponseError as error:
            raise self.said(error.status, error.message) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or f"no answer within {WITHIN_S:g} s"
            raise UnreachableError(f"{self.url}: Hindsight cannot be reached: {reason}") from None
        except ValueError as error:  # pydantic's and json's
            raise RouterdError(f"{self.url}: what answers is not Hindsight: {_line(str(error))}") from None

    def said(self, status: int, reason: str) -> RouterdError:
        """An answer that is an error, by whose move it is."""
        why = f"{self.url}: Hindsight says {status}: {_line(reason)}"
        if status in (401, 403):
            return ConfigError(f"{why}; name the variable that holds its key with --api-key-env")
        if status >= 500 or status in TRY_LATER:
            return UnreachableError(why)
        return Refused(why)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
