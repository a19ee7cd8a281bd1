"""python -m tests.fuzz: a table of inputs and how they ended."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import campaign
from tests.fuzz import options as odd
from tests.fuzz.readers import READERS


def main() -> None:
    """Run the fuzzer; exit with 1 if an input did not end as it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=3000, help="mutated files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--valid", type=int, default=0, help="valid files of each kind, too")
    parser.add_argument("--options", type=int, default=300, help="commands with odd options")
    parser.add_argument("--only", default="", help="readers whose names contain this")
    options = parser.parse_args()
    readers = [reader for reader in READERS if options.only in reader.name]
    begun = time.process_time()
    result = campaign.mutated_files(readers, options.inputs, options.seed)
    results = {
        "mutated files": result,
        "commands with odd options": campaign.commands(odd.cases(options.options, options.seed)),
        "valid files": campaign.valid_files(readers, options.valid, options.seed),
    }
    for title, part in results.items():
        print(f"{title}\n{part.table()}")
        for (kind, place, words), count in part.places().most_common():
            print(f"{count:5} {kind} at {place}: {words}")
    print(f"{time.process_time() - begun:.0f} s of processor time, seed {options.seed}")
    sys.exit(any(part.findings for part in results.values()))


if __name__ == "__main__":
    main()
