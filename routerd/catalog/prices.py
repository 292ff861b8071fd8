"""
List prices and context lengths, from genai-prices and the user's own.

The library takes a third of a second and 10 MB to import, so it is imported at the first question; the daemon asks that
question (`load`) in a thread as soon as it has begun. It holds its data in itself and opens no connection.

Prices that rise with the length of a prompt count per request. The tokens here are sums over the requests of a task,
which do not tell how long each was, so the base price is taken.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import log
from typing import Any, Final

import msgspec

from routerd.catalog.names import Identity, Names
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Model
from routerd.config import PriceConfig
from routerd.events import Tokens

MILLION: Final = 1e6
BLEND: Final = (0.75, 0.25)
"""Shares of input and output in a blended token: the usual 3 : 1."""
_FREE: Final = 0.01
"""US dollars per million tokens that free ones count as, where a logarithm is taken."""
_RATES_MAX: Final = 4096
ANYWHERE: Final = "*"
"""Instead of a provider: wherever the library finds a model."""


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """US dollars per million tokens. Cache prices that nobody states are those of input."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    context_length: int | None = None

    def of(self, tokens: Tokens) -> float:
        """What tokens cost, US dollars."""
        parts = tokens.input * self.input, tokens.output * self.output
        cached = tokens.cache_read * self.cache_read, tokens.cache_write * self.cache_write
        return (sum(parts) + sum(cached)) / MILLION

    @property
    def log_blended(self) -> float:
        """Natural logarithm of US dollars per million blended tokens."""
        return log(max(BLEND[0] * self.input + BLEND[1] * self.output, _FREE))


FREE: Final = Price(input=0.0, output=0.0, cache_read=0.0, cache_write=0.0)


class Prices:
    """
    List prices.

    Args:
        own: The user's prices, by model string.
        date: ISO date whose prices hold where no time is given.
    """

    def __init__(self, own: Mapping[str, PriceConfig], names: Names, providers: Providers, date: str) -> None:
        self._names = names
        self._providers = providers
        self._own = {names.identify(name).id: _own(price) for name, price in own.items()}
        self._usual_at = datetime.fromisoformat(f"{date}T12:00+00:00").timestamp()
        self._cached = lru_cache(_RATES_MAX)(self._look_up)

    def of(self, provider: str | None, model: str, at: float | None = None) -> Price | None:
        """
        The list price of a model, or None when nobody lists it.

        Args:
            provider: Slug; what it does not list is taken from the vendor's own list.
            model: Canonical id, or as written in a log.
            at: Unix seconds; prices change, some by the hour.
        """
        hour = int((self._usual_at if at is None else at) // 3600)
        identity = self._names.identify(model)
        return self._cached(provider or identity.provider, model if identity.model is None else identity.id, hour)

    def load(self) -> None:
        """Imports the library."""
        _library()

    def warm(self, model: Model) -> None:
        """Asks the library for a model where it is usually had."""
        for provider in (model.provider, *model.served_as):
            self.of(provider, model.id)

    def _look_up(self, provider: str | None, text: str, hour: int) -> Price | None:
        identity = self._names.identify(text)
        if (own := self._own.get(identity.id)) is not None:
            return own
        place = provider or identity.provider
        known = self._providers.get(place) if place else None
        if known is not None and known.local:
            return FREE
        when = datetime.fromtimestamp(hour * 3600, UTC)
        first: Price | None = None
        for slug in dict.fromkeys((place, identity.native, "openrouter", ANYWHERE)):
            found = self._listed(slug, identity, text, when)
            first = first or found
            if first is not None and found is not None and found.context_length is not None:
                first = msgspec.structs.replace(first, context_length=found.context_length)
                break
        if first is not None and identity.variant == "free":
            return msgspec.structs.replace(FREE, context_length=first.context_length)
        return first

    def _listed(self, slug: str | None, identity: Identity, text: str, when: datetime) -> Price | None:
        """The price at one provider, under any name that the model has there."""
        known = self._providers.get(slug) if slug else None
        if slug != ANYWHERE and (known is None or known.prices is None):
            return None
        model = identity.model
        if model is None:
            names = [identity.id.partition(":")[0], text]
        else:
            served = [id_ for at, id_ in model.served_as.items() if at == slug]
            names = [*served, model.id, text, *model.spellings]
        return _priced(known.prices if known else None, names, when)


def _own(price: PriceConfig) -> Price:
    return Price(
        input=price.input,
        output=price.output,
        cache_read=price.input if price.cache_read is None else price.cache_read,
        cache_write=price.input if price.cache_write is None else price.cache_write,
        context_length=price.context_length,
    )


def _library() -> Any:
    import genai_prices  # noqa: PLC0415 - heavy, see above

    return genai_prices


def _priced(provider: str | None, spellings: list[str], when: datetime) -> Price | None:
    library = _library()
    for spelling in dict.fromkeys(spellings):
        try:
            found = library.calc_price(
                library.Usage(input_tokens=0, output_tokens=0),
                spelling,
                provider_id=provider,
                genai_request_timestamp=when,
            )
        except LookupError:
            continue
        rates = found.model_price
        in_, out = _rate(rates, "input_mtok"), _rate(rates, "output_mtok")
        if in_ is None or out is None:
            continue
        read, write = _rate(rates, "cache_read_mtok"), _rate(rates, "cache_write_mtok")
        return Price(
            input=in_,
            output=out,
            cache_read=in_ if read is None else read,
            cache_write=in_ if write is None else write,
            context_length=found.model.context_window,
        )
    return None


def _rate(prices: Any, name: str) -> float | None:
    """A price per million tokens; of one with tiers the first."""
    value = getattr(prices, name, None)
    value = getattr(value, "base", value)
    return None if value is None else float(value)
