"""All benchmarks, those that take minutes with one run each: `python -m benchmarks [--runs N]`."""

import argparse
import sys

from benchmarks import changed, checking, delivered, growth, live, loading, many, metadata, one_rule

BRIEF, LONG = (checking, one_rule, live, metadata), (many, changed, delivered, growth)

if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--runs", type=int, default=1, help="of each that takes minutes")
    runs = ["--runs", str(options.parse_args().runs)]
    for module in (*BRIEF, *LONG, loading):
        sys.argv[1:] = runs if module in LONG else []
        print(f"\n# {module.__name__}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        module.main()
