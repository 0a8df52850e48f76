"""The command line of `report`: show a report that was kept, and see whether it is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from kanfunc import __version__
from kanfunc.domain.codec import Malformed
from kanfunc.domain.errors import Refused, Unproven
from kanfunc.domain.report import Report, faults, read_report
from kanfunc.process import as_html, embedded


def report_command(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            envvar="KANFUNC_FILE",
            help="A report of verify-restore, JSON or HTML.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
) -> None:
    """Show a report, and compute its hashes anew.

    Exit 2: it is not as it was written. An intact report of a bad restore is shown with exit 0: its first
    line says so. The hash tells accidents only; compare it with the one in the log of the run.
    """
    report, changed = _read(file)
    context.obj.say(report.text())
    context.obj.say(f"  SHA-256 {report.sha256}")
    if changed:
        raise Unproven(
            f"{file} is not as it was written: {'; '.join(changed)}",
            expected="the hashes that it names",
            left="the file",
            remedy="take another copy, and trust nothing that this one says",
        )


def _read(file: Path) -> tuple[Report, list[str]]:
    try:
        whole = file.read_text(encoding="utf-8")
        page = whole.lstrip().startswith("<")
        text = embedded(whole) if page else whole
        report = read_report(text)
        changed = faults(report, text)
    except (Malformed, OSError, UnicodeError) as error:
        raise Refused(
            f"{file} cannot be read as a report: {error}",
            expected="a file that verify-restore --report wrote, JSON or HTML",
            remedy="name such a file",
        ) from error
    if page and report.kanfunc == __version__ and as_html(report) != whole:
        changed.append("the page does not show what is embedded in it")
    return report, changed
