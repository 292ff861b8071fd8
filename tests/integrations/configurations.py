"""Configuration files as people have them, in every form that they come in. All of it is made up."""

JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\n",
    "braces": b"{}",
    "braces-on-lines": b"{\n}\n",
    "spaced-braces": b"{ }\n",
    "two-spaces": b'{\n  "model": "opus",\n  "env": {\n    "A": "1"\n  }\n}\n',
    "four-spaces-no-end": b'{\n    "model": "opus",\n    "permissions": {\n        "allow": ["Bash(ls:*)"]\n    }\n}',
    "tabs": b'{\n\t"model": "opus",\n\t"permissions": {\n\t\t"deny": []\n\t}\n}\n',
    "minified": b'{"model":"opus","permissions":{"allow":["Bash(ls:*)","Read"]},"n":1.50}',
    "one-line": b'{"model": "opus", "hooks": {"Stop": []}}\n',
    "crlf": b'{\r\n  "model": "opus",\r\n  "x": [\r\n    1\r\n  ]\r\n}\r\n',
    "crlf-no-end": b'{\r\n  "model": "opus"\r\n}',
    "bom": b'\xef\xbb\xbf{\n  "model": "opus"\n}\n',
    "bom-only": b"\xef\xbb\xbf",
    "comments": (
        b'// mine\n{\n  // the model\n  "model": "opus", /* why? */ // because\n'
        b'  "x": 1 // last\n  // end\n}\n// after\n'
    ),
    "trailing-commas": (
        b'{\n  "a": [1, 2,],\n  "hooks": {\n    "PreToolUse": [\n'
        b'      {"matcher": "Bash", "hooks": []},\n    ],\n  },\n}\n'
    ),
    "comment-behind-the-only-member": b'{"a": 1 // x\n}',
    "only-a-comment": b"/* nothing yet */",
    "hooks-of-others": (
        b'{\n  "hooks": {\n    "PreToolUse": [\n      {\n        "matcher": "Bash",\n'
        b'        "hooks": [{"type": "command", "command": "lint --fast"}]\n      }\n    ],\n'
        b'    "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]'
        b'\n  },\n  "model": "opus"\n}\n'
    ),
    "hooks-in-one-line": (
        b'{\n  "hooks": {"PreToolUse": [{"matcher": "Write", "hooks": [{"type": "command", "command": "x"}]}]}\n}\n'
    ),
    "empty-hooks": b'{\n  "hooks": {},\n  "z": true\n}\n',
    "null-hooks": b'{"hooks": null, "mcp": null, "mcpServers": null}\n',
    "empty-list": b'{\n  "hooks": {\n    "PreToolUse": []\n  }\n}\n',
    "servers-of-others": (
        b'{\n  "mcp": {"x": {"type": "local"}},\n  "mcpServers": {\n    "x": {"command": "x", "args": []}\n  }\n}\n'
    ),
    "no-ascii": '{\n  "größe": "für ❤️ und 𝄞",\n  "e": "\\ud83d\\u0000\\n"\n}\n'.encode(),
    "twice-the-same-key": b'{"model": "a", "hooks": {"Stop": 1}, "hooks": {"Stop": []}}\n',
    "brackets-in-strings": b'{\n  "a": "}{][,//\\"/*",\n  "b": "*/"\n}\n',
    "odd-spacing": b'{"a":1 ,\n\n   "b" :\t[ 1,2 ] ,"c":{ "d" : null}\n\n\n}\n\n\n',
    "deep": b'{"a":' * 60 + b"1" + b"}" * 60,
}

YAML: dict[str, bytes] = {
    "empty": b"",
    "only-comments": b"# Hermes\n#  nothing yet\n",
    "start-mark": b"---\nmodel: x\n",
    "plain": b"model: x\nprovider: y\n",
    "no-end": b"model: x\nlist:\n  - 1",
    "crlf": b"model: x\r\nplugins:\r\n  enabled:\r\n    - one\r\n  other: 1\r\n",
    "bom": b"\xef\xbb\xbfmodel: x\n",
    "plugins-null": b"plugins:\nmodel: x\n",
    "plugins-null-comment": b"plugins:   # none yet\n\n# the model\nmodel: x\n",
    "plugins-tilde": b"plugins: ~\nextensions: ~\nmodel: x\n",
    "enabled-null": b"plugins:\n  enabled:\nmodel: x\n",
    "plugins-braces": b"plugins: {}\nextensions: {}\nmodel: x\n",
    "enabled-brackets": b"plugins:\n  enabled: []  # none\nmodel: x\n",
    "enabled-flow": b"plugins: {enabled: [one, 'two'], disabled: []}\n",
    "enabled-flow-on-lines": b"plugins:\n  enabled: [\n    one,\n    two  # second\n  ]\nmodel: x\n",
    "indented-list": (
        b"plugins:\n    enabled:\n        - one   # first\n"
        b"        # - two\n    disabled:\n        - three\n\n# bottom\n"
    ),
    "flush-list": b"plugins:\n  enabled:\n  - one\n  - two\n\n\nmodel: x\n",
    "others": b"plugins:\n  disabled: [x]\nextensions:\n  dev:\n    enabled: true\n    type: builtin\n",
    "block-text": b"prompt: |\n  one\n    two\n\nplugins:\n  enabled:\n    - one\nlast: >-\n  folded\n  text\n",
    "kept-text-at-the-end": b"prompt: |+\n  one\n\n",
    "anchors-and-tags": (
        b"base: &base {a: 1}\nother:\n  <<: *base\nsecret: !env TOKEN\n"
        b"plugins:\n  enabled: &on\n    - one\nalso: *base\n"
    ),
    "quoted-keys": b'"plugins":\n  \'enabled\':\n    - "one"\n',
    "indented-root": b"  model: x\n  plugins:\n    enabled:\n      - one\n",
    "json-in-yaml": b'{"model": "x", "plugins": {"enabled": ["one"]}}\n',
    "long-lines": b"text: " + b"word " * 80 + b"\nplugins:\n  enabled: [one]\n",
}

TOML: dict[str, bytes] = {
    "empty": b"",
    "only-comments": b"# Codex\n",
    "plain": b'model = "gpt"  # mine\n',
    "no-end": b'model = "gpt"\n[tui]\nx = 1',
    "crlf": b'model = "gpt"\r\n\r\n[tui]\r\nx = [\r\n  1,\r\n]\r\n',
    "bom": b'\xef\xbb\xbfmodel = "gpt"\n',
    "servers": b'[mcp_servers.x]\ncommand = "x"\n\n[mcp_servers.x.env]\nA = "1"\n\n[profiles.y]\nmodel = "z"\n',
    "inline-servers": b"mcp_servers = { x = { command = 'x', args = [] } } # mine\nmodel = 'y'\n",
    "dotted-servers": b"mcp_servers.x.command = 'x'\n\n[tui]\ny = 1\n",
    "parent-header": b"[mcp_servers]\n[mcp_servers.x]\ncommand = 'x'\n",
    "tables-in-odd-order": b"[a.b]\nx = 1\n[z]\n[a.c]\ny = 2\n[mcp_servers.q]\ncommand = 'q'\n[a.d]\n",
    "texts": b"a = \"\"\"\n[mcp_servers.routerd]\n\"\"\"\nb = '''\n[x]'''\n",
    "array-of-tables": (
        b"[[hooks.PreToolUse]]\nmatcher = 'Bash'\n[[hooks.PreToolUse.hooks]]\n"
        b"type = 'command'\ncommand = 'x'\n\n[tui]\n"
    ),
}

UNREADABLE: dict[str, list[bytes]] = {
    "hooks": [
        b"{", b"[", b'{"a": }', b'{"a" 1}', b'{"a": 1 "b": 2}', b"{'a': 1}", b"[]", b'"text"', b"{} {}", b"nonsense",
        b'{"hooks": []}', b'{"hooks": {"PreToolUse": {}}}', b'{"a": NaN}', b'\xff\xfe{\x00}\x00', b'{"a": "\xff"}',
        b'{"a": /* open', b"[" * 100_000, b'{"a": 01x}', b"{,}",
    ],
    "hermes": [
        b"a: [", b"a: b: c", b"\tx: 1", b"- 1\n- 2\n", b"just text", b"a: 1\n---\nb: 2\n", b"a: 1\n...\n",
        b"plugins: [x]\n", b"plugins:\n  enabled: yes\n", b"a: *nowhere\n", b"a: \xff\n", b"[" * 2_000,
        b"{a: 1}: 2",
    ],
    "codex": [
        b"a =", b"[a\n", b"a = 1\na = 2\n", b"mcp_servers = 3\n", b"\xff",
        b"[mcp_servers.routerd]\ncommand = 'other'\n",
    ],
}  # fmt: skip
