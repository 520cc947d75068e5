"""All benchmarks: `python -m benchmarks`."""

import sys

from benchmarks import changed, checking, delivered, growth, live, loading, many, metadata, one_rule

if __name__ == "__main__":
    for module in (checking, one_rule, live, metadata, many, changed, delivered, growth, loading):
        sys.argv = sys.argv[:1]
        print(f"\n# {module.__name__}: {(module.__doc__ or '').splitlines()[0]}")
        module.main()
