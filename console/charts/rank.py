"""Level bars, each beside its words: parts of a whole, limits and what is used of them, amounts side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from console.charts.plot import Unit
from console.charts.scale import EXACT
from console.format import Amount
from console.status import Tone
from console.texts import _

#: From this share of a limit on, in percent, one is warned of it.
_NEAR = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar, `start` and `width` in percent of its length; `tone` is a tone, or a series, `c1` to `c6`."""

    label: str
    amount: Amount
    start: str
    width: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A bar beside its words: `width` in percent, `text` as it is written, `tone` a tone, or a series.

    Attributes:
        mark: where the limit stands, in percent, when the bar goes beyond it; empty otherwise.
        note: what else there is to say, such as the change against another period.
    """

    label: str
    text: str
    width: str
    tone: str
    mark: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Amounts side by side, the largest first. Its words and numbers stand beside the bars, so it needs no table."""

    title: str
    sentence: str
    meters: tuple[Meter, ...]


def segments(parts: Sequence[tuple[str, Amount, Decimal, str]]) -> tuple[Segment, ...]:
    """Divide a bar by amounts of one currency, each with its label, how it is written, its value and its tone.

    Parts of nothing are left out.
    """
    with localcontext(EXACT):
        total = sum((part[2] for part in parts), Decimal(0))
        found, before = [], Decimal(0)
        for label, amount, value, tone in parts:
            start, end = _percent(before, total), _percent(before + value, total)
            before += value
            if value:
                width = f"{end - start:f}"
                found.append(Segment(label=label, amount=amount, start=f"{start:f}", width=width, tone=tone))
    return tuple(found)


def meter(label: str, used: Decimal, limit: Decimal, text: str) -> Meter:
    """Show how much of a limit is used: a warning from 80 % on; bad when it is reached, marked where it is exceeded."""
    if limit <= 0:
        return Meter(label=label, text=text, width="100" if used > 0 else "0", tone=Tone.BAD.value)
    if used > limit:
        return Meter(label=label, text=text, width="100", tone=Tone.BAD.value, mark=f"{_percent(limit, used):f}")
    share = _percent(max(used, Decimal(0)), limit)
    tone = Tone.BAD if used == limit else Tone.WARN if share >= _NEAR else Tone.GOOD
    return Meter(label=label, text=text, width=f"{share:f}", tone=tone.value)


def ranking(title: str, rows: Sequence[tuple[str, Decimal, str]], unit: Unit) -> Ranking:
    """Put amounts side by side, the largest first; each row has its label, its value and a note."""
    with localcontext(EXACT):
        total = sum((value for _label, value, _note in rows), Decimal(0))
    ordered = sorted(rows, key=lambda row: -row[1])
    meters = tuple(
        Meter(label=label, text=unit.write(value), width=f"{_percent(value, ordered[0][1]):f}", tone="c1", note=note)
        for label, value, note in ordered
    )
    if not total:
        return Ranking(title=title, sentence=_("No data yet."), meters=meters)
    first, shown = ordered[0][0], {"total": unit.write(total), "value": unit.write(ordered[0][1])}
    sentence = _("%(total)s in total; largest: %(label)s, %(value)s.", label=first, **shown)
    return Ranking(title=title, sentence=sentence, meters=meters)


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    """Return a length for a drawing, to a hundredth of a percent. It is never shown as a number."""
    with localcontext(EXACT):
        return (part * 100 / whole).quantize(Decimal("0.01")) if whole else Decimal(0)
