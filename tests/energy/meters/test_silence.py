"""A library that prints while it is loaded says nothing on the output of its program."""

import subprocess
import sys

from energy.meters.silence import silence

PROGRAM = """
import ctypes, os, sys
from energy.meters.silence import silence
print("before")
with silence() as printed:
    print("by Python")
    ctypes.CDLL(None).puts(b"by C")
    os.write(2, b"by the kernel\\n")
    os.system("echo by a child")
print("after", sorted(printed.text.split("\\n")), file=sys.stderr)
print("last")
"""


def test_python_c_and_children_are_silent_and_what_they_said_is_kept():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.stdout == "before\nlast\n"
    caught = "after ['', 'by C', 'by Python', 'by a child', 'by the kernel']\n"
    assert run.stderr == caught


def test_output_that_was_replaced_in_python_is_silent_too(capsys):
    with silence() as printed:
        print("noise")
    print("news")
    assert (capsys.readouterr().out, printed.last_line) == ("news\n", "noise")


def test_an_error_inside_the_block_gives_the_output_back():
    program = (
        "from energy.meters.silence import silence\n"
        "try:\n    with silence(): print('noise'); raise KeyError\n"
        "except KeyError: print('news')"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("news\n", "")


def test_a_program_whose_output_is_closed_goes_on():
    program = (
        "import os\nfrom energy.meters.silence import silence\n"
        "os.close(1)\nwith silence(): pass\nos._exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 7
