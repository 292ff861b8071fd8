"""What has the shape of a credential is taken out of a text before it is kept.

Shapes, not words: prefixes that issuers print on their keys, the places where a secret stands (a header, an assignment,
the password of an address), and any long run that looks drawn by lot. Too much may go; that only costs a reader a word.
"""

import re
from typing import Final

REDACTED: Final = "[redacted]"

_ISSUED: Final = (
    r"sk-(?:ant-|proj-|or-v1-|svcacct-)?[\w-]{16,}",  # OpenAI, Anthropic, OpenRouter and many that followed
    r"(?:sk|pk|rk)_(?:live|test)_\w{10,}",  # Stripe
    r"whsec_[\w+/=]{16,}",
    r"gh[pousr]_\w{16,}",  # GitHub
    r"github_pat_\w{16,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[\w.-]{16,}",  # GitLab
    r"xox[abcdeprs][.-][\w.-]{10,}",  # Slack
    r"xapp-[\w-]{10,}",
    r"hooks\.slack\.com/services/\S+",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}",  # AWS
    r"AIza[\w-]{20,}",  # Google
    r"ya29\.[\w-]{16,}",
    r"GOCSPX-[\w-]{16,}",
    r"(?:hf|npm|r8|gsk|nvapi|pplx|xai|tvly|figd|figma|dapi|dckr_pat|do[opr]_v1|lin_api|shp(?:at|ca|pa|ss)|sq0atp|sq0csp|"
    r"ntn|secret|rpa|fw|csk|pul|atlasv1|hv[sbr]|SG|pypi)[-_.](?=[\w.-]{0,64}\d)[\w.-]{16,}",
    r"AGE-SECRET-KEY-\w{16,}",
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",  # JSON web tokens
)
_KEY_BLOCK: Final = (
    r"-----BEGIN[ A-Z0-9]{0,32}PRIVATE KEY[ A-Z]{0,32}-----"
    r"(?s:.*?)(?:-----END[ A-Z0-9]{0,32}PRIVATE KEY[ A-Z]{0,32}-----|\Z)"
)
_NAMES: Final = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key)"
)
_PLACED: Final = (
    # The scheme of a header goes with what follows it: `Bearer` alone is no secret.
    r"""(?i:authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?)\S{4,}""",
    r"(?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{16,}",
    # password=…, "apiKey": "…", ACME_SECRET_KEY=…
    rf"""(?i:{_NAMES}[\w-]{{0,32}}["']?\s*(?:=>?|:)\s*["']?)[^\s"',;]{{6,}}""",
    # --token …, where something in it is no letter
    rf"""(?i:{_NAMES}\s+["']?)(?=[^\s"']{{0,128}}[\d!@#$%^&*+/=])[^\s"',;]{{6,}}""",
    r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",  # user and password of an address
)
_RUN: Final = r"[\w+/=-]"
_DRAWN: Final = rf"(?<!{_RUN})(?={_RUN}*[a-z])(?={_RUN}*[A-Z])(?={_RUN}*\d){_RUN}{{40,}}"

_SECRET: Final = re.compile("|".join([_KEY_BLOCK, *(rf"\b{shape}" for shape in _ISSUED), *_PLACED, _DRAWN]), re.ASCII)


def redact(text: str) -> str:
    """`text` with everything of the shape of a credential replaced."""
    return _SECRET.sub(REDACTED, text)
