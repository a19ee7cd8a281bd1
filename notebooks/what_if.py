# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Time, energy, CO2 and dollars of a run and of its dense twin, at every move of a slider.

`make whatif` opens it. It listens on this machine alone, and nothing on it comes from elsewhere.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="full", app_title="What if: energy of a training run", css_file="what_if.css"
)

with app.setup:
    import tempfile
    from collections.abc import Callable, Sequence
    from dataclasses import replace
    from pathlib import Path
    from typing import Any

    import marimo as mo

    from energy.errors import AccountingError
    from simulator.questions.what_if import markup, menus
    from simulator.questions.what_if.answer import Answered, what_if
    from simulator.scenarios.what_if import FILE, WhatIf


@app.function
def opened(words: dict[str, str]) -> tuple[WhatIf, str]:
    """What a link says, and why it is not followed where it is not."""
    try:
        chosen = WhatIf.of(words)
        chosen.scenario()
    except AccountingError as error:
        return WhatIf(), f"{error} (this link is not followed)"
    return chosen, ""


@app.function
def uploaded(name: str, content: bytes, chosen: WhatIf) -> tuple[WhatIf, str]:
    """The run with the model of an uploaded configuration, or why that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        try:
            return chosen.with_configuration(path), ""
        except AccountingError as error:
            return chosen, str(error).replace(f"{folder}/", "")


@app.function
def menu(rows: dict[str, str], value: str, label: str, **more: Any) -> mo.ui.dropdown:
    """A menu of names with a search; a name that it does not have is shown as it is."""
    shown = next((text for text, name in rows.items() if name == value), value)
    return mo.ui.dropdown(
        {shown: value} | rows,
        value=shown,
        searchable=True,
        allow_select_none=False,
        label=label,
        full_width=True,
        **more,
    )


@app.function
def slider(steps: Sequence[float], value: float, label: str, *, off: bool = False) -> mo.ui.slider:
    """A slider over some numbers, one of which is its value."""
    return mo.ui.slider(
        steps=steps, value=value, label=label, disabled=off, show_value=True, full_width=True
    )


@app.cell
def link() -> tuple[Any, ...]:
    """What the address of the page says is what it begins with."""
    _words = {name: str(word) for name, word in mo.query_params().to_dict().items()}
    start, _why = opened(_words)
    get_model, set_model = mo.state(start)
    get_refused, set_refused = mo.state(_why)
    kept = tempfile.TemporaryDirectory(prefix="what-if-")
    return get_model, get_refused, kept, set_model, set_refused, start


@app.cell
def model_menu(
    get_model: Callable[[], WhatIf],
    set_model: Callable[[WhatIf], None],
    set_refused: Callable[[str], None],
) -> tuple[Any, ...]:
    """The catalog's models; after an upload, the name of that one stands among them."""

    def _named(name: str) -> None:
        if name != get_model().model or not get_model().shape:
            set_refused("")
            set_model(replace(get_model(), model=name, shape="", experts=None))

    model = menu(menus.models(), get_model().model, "model", on_change=_named)
    return (model,)


@app.cell
def upload(
    get_model: Callable[[], WhatIf],
    set_model: Callable[[WhatIf], None],
    set_refused: Callable[[str], None],
) -> tuple[Any, ...]:
    """A configuration of one's own."""

    def _read(files: Sequence[Any]) -> None:
        for file in files[:1]:
            _own, _why = uploaded(file.name, file.contents, get_model())
            set_refused(_why)
            set_model(_own)

    config = mo.ui.file(
        filetypes=[".json"], max_size=1_000_000, label="or a config.json", on_change=_read
    )
    return (config,)


@app.cell
def expert_slider(get_model: Callable[[], WhatIf]) -> tuple[Any, ...]:
    """Begins anew with each model, at its own number of experts."""
    own_experts = int(get_model().own_shape.n_experts)
    _steps = menus.experts(get_model())
    experts = slider(
        _steps or [own_experts],
        get_model().experts or own_experts,
        "experts a layer" if _steps else "no experts: dense",
        off=not _steps,
    )
    return experts, own_experts


@app.cell
def run_sliders(start: WhatIf) -> tuple[Any, ...]:
    """Everything that does not follow from the model."""
    chip = menu(menus.chips(), str(start.scenario().hardware.chip), "chip")
    chips = slider(menus.counts(start), start.chips, "number of chips")
    place = menu(menus.places(), start.place, "region")
    tokens = slider(menus.tokens(start), start.tokens / 1e9, "tokens / billion")
    batch = slider(menus.batches(start), start.batch / 1e6, "tokens a step / million")
    own_pue = mo.ui.switch(value=start.pue is not None, label="own PUE")
    price = mo.ui.text(
        value=start.price,
        placeholder="2.50 or us-industrial-2023",
        label="price, USD a chip-hour",
        full_width=True,
    )
    measured = mo.ui.text(
        value=start.measured,
        placeholder="4,150 tokens/s",
        label="measured rate",
        full_width=True,
    )
    return batch, chip, chips, measured, own_pue, place, price, tokens


@app.cell
def pue_slider(own_pue: mo.ui.switch, start: WhatIf) -> tuple[Any, ...]:
    """Does something only where the switch is on."""
    pue = slider(menus.pues(start), start.pue or 1.1, "PUE", off=not own_pue.value)
    return (pue,)


@app.cell
def controls(
    batch: mo.ui.slider,
    chip: mo.ui.dropdown,
    chips: mo.ui.slider,
    config: mo.ui.file,
    experts: mo.ui.slider,
    measured: mo.ui.text,
    model: mo.ui.dropdown,
    own_pue: mo.ui.switch,
    place: mo.ui.dropdown,
    price: mo.ui.text,
    pue: mo.ui.slider,
    tokens: mo.ui.slider,
) -> None:
    """All of them in one grid, in the order in which a keyboard visits them."""
    _fields = {
        "model": model,
        "config": config,
        "experts": experts,
        "chip": chip,
        "chips": chips,
        "place": place,
        "tokens": tokens,
        "batch": batch,
        "own-pue": own_pue,
        "pue": pue,
        "price": price,
        "measured": measured,
    }
    _grid = "".join(f"<div id='{name}'>{field}</div>" for name, field in _fields.items())
    mo.Html(f"{markup.title('What if the run were another?')}<div class='choices'>{_grid}</div>")


@app.cell
def choice(
    batch: mo.ui.slider,
    chip: mo.ui.dropdown,
    chips: mo.ui.slider,
    experts: mo.ui.slider,
    get_model: Callable[[], WhatIf],
    measured: mo.ui.text,
    own_experts: int,
    own_pue: mo.ui.switch,
    place: mo.ui.dropdown,
    price: mo.ui.text,
    pue: mo.ui.slider,
    tokens: mo.ui.slider,
) -> tuple[Any, ...]:
    """What all of them say together."""
    chosen = replace(
        get_model(),
        experts=None if experts.value == own_experts else int(experts.value or own_experts),
        chip=chip.value,
        chips=int(chips.value or 1),
        place=place.value,
        tokens=float(round((tokens.value or 0) * 1e9)),
        batch=float(round((batch.value or 0) * 1e6)),
        pue=pue.value if own_pue.value else None,
        price=price.value.strip(),
        measured=measured.value.strip(),
    )
    return (chosen,)


@app.cell
def figures(
    chosen: WhatIf, get_refused: Callable[[], str], kept: tempfile.TemporaryDirectory[str]
) -> tuple[Any, ...]:
    """The answer, or the line that says why there is none."""
    answered: Answered | None = None
    try:
        answered = what_if(chosen, Path(kept.name))
        _shown = markup.answer(answered)
    except AccountingError as error:
        _shown = markup.refusal(str(error))
    mo.Html(markup.refusal(get_refused()) * bool(get_refused()) + _shown)
    return (answered,)


@app.cell
def picture(answered: Answered | None) -> None:
    """Energy against time, of both models on fewer and on more chips."""

    def _picture(of: Answered) -> str:
        from simulator.questions.sweep.pareto import pareto

        try:
            front = pareto(*of.scenarios, chips=menus.around(of.chosen.chips))
        except AccountingError as error:
            return markup.refusal(str(error))
        rows = [
            (cell.sparse, cell.scenario.hardware.count, weeks, mwh)
            for cell in front.cells
            for weeks, mwh, *_ in cell.costs.tolist()
        ]
        return markup.picture(of, rows)

    mo.Html(_picture(answered) if answered else "")


@app.cell
def to_take_along(answered: Answered | None, chosen: WhatIf) -> None:
    """The scenario as a file and as the address of the page."""
    _parameters, _words = mo.query_params(), chosen.words()
    for _name in _parameters.to_dict():
        if _name not in _words:
            _parameters.remove(_name)
    for _name, _word in _words.items():
        _parameters.set(_name, _word)
    _file = mo.download(
        lambda: chosen.toml().encode(), FILE, "application/toml", label=f"Save {FILE}"
    )
    mo.Html(markup.to_take_along(f"{_file}", chosen.command()) if answered else "")


if __name__ == "__main__":
    app.run()
