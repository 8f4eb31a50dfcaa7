"""Measures forecasts on a folder of hourly series: `python -m dev.bench.forecasts PATH`.

The folder holds `hourly-train.csv` and `hourly-test.csv` of the M4 competition, a series a line. It is not bundled.
"""

import argparse
import csv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from time import perf_counter

from domain.insight.forecast import LEVELS, SUM_LEVEL, forecast

STEPS, SEASON, WEEK = 48, 24, 168


def main() -> None:
    """Forecast each series, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    pairs = list(zip(_read(path / "hourly-train.csv"), _read(path / "hourly-test.csv"), strict=True))
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(_measure, pairs, chunksize=8))
    naive, mase, held, own, seconds = zip(*found, strict=True)
    print(f"{len(pairs)} series, {STEPS} steps ahead, season {SEASON} and {WEEK}")
    print(f"MASE, seasonal naive  {fmean(naive):.3f}")
    print(f"MASE                  {fmean(mase):.3f}")
    for level, part in zip((*LEVELS, SUM_LEVEL), zip(*held, strict=True), strict=True):
        print(f"in the {level} % interval {fmean(part):.3f}{' (sums)' if level == SUM_LEVEL else ''}")
    print(f"backtests: MASE {fmean(m for m, _ in own):.3f}, in the 80 % interval {fmean(c for _, c in own):.3f}")
    print(f"seconds a forecast: mean {fmean(seconds):.3f}, longest {max(seconds):.3f}")


Measured = tuple[float, float, list[float], tuple[float, float], float]


def _measure(pair: tuple[Sequence[float], Sequence[float]]) -> Measured:
    series, came = pair
    began = perf_counter()
    made = forecast(series, steps=STEPS, season=SEASON, longer=WEEK)
    seconds = perf_counter() - began
    scale = fmean(abs(a - b) for a, b in zip(series[SEASON:], series, strict=False))
    naive = fmean(abs(a - series[-SEASON + at % SEASON]) for at, a in enumerate(came)) / scale
    errors = [abs(a - b) for a, b in zip(came, made.values, strict=True)]
    held = [fmean(e <= r for e, r in zip(errors, made.half_widths(level), strict=True)) for level in LEVELS]
    sums = map(abs, accumulate(a - b for a, b in zip(came, made.values, strict=True)))
    held.append(fmean(e <= r for e, r in zip(sums, made.half_widths_of_sum(SUM_LEVEL), strict=True)))
    return naive, fmean(errors) / scale, held, (made.backtest.mase, made.backtest.coverage), seconds


def _read(path: Path) -> list[list[float]]:
    with path.open(newline="") as file:
        return [[float(cell) for cell in row[1:] if cell] for row in list(csv.reader(file))[1:]]


if __name__ == "__main__":
    main()
