"""How the time of a run grows with the number of audiences, 10 to 5,000, on 1M consumers.

    python -m benchmarks.growth [--consumers 1000000] [--runs 3] [--pool shared|wide|both]
        [--sizes 10 100 1000 5000] [--without-metadata]

The same contest as `benchmarks.many`, on the table, for each number.
"""

from benchmarks import memory
from benchmarks.contenders import POLARS
from benchmarks.contest import contest
from benchmarks.many import POOLS, argument_parser, round_of, stored

SIZES = (10, 100, 1_000, 5_000)
MOST = 1_000
"""Of more audiences Polars is left out: it takes minutes for each run."""


def main() -> None:
    """A contest for each number of audiences, and the ratios of all at the end."""
    options = argument_parser(__doc__, runs=3)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    chosen = options.parse_args()
    found: dict[tuple[str, int], dict[str, float]] = {}
    with stored(chosen.consumers) as (connection, file):
        for pool in POOLS[chosen.pool]:
            for size in chosen.sizes:
                metadata = not chosen.without_metadata
                job, _ = round_of(connection, file, pool, size, metadata)
                found[pool, size] = contest(job, chosen.runs, POLARS if size > MOST else "")
                print(memory.peak(file, pool, size, metadata))
    print()
    for (pool, size), ratios in found.items():
        ours = {name: ratio for name, ratio in ratios.items() if name.startswith("ours")}
        shown = ", ".join(f"{name} {ratio:.1f}x" for name, ratio in ours.items())
        print(f"pool {pool}, {size:,} audiences: {shown}")


if __name__ == "__main__":
    main()
