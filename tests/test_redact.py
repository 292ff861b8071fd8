"""Shapes of credentials, and words that look a little like them. Every key here was made up for this table."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routerd.redact import REDACTED, redact

LOT = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9n"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
KEY_BLOCK = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEA\n" * 3 + "-----END OPENSSH PRIVATE KEY-----"

# What stands in a text, and the part of it that must not be left.
SECRETS = [
    (f"sk-{LOT}", LOT),
    (f"sk-ant-api03-{LOT}", LOT),
    (f"sk-proj-{LOT}_x", LOT),
    (f"sk-or-v1-{HEX}", HEX),
    ("sk_live_4eC39HqLyjWDarjt", "4eC39HqLyjWDarjt"),
    (f"ghp_{LOT[:36]}", LOT[:36]),
    (f"ghr_{LOT[:36]}", LOT[:36]),
    (f"github_pat_11AAAAAAA0{LOT}", LOT),
    ("glpat-xY12_zAbCdEfGhIjKlMn", "xY12_zAbCdEfGhIjKlMn"),
    ("xoxb-123456789012-abcdefABCDEF", "abcdefABCDEF"),
    ("xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4", "Mi0yLTEyMzQ1Njc4"),
    ("https://hooks.slack.com/services/T0000/B0000/XXXXyyyy", "XXXXyyyy"),
    ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE", "wJalrXUtnFEMI"),
    ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "1234567890abcdef"),
    ("ya29.a0AfH6SMBx1234567890abcdef", "a0AfH6SMBx"),
    ("hf_aBcDeFgHiJkLmNoPqRsT12345", "aBcDeFgHiJ"),
    ("npm_aBcDeFgHiJkLmNoPqRsT12345", "aBcDeFgHiJ"),
    ("gsk_aBcDeFgHiJkLmNoPqRsT12345", "aBcDeFgHiJ"),
    ("pypi-AgEIcHlwaS5vcmcCJGY0aBcDeF12", "AgEIcHlwaS5vcmc"),
    ("SG.aBcDeFgHiJkLmNoP12.qRsTuVwXyZ", "aBcDeFgHiJkLmNoP12"),
    ("dop_v1_" + HEX, HEX),
    ("hvs.CAESIJ1234567890abcdefgh", "CAESIJ1234567890"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0"),
    (KEY_BLOCK, "b3BlbnNzaC1rZXktdjEA"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA cut off", "MIIEpAIBAAKCAQEA"),
    ("Authorization: Bearer abc123def456", "abc123def456"),
    ("curl -H 'authorization: Basic dXNlcjpwYXNz'", "dXNlcjpwYXNz"),
    ("use bearer 0123456789abcdefghij now", "0123456789abcdefghij"),
    ("postgres://app:hunter2@db.internal/shop", "hunter2"),
    ("https://x-access-token:s3cr3t@git.example/repo", "s3cr3t"),
    ("password=hunter2222", "hunter2222"),
    ('{"password": "correcthorse"}', "correcthorse"),
    ("export ACME_API_KEY=abcdef123456", "abcdef123456"),
    ("apiKey: 'abcdef123456'", "abcdef123456"),
    ("--token 1a2b3c4d5e6f", "1a2b3c4d5e6f"),
    ("the secret is client_secret=zzzYYY111", "zzzYYY111"),
    (f"found {LOT} in the log", LOT),
]

PLAIN = [
    "Fix the failing test in parser.py: an empty line makes it give up",
    "skeleton_of_the_house and skip_the_tests_for_now",
    "npm run build && npm test -- --watch",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "session 019f7730-0000-7000-8000-0000000000aa",
    "https://example.org/a/b?page=2#part",
    "the token estimate is 1200, the password field is empty",
    "routerd/sources/claude_code_delegations.py:120:5",
    "user@example.org wrote at 12:30",
    "secretary of the tokenizer",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=[text[:24] for text, _ in SECRETS])
@pytest.mark.parametrize("around", ["{}", "please use {} for the deployment", 'set "{}", then go', "a\n{}\nb"])
def test_a_credential_does_not_stay(text: str, secret: str, around: str) -> None:
    left = redact(around.format(text))
    assert secret not in left
    assert REDACTED in left


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200), st.sampled_from(SECRETS), st.text(max_size=200))
def test_wherever_it_stands(before: str, case: tuple[str, str], after: str) -> None:
    """Between words: glued to letters, a key is part of a longer word that nobody can tell from a name."""
    text, secret = case
    if secret not in before + after:
        assert secret not in redact(f"{before} {text} {after}")


PIECES = [
    "a",
    "token ",
    "password",
    "://a:",
    "-----BEGIN PRIVATE KEY",
    "eyJ.",
    "sk-",
    "hf-",
    "aB1",
    "authorization:",
    "=b",
]


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_makes_it_slow(piece: str) -> None:
    """All of a goal that is ever kept (16 KiB) takes a few ms; 0.5 s leaves room for a much slower machine."""
    text = (piece * 16_384)[:16_384]
    start = time.process_time()
    redact(text)
    assert time.process_time() - start < 0.5
