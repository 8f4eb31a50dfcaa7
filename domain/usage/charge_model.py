"""The price of a meter's quantity: per unit, by tiers, or by package, after free units.

The models are those of the field: *per unit* (Lago's standard, Stripe's `per_unit`, OpenMeter's unit), *graduated*
(each unit at the price of the tier that it falls in: Lago's graduated, Stripe's `tiers_mode=graduated`, OpenMeter's
tiered), *volume* (every unit at the price of the tier that the total reaches) and *package* (packages begun; Lago's
package, Stripe's `transform_quantity` with `round=up`). A tier's `up_to` is inclusive, as Stripe's is; its flat price
is added once when a quantity reaches the tier, and with volume that of the one tier only. A quantity of zero costs
nothing. Free units are deducted from the quantity first, as in Lago.

Sources: https://getlago.com/docs/guide/plans/charges/charge-models/graduated, …/volume, …/package;
https://docs.stripe.com/billing/subscriptions/usage-based/pricing-models; https://openmeter.io/docs/billing/overview.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.common.errors import Invalid
from domain.usage.amounts import parse_decimal, parse_price, to_pico, to_scaled

#: The decimals that a quantity may have, and those of a meter's prices, so that their product is exact.
QUANTITY_DECIMALS = 12
_PRODUCT = 27 + QUANTITY_DECIMALS
MAX_TIERS = 100

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """The units above the previous tier up to and including `up_to` (None: all further ones), and their prices."""

    up_to: Decimal | None
    unit_price: Decimal
    flat_price: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PerUnit:
    """Every unit at one price."""

    unit_price: Decimal
    free_units: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Graduated:
    """Each unit at the price of the tier that it falls in."""

    tiers: tuple[PriceTier, ...]
    free_units: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse tiers that do not cover every quantity once."""
        _check_tiers(self.tiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Every unit at the price of the tier that the total reaches; more units may cost less than fewer."""

    tiers: tuple[PriceTier, ...]
    free_units: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse tiers that do not cover every quantity once."""
        _check_tiers(self.tiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Packages of `size` units at one price each; a part of a package is charged in full."""

    size: Decimal
    price: Decimal
    free_units: Decimal = ZERO

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise Invalid("price.size must be greater than zero.", extra={"field": "price.size"})


Charge = PerUnit | Graduated | Volume | Package


def rate_quantity(quantity: int | Decimal, charge: Charge) -> int:
    """Return the cost of a quantity, in pico, rounded once, half to even.

    Args:
        quantity: of a whole period, zero or more, at most 12 decimals. It may be greater than what one price holds.
        charge: the meter's price.

    Raises:
        Invalid: the quantity is negative or has more decimals.
    """
    return _rated(_total(quantity), charge)


def rate_step(before: int | Decimal, quantity: int | Decimal, charge: Charge) -> int:
    """Return the cost that a further quantity adds to a period with `before` used already, in pico.

    The steps of a period add up to the cost of the whole quantity. With volume prices a step can be negative, if it
    reaches a cheaper tier, which applies to all units. `Invalid` as for `rate_quantity`.
    """
    # Added as integers: a sum of decimals is rounded to 28 digits.
    earlier = _total(before)
    return _rated(earlier + _total(quantity), charge) - _rated(earlier, charge)


def parse_charge(document: Mapping[str, object]) -> Charge:
    """Read the price of a meter: `{"model": "per_unit", "unit_price": "0.002", "free_units": "100"}` and the like.

    Raises:
        Invalid: a field is missing, unknown or not of its form; `field` names it, such as `price.tiers.1.up_to`.
    """
    model = document.get("model")
    names = {
        "per_unit": {"unit_price"},
        "graduated": {"tiers"},
        "volume": {"tiers"},
        "package": {"size", "price"},
    }.get(model if isinstance(model, str) else "")
    if names is None:
        raise Invalid("price.model must be per_unit, graduated, volume or package.", extra={"field": "price.model"})
    for name in sorted(set(document) ^ (names | {"model"})):
        if name != "free_units":
            known = "is missing" if name in names else "does not belong to this model"
            raise _refused(f"price.{name[:64]}", known)
    free = parse_decimal(document.get("free_units", 0), "price.free_units", decimals=QUANTITY_DECIMALS)
    if model == "per_unit":
        return PerUnit(unit_price=parse_price(document["unit_price"], "price.unit_price"), free_units=free)
    if model == "package":
        size = parse_decimal(document["size"], "price.size", decimals=QUANTITY_DECIMALS)
        return Package(size=size, price=parse_price(document["price"], "price.price"), free_units=free)
    tiers = _parse_tiers(document["tiers"])
    return Graduated(tiers=tiers, free_units=free) if model == "graduated" else Volume(tiers=tiers, free_units=free)


def charge_to_json(charge: Charge) -> dict[str, object]:
    """Return the document that `parse_charge` reads."""
    free = {"free_units": f"{charge.free_units:f}"} if charge.free_units else {}
    match charge:
        case PerUnit():
            return {"model": "per_unit", "unit_price": f"{charge.unit_price:f}", **free}
        case Package():
            return {"model": "package", "size": f"{charge.size:f}", "price": f"{charge.price:f}", **free}
        case Graduated() | Volume():
            tiers = [
                {
                    "up_to": None if tier.up_to is None else f"{tier.up_to:f}",
                    "unit_price": f"{tier.unit_price:f}",
                    "flat_price": f"{tier.flat_price:f}",
                }
                for tier in charge.tiers
            ]
            return {"model": "graduated" if isinstance(charge, Graduated) else "volume", "tiers": tiers, **free}


def _total(quantity: int | Decimal) -> int:
    """Return a recorded quantity as an integer of 10⁻¹²."""
    return _quantity(parse_decimal(quantity, "quantity", decimals=QUANTITY_DECIMALS, bounded=False))


def _rated(quantity: int, charge: Charge) -> int:
    """Return the cost of a quantity (10⁻¹²) after the free units, in pico."""
    return to_pico(_cost(max(0, quantity - _quantity(charge.free_units)), charge), _PRODUCT)


def _cost(quantity: int, charge: Charge) -> int:
    """Return the cost of a quantity (10⁻¹²) as an integer of 10⁻³⁹."""
    if quantity == 0:
        return 0
    match charge:
        case PerUnit():
            return quantity * to_scaled(charge.unit_price)
        case Package():
            packages = -(-quantity // _quantity(charge.size))
            return packages * to_scaled(charge.price, _PRODUCT)
        case Volume():
            tier = next(each for each in charge.tiers if each.up_to is None or quantity <= _quantity(each.up_to))
            return quantity * to_scaled(tier.unit_price) + to_scaled(tier.flat_price, _PRODUCT)
        case Graduated():
            return _graduated(quantity, charge.tiers)


def _graduated(quantity: int, tiers: Sequence[PriceTier]) -> int:
    cost, below = 0, 0
    for tier in tiers:
        if quantity <= below:
            break
        top = quantity if tier.up_to is None else min(quantity, _quantity(tier.up_to))
        cost += (top - below) * to_scaled(tier.unit_price) + to_scaled(tier.flat_price, _PRODUCT)
        below = top
    return cost


def _quantity(number: Decimal) -> int:
    return to_scaled(number, QUANTITY_DECIMALS)


def _refused(field: str, why: str) -> Invalid:
    return Invalid(f"{field} {why}.", extra={"field": field})


def _parse_tiers(given: object) -> tuple[PriceTier, ...]:
    if not isinstance(given, list | tuple) or not 0 < len(given) <= MAX_TIERS:
        raise _refused("price.tiers", f"must be a list of 1 to {MAX_TIERS} tiers")
    return tuple(_parse_tier(each, f"price.tiers.{number}") for number, each in enumerate(given))


def _parse_tier(given: object, place: str) -> PriceTier:
    if not isinstance(given, Mapping):
        raise _refused(place, "must be an object with up_to, unit_price and flat_price")
    for name in sorted(set(given) - {"up_to", "unit_price", "flat_price"}):
        raise _refused(f"{place}.{name[:64]}", "does not belong to a tier")
    if "unit_price" not in given:
        raise _refused(f"{place}.unit_price", "is missing")
    up_to = given.get("up_to")
    return PriceTier(
        up_to=None if up_to is None else parse_decimal(up_to, f"{place}.up_to", decimals=QUANTITY_DECIMALS),
        unit_price=parse_price(given["unit_price"], f"{place}.unit_price"),
        flat_price=parse_price(given.get("flat_price", 0), f"{place}.flat_price"),
    )


def _check_tiers(tiers: Sequence[PriceTier]) -> None:
    if not tiers:
        raise _refused("price.tiers", "must have a tier")
    below = ZERO
    for number, tier in enumerate(tiers, start=1):
        place = f"price.tiers.{number - 1}.up_to"
        if number == len(tiers):
            if tier.up_to is not None:
                raise _refused(place, "must be left out of the last tier, so that it takes all further units")
        elif tier.up_to is None or tier.up_to <= below:
            raise _refused(place, "must be greater than zero and than the one before; only the last tier has none")
        else:
            below = tier.up_to
