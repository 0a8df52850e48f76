"""All benchmarks, one table and one picture.

    python -m benchmarks [--quick] [--write]

--quick: only what does not depend on how busy the machine is; exit 1 where an aim is missed.
--write: the table into docs/performance.md, and the picture beside it.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.measure import Figure

BENCHMARKS = ("fence", "requests", "startup", "fleet", "watchdog", "verification", "image")
DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "performance.md", DOCS / "images" / "performance.svg"
BEGIN, END = "<!-- begin: make bench -->\n", "<!-- end: make bench -->"

Measured = tuple[str, Figure]


def measured(names: Sequence[str], *, quick: bool) -> Iterator[Measured]:
    for name in names:
        print(f"== {name}", file=sys.stderr, flush=True)
        for figure in import_module(f"benchmarks.{name}").figures(quick=quick):
            yield name, figure


def table(rows: Sequence[Measured]) -> str:
    lines = ["| | measured | aim | |", "|---|---|---|---|"]
    for name, group in groupby(rows, key=lambda row: row[0]):
        lines.append(f"| **{name}** | | | |")
        lines += [_line(figure) for _, figure in group]
    return "\n".join(lines) + "\n"


def _line(figure: Figure) -> str:
    aim = "" if figure.aim is None else f"≤ {figure.aim:g}"
    verdict = "" if figure.aim is None else "met" if figure.met else "**missed**"
    note = verdict if figure.met else f"{verdict}; {figure.bound}"
    return f"| {figure.name} | {figure.shown} | {aim} | {note} |"


def picture(rows: Sequence[Measured]) -> str:
    """Each figure with an aim, as a share of that aim."""
    bars = [(figure, figure.value / figure.aim) for _, figure in rows if figure.aim]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("picture.svg.j2").render(bars=bars) + "\n"


def write(rows: Sequence[Measured]) -> None:
    page = PAGE.read_text()
    pattern = re.escape(BEGIN) + ".*" + re.escape(END)
    PAGE.write_text(re.sub(pattern, lambda _: BEGIN + "\n" + table(rows) + "\n" + END, page, flags=re.DOTALL))
    PICTURE.write_text(picture(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="BENCHMARK", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    rows = list(measured(chosen.names or BENCHMARKS, quick=chosen.quick))
    print(table(rows))
    if chosen.write:
        write(rows)
    if chosen.quick and not all(figure.met for _, figure in rows):
        sys.exit("an aim is missed")


if __name__ == "__main__":
    main()
