#!/usr/bin/env bash
# typer 0.29.2: `app --help` loads no pydantic, but `app verb --help` does, to convert an absent flag.
#
# typer imports pydantic only when a value has to be converted. Of `app verb --help` there is none;
# but the flag --help of the group itself is absent there, its value is None, and None is converted,
# whereas False would be let through. So the help of every verb loads pydantic, which costs more than
# typer itself. A group whose get_help_option sets `default = False` loads none.
#
# Seen:
#   app --help         pydantic False
#   app verb --help    pydantic True
#   the same with the flag False where absent: pydantic False
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check typer==0.29.2
cat >"$work/app.py" <<'PY'
import sys

import typer
from typer.core import TyperGroup


class FalseWhereAbsent(TyperGroup):
    def get_help_option(self, ctx):
        option = super().get_help_option(ctx)
        option.default = False
        return option


def app(group):
    made = typer.Typer(cls=group, add_completion=False, rich_markup_mode=None)
    made.callback()(lambda: None)
    made.command("verb")(lambda: None)
    return made


group, *words = sys.argv[1:]
try:
    app({"plain": TyperGroup, "false": FalseWhereAbsent}[group])(words)
except SystemExit:
    print("pydantic", "pydantic" in sys.modules)
PY
see() { "$work/venv/bin/python" "$work/app.py" "$@" | tail -1; }
of_app="$(see plain --help)" of_verb="$(see plain verb --help)" mended="$(see false verb --help)"
printf '%s\n' "app --help         $of_app" "app verb --help    $of_verb" \
  "the same with the flag False where absent: $mended"
[ "$of_app, $of_verb, $mended" = "pydantic False, pydantic True, pydantic False" ]
