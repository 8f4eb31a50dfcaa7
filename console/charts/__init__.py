"""Charts: pure functions from data to SVG, with the sentence, the labels and the table that say the same in words.

`line` and `stacked` take values over time, `ranking` parts side by side, `spark` a line without axes. All of them
return what a macro of `parts/charts.html` prints. Colours come from the styles alone.
"""

from console.charts.plot import OTHER, Chart, Series, Spark, Unit, folded, line, spark, stacked
from console.charts.rank import Meter, Ranking, Segment, meter, ranking, segments

__all__ = [
    "OTHER",
    "Chart",
    "Meter",
    "Ranking",
    "Segment",
    "Series",
    "Spark",
    "Unit",
    "folded",
    "line",
    "meter",
    "ranking",
    "segments",
    "spark",
    "stacked",
]
