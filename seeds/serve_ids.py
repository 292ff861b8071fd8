"""
Notes in `models.json` under which ids OpenRouter and Bedrock serve each model, by the lists of the price library.

    python seeds/serve_ids.py        after a new release of genai-prices or new lines in models.json

Run `seeds/fit_capability.py` afterwards. It is a step of its own so that the registry depends on the seeds alone and
not on the release of the library that happens to be installed.
"""

import json
from pathlib import Path
from typing import Any

from genai_prices.data import providers as listed

from routerd.catalog.names import Names
from routerd.catalog.providers import Providers
from routerd.catalog.registry import Model, Provider, Registry, Scale

SEEDS = Path(__file__).parent
LISTS = {"openrouter": "openrouter", "bedrock": "aws"}


def main() -> None:
    """Rewrites `models.json`."""
    path = SEEDS / "models.json"
    seeds = json.loads(path.read_text(encoding="utf-8"))
    ids = served(seeds, json.loads((SEEDS / "providers.json").read_text(encoding="utf-8")))
    for entry in seeds["models"]:
        entry.pop("served_as", None)
        if entry["id"] in ids:
            entry["served_as"] = ids[entry["id"]]
    head = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in seeds.items() if key != "models"]
    lines = ",\n".join(json.dumps(entry) for entry in seeds["models"])
    path.write_text("{\n" + ",\n".join([*head, '"models": [\n' + lines + "\n]"]) + "\n}\n", encoding="utf-8")


def served(seeds: dict[str, Any], providers: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Model to provider to id."""
    names = Names(bare(seeds), Providers([Provider(**provider) for provider in providers], {}), {})
    found: dict[str, dict[str, str]] = {}
    for slug, list_id in LISTS.items():
        ids = [model.id for provider in listed if provider.id == list_id for model in provider.models]
        for id_ in sorted(ids, key=_plainness):
            identity = names.identify(id_)
            own_form = "/" in id_ if slug == "openrouter" else identity.provider == slug
            plain = identity.variant is None and identity.effort is None and not identity.alias
            if identity.model is not None and own_form and plain:
                found.setdefault(identity.model.id, {}).setdefault(slug, id_.removeprefix("regional."))
    return found


def _plainness(id_: str) -> tuple[bool, int, str]:
    """Instruct models before base models, then the plainest form of an id."""
    return not id_.endswith("-instruct"), len(id_), id_


def bare(seeds: dict[str, Any]) -> Registry:
    """A registry that knows names and nothing else."""
    keys = ("id", "provider", "family", "spellings")
    return Registry(
        date="",
        sources={},
        scale=Scale(slope=1.0, intercept=0.0, link_rms=0.0, size_rms=0.0, family_rms=0.0, default_rms=0.0),
        aliases=seeds["aliases"],
        peers={},
        models=[Model(**{key: entry[key] for key in keys if key in entry}) for entry in seeds["models"]],
        providers=[],
    )


if __name__ == "__main__":
    main()
