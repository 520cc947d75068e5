"""All benchmarks of rules and batches: `python -m benchmarks [--runs N]`, for an hour and more.

The most that each command takes at 10M consumers comes last. Those of the service stand alone.
"""

import argparse
import sys

from benchmarks import (
    bounded,
    changed,
    checking,
    delivered,
    growth,
    live,
    loading,
    many,
    metadata,
    one_rule,
)

TEN_MILLION = ("--consumers", "10000000", "--runs", "1", "--without-polars")

if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument(
        "--runs", type=int, default=1, help="of each that takes minutes, below 10M"
    )
    runs = ("--runs", str(options.parse_args().runs))
    for module, *arguments in (
        (checking,),
        (one_rule,),
        (live,),
        (metadata,),
        (many, "--parquet", *runs),
        (changed, *runs),
        (delivered, *runs),
        (growth, *runs),
        (loading,),
        (bounded,),
        (many, *TEN_MILLION),
    ):
        sys.argv[1:] = arguments
        name = " ".join((module.__name__, *arguments))
        print(f"\n# {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        module.main()
