"""Every form in which a model is written, with what it resolves to or the error that it gets."""

import pytest

from routerd.catalog import Catalog, ResolveParams
from routerd.errors import InvalidParams, RequestError, UnknownModel
from routerd.events import Dispatch, arm_id

ARMS = """
opus                                              anthropic:claude-opus-5-5
sonnet                                            anthropic:claude-sonnet-5-5
haiku                                             anthropic:claude-haiku-5-5
fable                                             anthropic:claude-fable-5-2
grok                                              x-ai:grok-4.7
gemini                                            google:gemini-4-argon
gpt                                               openai:gpt-6.1-sol
kimi                                              moonshotai:kimi-k3.1-pro
glm                                               zai:glm-5.3
OPUS                                              anthropic:claude-opus-5-5
claude-opus                                       anthropic:claude-opus-5-5
claude-opus-latest                                anthropic:claude-opus-5-5
~anthropic/claude-opus-latest                     anthropic:claude-opus-5-5
gemini-flash-latest                               google:gemini-3.8-flash
glm-4.7                                           zai:glm-4.7
GLM-4.7                                           zai:glm-4.7
glm-4-7                                           zai:glm-4.7
glm4.7                                            zai:glm-4.7
z-ai/glm-4.7                                      zai:glm-4.7
zai-org/GLM-4.7                                   zai:glm-4.7
accounts/fireworks/models/glm-4p7                 fireworks:glm-4.7
openrouter/z-ai/glm-4.7                           openrouter:glm-4.7
glm-4.7 --provider openrouter                     openrouter:glm-4.7
glm-4.7 --provider=openrouter                     openrouter:glm-4.7
--provider openrouter glm-4.7                     openrouter:glm-4.7
--global glm-4.7                                  zai:glm-4.7
glm-4.7 --provider z_ai                           zai:glm-4.7
glm-4.7:free                                      openrouter:glm-4.7%3Afree
glm-4.7:nitro                                     openrouter:glm-4.7%3Anitro
glm-4.7:thinking                                  zai:glm-4.7%3Athinking
glm-4.7:free --provider novita                    novita:glm-4.7%3Afree
claude-opus-4-5                                   anthropic:claude-opus-4-5
claude-opus-4.5                                   anthropic:claude-opus-4-5
Claude Opus 4.5                                   anthropic:claude-opus-4-5
claude-4.5-opus                                   anthropic:claude-opus-4-5
claude-opus-4-5-20251101                          anthropic:claude-opus-4-5
anthropic/claude-opus-4.5                         anthropic:claude-opus-4-5
anthropic/claude-opus-4.5 --provider openrouter   openrouter:claude-opus-4-5
openrouter/anthropic/claude-opus-4.5              openrouter:claude-opus-4-5
us.anthropic.claude-opus-4-5-20251101-v1:0        bedrock:claude-opus-4-5
global.anthropic.claude-opus-4-5-v1:0             bedrock:claude-opus-4-5
anthropic.claude-opus-4-5                         bedrock:claude-opus-4-5
bedrock/anthropic.claude-opus-4-5-20251101-v1:0   bedrock:claude-opus-4-5
claude-opus-4-5@20251101                          vertex:claude-opus-4-5
publishers/anthropic/models/claude-opus-4-5       vertex:claude-opus-4-5
vertex_ai/claude-opus-4-5@20251101                vertex:claude-opus-4-5
claude-opus-4-5[1m]                               anthropic:claude-opus-4-5
claude-opus-4-5-thinking                          anthropic:claude-opus-4-5%3Athinking
claude-opus-4.8-fast                              anthropic:claude-opus-4-8%3Afast
claude-sonnet-4-0                                 anthropic:claude-sonnet-4
claude-sonnet-4-20250514                          anthropic:claude-sonnet-4
claude-3-5-haiku-latest                           anthropic:claude-3-5-haiku
claude-3.5-haiku                                  anthropic:claude-3-5-haiku
anthropic.claude-3-haiku-20240307-v1:0            bedrock:claude-3-haiku
gpt-5                                             openai:gpt-5
gpt-5-2025-08-07                                  openai:gpt-5
openai/gpt-5                                      openai:gpt-5
azure/gpt-5                                       azure:gpt-5
gpt-5-high                                        openai:gpt-5@high
gpt-5.1-codex-max                                 openai:gpt-5.1-codex
gpt-4-0613                                        openai:gpt-4
gpt-4-1106-preview                                openai:gpt-4-turbo
gpt-4o-2024-11-20                                 openai:gpt-4o
o3                                                openai:o3
o4-mini-2025-04-16                                openai:o4-mini
gpt-oss-120b                                      gpt-oss-120b
gpt-oss:20b                                       gpt-oss-20b
openai/gpt-oss-120b --provider groq               groq:gpt-oss-120b
openai.gpt-oss-120b-1:0                           bedrock:gpt-oss-120b
global.openai.gpt-6.1-sol                         bedrock:gpt-6.1-sol
gemini-2.5-pro-preview-05-06                      google:gemini-2.5-pro
gemini-2.5-pro-exp-03-25                          google:gemini-2.5-pro
models/gemini-2.5-pro                             google:gemini-2.5-pro
gemini-3.1-pro-preview                            google:gemini-3.1-pro
gemini-pro-1.5                                    google:gemini-1.5-pro
grok-4-0709                                       x-ai:grok-4
grok-4-fast-reasoning                             x-ai:grok-4-fast
xai/grok-4.7                                      x-ai:grok-4.7
kimi-k2-0711-preview                              moonshotai:kimi-k2
kimi-k2-0905-preview                              moonshotai:kimi-k2-0905
moonshotai/kimi-k2.6                              moonshotai:kimi-k2.6
deepseek-r1-0528                                  deepseek:deepseek-r1-0528
deepseek-ai/DeepSeek-V3.1                         deepseek:deepseek-v3.1
deepseek-v4-flash-0731                            deepseek:deepseek-v4-flash
Qwen/Qwen3-32B                                    qwen3-32b
groq/llama-3.3-70b-versatile                      groq:llama-3.3-70b
llama3.3:70b --provider ollama                    ollama:llama-3.3-70b
meta.llama3-3-70b-instruct-v1:0                   bedrock:llama-3.3-70b
@cf/meta/llama-3.1-8b-instruct                    cloudflare:llama-3.1-8b
amazon.nova-pro-v1:0                              bedrock:nova-pro
mistral-medium-2604                               mistral:mistral-medium-3.5
claude-opus-9 --provider anthropic                anthropic:claude-opus-9
my-finetune --provider vllm                       vllm:my-finetune
mistral:7b --provider ollama                      ollama:mistral%3A7b
qwen:0.5b-chat-q4_0 --provider ollama             ollama:qwen%3A0.5b-chat-q4_0
deepseek-r1:8b --provider ollama                  ollama:deepseek-r1%3A8b
opus:thinking                                     anthropic:claude-opus-5-5%3Athinking
glm-4.7:extended                                  openrouter:glm-4.7%3Aextended
glm-4.7:fast                                      zai:glm-4.7%3Afast
--global --provider openrouter opus --global      openrouter:claude-opus-5-5
"""

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-1-20250805-v1:0"

UNKNOWN = """
glm-47                            glm-4.7
claude-opus-9                     claude-opus-5
clade-opus-4-5                    claude-opus-4-5
gtp-5                             gpt-5
gemini-2.5-por                    gemini-2.5-pro
opsu                              opus
anthropic:claude-opus-5           claude-opus-5 --provider anthropic
zai:glm-4.7                       glm-4.7 --provider zai
z-ai:glm-4.7                      glm-4.7 --provider zai
openrouter:anthropic/claude-opus-5  anthropic/claude-opus-5 --provider openrouter
gemini:gemini-2.5-pro             gemini-2.5-pro --provider google
glm-4.7:foo                       glm-4.7
glm-4.7:high                      glm-4.7
nobody:glm-4.7                    glm-4.7
claude:opus                       opus --provider anthropic
anthropic:opus --provider openrouter  opus --provider anthropic
mistral:7b                        mistral
opus --provider openai            claude-opus-5-5 --provider anthropic
gpt-5 --provider anthropic        gpt-5 --provider openai
glm-4.7 --provider opnrouter      openrouter
"""

REFUSED = {
    "": "no model is named",
    "   ": "no model is named",
    "--global": "no model is named",
    "--provider zai": "no model is named",
    "glm-4.7 --provider": "--provider needs a slug",
    "glm-4.7 --provider --global": "--provider needs a slug",
    "glm-4.7 --fast": "no such flag '--fast'",
    "glm-4.7\x00": "control characters",
    "glm-4.7\x1b[31m": "control characters",
    "glm\u200b-4.7": "control characters",
    "x" * 10_240: "10240 characters are no model",
    "a b c " * 2000: "12000 characters are no model",
}


def _pairs(table: str) -> list[tuple[str, str]]:
    rows = [line.rstrip().rsplit("  ", 1) for line in table.strip().splitlines()]
    return [(text.strip(), expected.strip()) for text, expected in rows]


UNKNOWN_PAIRS = [tuple(part.strip() for part in line.split("  ", 1)) for line in UNKNOWN.strip().splitlines()]


def test_the_table_is_long_enough() -> None:
    assert len(_pairs(ARMS)) + len(UNKNOWN_PAIRS) + len(REFUSED) >= 80


@pytest.mark.parametrize(("text", "arm"), [*_pairs(ARMS), (ARN, "bedrock:claude-opus-4-1")])
def test_a_string_is_one_arm(catalog: Catalog, text: str, arm: str) -> None:
    """As `resolve` answers it, and as a dispatch with that string in its `model` is counted."""
    resolved = catalog.resolve(ResolveParams(model=text))
    assert arm_id(catalog.canonical(resolved.dispatch)) == f"delegate:{arm}"
    assert arm_id(catalog.canonical(Dispatch(executor="delegate", model=text))) == f"delegate:{arm}"


@pytest.mark.parametrize(("text", "suggestion"), UNKNOWN_PAIRS)
def test_a_string_that_means_nothing_gets_a_suggestion(catalog: Catalog, text: str, suggestion: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        catalog.resolve(ResolveParams(model=text))
    assert caught.value.data is not None
    assert suggestion in caught.value.data["suggestions"]
    assert suggestion in caught.value.message or "variant" in caught.value.message


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_string_that_cannot_be_one_is_refused(catalog: Catalog, text: str, reason: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        catalog.resolve(ResolveParams(model=text))
    assert caught.value.data is not None
    assert caught.value.data["path"] == "model"
    assert reason in caught.value.message
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("glm-4.7", "glm-4.7"),
        ("GLM-4.7", "GLM-4.7"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("opus", "claude-opus-5-5"),
        ("Claude Opus 4.5", "claude-opus-4-5"),
        ("gpt-5-high", "gpt-5"),
        ("glm-4.7 --provider openrouter", "z-ai/glm-4.7"),
        ("opus --provider bedrock", "global.anthropic.claude-opus-5-5"),
        ("glm-4.7:free", "z-ai/glm-4.7:free"),
        ("anthropic/claude-opus-4.5 --provider openrouter", "anthropic/claude-opus-4.5"),
        ("My-Finetune --provider vllm", "My-Finetune"),
    ],
)
def test_the_model_is_echoed_as_written_unless_the_provider_spells_it_otherwise(
    catalog: Catalog, text: str, model: str
) -> None:
    assert catalog.resolve(ResolveParams(model=text)).dispatch.model == model


def test_no_two_models_share_a_name(catalog: Catalog) -> None:
    """Otherwise which of them a string means would depend on the order of the file."""
    from routerd.catalog.registry import load  # noqa: PLC0415
    from routerd.catalog.spelling import words  # noqa: PLC0415

    models = load().models
    named: dict[tuple[str, ...], str] = {}
    for model in models:
        for name in (model.id, *model.spellings):
            assert named.setdefault(words(name), model.id) == model.id, name
        for id_ in model.served_as.values():
            assert catalog.canonical(Dispatch(executor="delegate", model=id_)).model == model.id


def test_errors_of_one_line(catalog: Catalog) -> None:
    for text, _ in UNKNOWN_PAIRS:
        with pytest.raises(RequestError) as caught:
            catalog.resolve(ResolveParams(model=text))
        assert "\n" not in caught.value.message
