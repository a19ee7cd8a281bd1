"""The help of the three commands: what a reader sees first is whole and consistent."""

import ast
import re
import shlex
from importlib import import_module

import pytest
from typer.main import get_command

import energy.cli
import glam.cli
import simulator.cli
from tests.support import ROOT

COMMANDS = {
    "energy": get_command(energy.cli.command()),
    "glam": get_command(glam.cli.command()),
    "simulator": get_command(simulator.cli.command()),
}
WITHOUT_TABLES = {
    ("energy", "run"),
    ("energy", "schema"),
    ("glam", "train"),
    ("glam", "generate"),
    ("glam", "probe"),
    ("simulator", "init"),
}
VERBS = [(room, verb) for room, command in COMMANDS.items() for verb in command.commands]


@pytest.mark.parametrize("room", COMMANDS)
def test_the_summary_of_every_verb_fits_its_line(room):
    commands = COMMANDS[room].commands
    # A terminal of 80 columns less margins, the longest name and the space between.
    limit = 78 - 6 - max(map(len, commands))
    for name, command in commands.items():
        summary = command.help.partition("\n")[0]
        assert len(summary) <= limit, (name, summary)
        assert summary.endswith("."), name


@pytest.mark.parametrize("room", COMMANDS)
def test_the_help_that_loads_no_verb_is_that_of_the_whole_command(room):
    listed = get_command(import_module(f"{room}.cli").command(["--help"]))
    whole = COMMANDS[room]
    helps = [
        each.get_help(each.make_context(room, [], resilient_parsing=True))
        for each in (listed, whole)
    ]
    assert helps[0] == helps[1]


@pytest.mark.parametrize("words", [["--", "schema"], ["--bogus", "schema"], ["no-verb"], []])
def test_a_verb_that_is_called_is_loaded_wherever_it_stands(words):
    verbs = get_command(energy.cli.command(words)).commands
    assert all(verb.epilog for verb in verbs.values()) == ("schema" in words)


@pytest.mark.parametrize(("room", "verb"), VERBS)
def test_a_verb_names_its_arguments_in_capitals_and_explains_all_it_takes(room, verb):
    for parameter in COMMANDS[room].commands[verb].params:
        assert parameter.help, parameter.name
        if parameter.param_type_name == "argument":
            assert re.fullmatch(r"[A-Z]+(\.csv)?", parameter.metavar), parameter.name


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "glam-mini", "--plot", "x.gif"),
        ("pareto", "glam-64b-64e", "--plot", "/proc/x.png"),
        ("plan", "glam-64b-64e", "--save", "x.json"),
        ("calibrate", "--anew", "--out", "/proc/constants.json"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    simulator, monkeypatch, arguments
):
    def worked(*_args, **_options):
        raise AssertionError("computed before the file was checked")

    for question in ("predict.answer.prediction", "sweep.pareto.pareto", "plan.answer.plan"):
        monkeypatch.setattr(f"simulator.questions.{question}", worked)
    monkeypatch.setattr("simulator.questions.calibrate.answer.calibrate", worked)
    code, out, err = simulator(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(("error: expected a file ending in", "error: expected to write /proc/"))


@pytest.mark.parametrize(("room", "verb"), VERBS)
def test_the_help_of_every_verb_ends_in_examples_that_it_takes(room, verb):
    text = COMMANDS[room].commands[verb].epilog
    title, *lines = text.removeprefix("\b\n").splitlines()
    commands = [shlex.split(line) for line in lines]
    assert title == ("Example:" if len(commands) == 1 else "Examples:")
    assert any(words[:2] == [room, verb] for words in commands)
    for of, name, *arguments in commands:
        COMMANDS[of].commands[name].make_context(name, arguments)


@pytest.mark.parametrize("room", COMMANDS)
def test_the_verbs_stand_beneath_the_question_that_they_answer(room):
    context = COMMANDS[room].make_context(room, [], resilient_parsing=True)
    words = COMMANDS[room].get_help(context)
    questions = re.findall(r"^(\S.*\?)$", words, re.MULTILINE)
    assert len(questions) >= 2
    for name, verb in COMMANDS[room].commands.items():
        above = words[: words.index(f"\n  {name} ")].splitlines()
        assert [line for line in above if line.endswith("?")][-1] == verb.rich_help_panel


@pytest.mark.parametrize(("room", "verb"), VERBS)
def test_a_verb_with_json_has_csv_and_never_prints_both(room, verb):
    command = COMMANDS[room].commands[verb]
    options = {option for parameter in command.params for option in parameter.opts}
    assert len({"--json", "--csv"} & options) in (0, 2)
    assert "--json" in options or (room, verb) in WITHOUT_TABLES


def test_two_documents_at_once_are_refused_before_the_work():
    from typer.testing import CliRunner

    grid = ["grid", "FRA", "--csv", "--json"]
    models = ["models", "--explain", "--csv"]
    for app, words in ((energy.cli.command(), grid), (simulator.cli.command(), models)):
        run = CliRunner().invoke(app, words)
        assert (run.exit_code, run.stdout) == (2, "")
        assert "expected one of --csv, --json and --explain" in run.stderr


OPTIONS = {
    option
    for command in COMMANDS.values()
    for verb in (command, *command.commands.values())
    for parameter in verb.params
    for option in (*parameter.opts, *parameter.secondary_opts)
} | {"--help"}


@pytest.mark.parametrize("package", ["simulator"])
def test_every_text_names_options_that_exist(package):
    """Error texts, notes and help: each word that looks like an option is one of a command.

    The options of other trainers, which `plan --launch` writes, and colours of pages are none.
    """
    unknown = {}
    launch = ROOT / "simulator" / "questions" / "plan" / "launch"
    for path in {*(ROOT / package).rglob("*.py")} - {*launch.rglob("*.py")}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for option in re.findall(r"(?<![\w(-])--[a-z][a-z0-9-]*[a-z0-9]", node.value):
                    if option not in OPTIONS:
                        unknown[option] = f"{path.relative_to(ROOT)}:{node.lineno}"
    assert unknown == {}
