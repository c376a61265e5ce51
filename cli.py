import typer

app = typer.Typer()


@app.command()
def warm() -> None:
    pass


@app.command()
def x() -> None:
    pass


main = app
if __name__ == "__main__":
    app()
