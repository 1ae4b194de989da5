"""`pingmon completion`: what a shell must know to complete the commands and options of `pingmon`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write a script for SHELL to standard output, which completes the commands and options of pingmon.

    \b
    bash: pingmon completion bash > ~/.local/share/bash-completion/completions/pingmon
    zsh:  pingmon completion zsh > ~/.zfunc/_pingmon        (with fpath+=~/.zfunc before compinit)
    fish: pingmon completion fish > ~/.config/fish/completions/pingmon.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "pingmon", "_PINGMON_COMPLETE")
    # Not `source()`, which runs bash to learn its version, and there may be none where scripts are made.
    click.echo(script.source_template % script.source_vars())
