"""Level bars, each beside its words: parts of a whole, limits and what is used of them, amounts side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from console.charts.scale import EXACT
from console.charts.shape import OTHER, Unit
from console.format import Amount
from console.status import Tone
from console.texts import _, gettext

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

    Raises:
        ValueError: an amount below zero, which is no part of a whole.
    """
    if any(part[2] < 0 for part in parts):
        raise ValueError("A part of a whole is below zero.")
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


def ranking(title: str, rows: Sequence[tuple[str, Decimal]], unit: Unit, *, most: int = 8) -> Ranking:
    """Put amounts side by side, the largest first; those beyond the first ones are added up as "Other".

    Raises:
        ValueError: an amount below zero.
    """
    if any(value < 0 for _label, value in rows):
        raise ValueError("A bar has no length below zero.")
    ordered = sorted(rows, key=lambda row: -row[1])
    with localcontext(EXACT):
        if len(ordered) > most:
            rest = sum((row[1] for row in ordered[most - 1 :]), Decimal(0))
            ordered = [*ordered[: most - 1], (gettext(OTHER), rest)]
        longest = max((row[1] for row in ordered), default=Decimal(0))
        total = sum((row[1] for row in ordered), Decimal(0))
    meters = tuple(
        Meter(label=label, text=unit.write(value), width=f"{_percent(value, longest):f}", tone="c1")
        for label, value in ordered
    )
    if not ordered or not total:
        return Ranking(title=title, sentence=_("No data yet."), meters=meters)
    first, value = ordered[0]
    sentence = _(
        "%(total)s in total; largest: %(label)s, %(value)s.",
        total=unit.write(total),
        label=first,
        value=unit.write(value),
    )
    return Ranking(title=title, sentence=sentence, meters=meters)


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    """Return a length for a drawing, to a hundredth of a percent. It is never shown as a number."""
    with localcontext(EXACT):
        return (part * 100 / whole).quantize(Decimal("0.01")) if whole else Decimal(0)
