"""Importing this lets Ctrl-C end the process as it ends any program, until `energy.guard` begins.

Python's own handler would print a traceback of whatever is being imported. It is the first import
of a command, and of nothing else, and needs no other module itself. What comes before it, the start
of the interpreter, is out of our reach.
"""

import _signal  # what `signal` adds names and time to

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else it is ignored
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
