"""What `--help` costs at least: a typer app with two empty commands."""

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def one() -> None:
    """Does nothing."""


@app.command()
def two() -> None:
    """Does nothing either."""


if __name__ == "__main__":
    app()
