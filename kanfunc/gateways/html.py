"""A report as one file of HTML that needs nothing else: no network, no script, no font."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kanfunc.domain.codec import Malformed, encode
from kanfunc.domain.drawing import Proof, proof_of, span, stations
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.report import LOOKS_AT, Report

_SIGNS = {
    Status.PASSED: ("passed", "✓ passed"),
    Status.FAILED: ("failed", "✗ failed"),
    Status.NOT_CHECKED: ("open", "○ not checked"),
    Status.WARNING: ("warning", "⚠ warning"),
}
_EMBEDDED = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)


def render(report: Report) -> str:
    """The page. Every word of a cluster or a query is escaped."""
    environment = Environment(
        loader=PackageLoader("kanfunc.gateways"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
    )
    environment.filters["utc"] = _utc
    environment.globals["rows"] = lambda findings: _rows(environment, findings)
    proof = proof_of(report)
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict=f"Proven: {report.depth}" if report.proven else "Not proven",
        spoiled=[finding for finding in report.findings if finding.spoils],
        warnings=[finding for finding in report.findings if finding.status is Status.WARNING],
        looks_at=LOOKS_AT,
        times={each.tier: span(timedelta(seconds=each.seconds)) for each in report.times},
        stations=stations(report),
        proof=proof,
        proof_told=_told(proof) if proof else "",
        embedded=_embedded(report),
    )


def extract(page: str) -> str:
    """The report's JSON in a page that `render` made; raises Malformed."""
    found = _EMBEDDED.search(page)
    if not found:
        raise Malformed("no report is in this page")
    return found[1]


def _embedded(report: Report) -> Markup:
    """JSON in which nothing can end the element it stands in."""
    text = encode(report)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped for this place above


def _rows(environment: Environment, findings: Sequence[Finding]) -> Markup:
    return Markup(environment.get_template("rows.html.j2").render(findings=findings, signs=_SIGNS))  # noqa: S704


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _told(proof: Proof) -> str:
    fenced = f"The log of the fenced instance ended at {proof.fenced_end.at}"
    bound = f"All that was committed when the fence began lies before {proof.bound.at} (bound)"
    if proof.restored_end is None:
        return f"{fenced}; the restored database has no timeline that begins there. {bound}."
    if proof.meets:
        return f"{fenced}; the restored database went on at exactly this byte. {bound}."
    more = f"{abs(proof.difference)} bytes {'more' if proof.difference > 0 else 'less'}"
    return f"{fenced}; the restored database went on at {proof.restored_end.at}, with {more}."
