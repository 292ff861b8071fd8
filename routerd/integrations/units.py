"""The systemd units, fitted to one installation."""

from collections.abc import Iterable, Mapping

SERVICE = "routerd.service"
SOCKET = "routerd.socket"


def service(template: str, *, program: str, state: str, variables: Mapping[str, str], writable: Iterable[str]) -> str:
    """
    The text of the service.

    Args:
        template: As it is shipped.
        program: Absolute path of `routerd`.
        state: The state directory. It is named, since older systemd would have it beside the configuration, where
            `routerctl` does not look for it.
        variables: More of the environment.
        writable: More directories whose databases are read.
    """
    added = [f"ExecStart={_word(program)}"]
    added += [
        f"Environment={_word(f'{name}={value}')}" for name, value in {**variables, "ROUTERD_STATE_DIR": state}.items()
    ]
    added += [f"ReadWritePaths={_word('-' + path)}" for path in (state, *writable)]
    lines = template.splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("ExecStart="))
    lines[number : number + 1] = added
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """One word of a unit: quoted, with the percent signs doubled that systemd would expand."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(char.isspace() or char in "\"'\\;" for char in text) else escaped
