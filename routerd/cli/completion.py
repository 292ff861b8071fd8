"""`routerctl --completion SHELL`: what completes verbs and flags. It is printed; nobody's files are touched."""

from typing import Literal

from routerd.cli.daemon import app as daemon

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, program: Literal["routerctl", "routerd"] = "routerctl") -> int:
    """Prints what completes verbs and flags in a shell, for you to put where the shell looks for it.

    bash: ~/.local/share/bash-completion/completions/routerctl; zsh: a directory of $fpath, as _routerctl;
    fish: ~/.config/fish/completions/routerctl.fish

    Example: routerctl --completion fish > ~/.config/fish/completions/routerctl.fish

    Parameters
    ----------
    shell: str
        The shell.
    program: str
        Whose commands are completed.
    """
    from routerd.cli.app import build  # noqa: PLC0415 - it knows of this module

    app = build() if program == "routerctl" else daemon
    print(app.generate_completion(prog_name=program, shell=shell))
    return 0
