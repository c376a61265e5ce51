"""Charts as inline SVG: axes, steps, bars, whiskers and marks over floats, each chart with its text alternative.

A chart is 360 x 200 units. On a phone a unit is about a pixel, and wider screens take several charts beside each other,
so that the text of a chart is as large as that around it. Colours are the style sheet's, by class.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pages.markup import Html, element

Point = tuple[float, float]

_WIDTH: Final = 360
_HEIGHT: Final = 200
_LEFT: Final = 54
_RIGHT: Final = 10
_TOP: Final = 8
_BOTTOM: Final = 24
_COLUMNS: Final = 296  # pixels in which a line may go up and down: more points than four for each are not seen
_LABEL_GAP: Final = 40  # units that a label of the horizontal axis takes
_STEPS: Final = (1, 2, 2.5, 5, 10)
_CLOCK_STEPS_S: Final = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Axis:
    """A range with its labelled values, and what an amount on it reads as."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: float) -> float:
        """Return where `value` is, 0 at the low end and 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def amounts_axis(values: Iterable[float], text: Callable[[float, float], str], *, has_zero: bool = True) -> Axis:
    """Return an axis from at most the lowest to at least the highest of `values`, at round numbers.

    Args:
        text: of a tick and the step between ticks.
        has_zero: whether zero is on it whatever the values are.
    """
    found = [*values, *([0.0] if has_zero else [])] or [0.0]
    low, high = min(found), max(found)
    if high - low <= 1e-12 * max(1.0, abs(low), abs(high)):
        low, high = low - (abs(low) * 0.001 or 1), high + (abs(high) * 0.001 or 1)
    raw = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(one * unit for one in _STEPS if one * unit >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple((number * step, text(number * step, step)) for number in range(first, last + 1))
    return Axis(first * step, last * step, ticks)


def clock_axis(first_ms: float, last_ms: float) -> Axis:
    """Return an axis of the time of day, UTC, that holds both ends."""
    span_s = max(1.0, (last_ms - first_ms) / 1_000)
    step_s = next((one for one in _CLOCK_STEPS_S if span_s / one <= 5), _CLOCK_STEPS_S[-1])
    start = math.ceil(first_ms / 1_000 / step_s)
    stop = math.floor((first_ms / 1_000 + span_s) / step_s)
    ticks = tuple((number * step_s * 1_000.0, _clock(number * step_s, step_s)) for number in range(start, stop + 1))
    return Axis(first_ms, first_ms + span_s * 1_000, ticks)


def names_axis(names: Sequence[str]) -> Axis:
    """Return an axis of names at 0, 1, 2, ...; some are left without a label where there is no room for all."""
    every = max(1, math.ceil(len(names) * _LABEL_GAP / (_WIDTH - _LEFT - _RIGHT)))
    ticks = tuple((float(index), name if index % every == 0 else "") for index, name in enumerate(names))
    return Axis(-0.5, max(1, len(names)) - 0.5, ticks)


class Plot:
    """One chart; what is drawn last lies on top."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x, self._y = x, y
        self._parts: list[Html] = [*self._grid(), *self._names()]

    def steps(self, points: Sequence[Point], kind: str, *, is_filled: bool = False) -> None:
        """Draw what stays as it is until the next point; `points` in the order of time."""
        if not points:
            return
        path = [f"M{self._left(points[0][0])} {self._top(points[0][1])}"]
        at: tuple[str, str] | None = None
        for x, y in thinned(points, self._x.low, self._x.high):
            now = self._left(x), self._top(y)
            if at is None or now[0] != at[0]:
                path.append(f"H{now[0]}")
            if at is None or now[1] != at[1]:
                path.append(f"V{now[1]}")
            at = now
        line = "".join(path)
        if is_filled:
            floor = self._top(min(max(0.0, self._y.low), self._y.high))
            area = f"{line}V{floor}H{self._left(points[0][0])}Z"
            self._parts.append(element("path", d=area, class_=f"area {kind}"))
        self._parts.append(element("path", d=line, class_=f"line {kind}"))

    def bars(self, values: Iterable[Point], kind: str, width: float = 0.7) -> None:
        """Draw bars from zero, `width` in units of the axis."""
        for x, value in values:
            top, bottom = self._y_of(max(value, 0.0)), self._y_of(min(value, 0.0))
            left, right = self._x_of(x - width / 2), self._x_of(x + width / 2)
            size = {"width": _number(right - left), "height": _number(max(bottom - top, 0.6))}
            self._parts.append(element("rect", x=_number(left), y=_number(top), class_=f"bar {kind}", **size))

    def whiskers(self, rows: Iterable[tuple[float, float, float]], kind: str) -> None:
        """Draw from a low to a high value at each place."""
        for x, low, high in rows:
            left, bottom, top = self._x_of(x), self._y_of(low), self._y_of(high)
            ends = f"M{_number(left - 4)} {_number(top)}h8m-4 0V{_number(bottom)}m-4 0h8"
            self._parts.append(element("path", d=ends, class_=f"line {kind}"))

    def marks(self, points: Iterable[Point], kind: str, shape: str = "dot") -> None:
        """Draw a mark at each point: `dot`, `up` or `down`."""
        path = "".join(f"M{self._left(x)} {self._top(y)}{_SHAPES[shape]}" for x, y in points)
        if path:
            self._parts.append(element("path", d=path, class_=f"mark {kind}"))

    def svg(self, label: str) -> Html:
        """Return the chart; `label` says in words what it shows."""
        box = f"0 0 {_WIDTH} {_HEIGHT}"
        return element("svg", *self._parts, viewBox=box, role="img", aria_label=label)

    def _grid(self) -> Iterable[Html]:
        for value, text in self._y.ticks:
            top = self._top(value)
            kind = "axis" if value == 0 else "grid"
            yield element("path", d=f"M{_LEFT} {top}H{_WIDTH - _RIGHT}", class_=kind)
            yield element("text", text, x=_LEFT - 5, y=_number(self._y_of(value) + 3.5), class_="end")

    def _names(self) -> Iterable[Html]:
        for value, text in self._x.ticks:
            if text:
                yield element("text", text, x=self._left(value), y=_HEIGHT - 7, class_="middle")

    def _x_of(self, value: float) -> float:
        return _LEFT + self._x.share(value) * (_WIDTH - _LEFT - _RIGHT)

    def _y_of(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - self._y.share(value) * (_HEIGHT - _TOP - _BOTTOM)

    def _left(self, value: float) -> str:
        return _number(self._x_of(value))

    def _top(self, value: float) -> str:
        return _number(self._y_of(value))


_SHAPES: Final = {
    "dot": "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
    "up": "m0-3.2l3 5.4h-6z",
    "down": "m0 3.2l3-5.4h-6z",
}


def thinned(points: Sequence[Point], low: float, high: float) -> Sequence[Point]:
    """Return those `points` that make the drawn line: of each pixel's the first, the lowest, the highest and the last.

    So no peak and no trough goes missing, however many points there are.
    """
    if len(points) <= 4 * _COLUMNS:
        return points
    width = (high - low) / _COLUMNS
    columns: dict[int, list[int]] = {}
    for index, (x, y) in enumerate(points):
        kept = columns.setdefault(int((x - low) / width), [index] * 4)
        if y < points[kept[1]][1]:
            kept[1] = index
        if y > points[kept[2]][1]:
            kept[2] = index
        kept[3] = index
    return [points[index] for column in sorted(columns) for index in sorted(set(columns[column]))]


def bounds(points: Sequence[Point]) -> tuple[float, float]:
    """Return the lowest and the highest value; zeros without points."""
    values = [y for _, y in points] or [0.0]
    return min(values), max(values)


def falls(points: Sequence[Point]) -> list[Point]:
    """Return how far each value is below the highest one until then."""
    peak, found = -math.inf, []
    for x, y in points:
        peak = max(peak, y)
        found.append((x, y - peak))
    return found


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _clock(at_s: int, step_s: int) -> str:
    second = at_s % 86_400
    text = f"{second // 3_600:02d}:{second // 60 % 60:02d}"
    return text if step_s >= 60 else f"{text}:{second % 60:02d}"
