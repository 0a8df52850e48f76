"""doctor: tells in the evening what the morning would show."""

from typing import Annotated

import typer

from kanfunc.cli.selecting import select_refs
from kanfunc.domain.codec import encode
from kanfunc.domain.diagnosis import Examination, Grade
from kanfunc.domain.errors import Unproven, worst
from kanfunc.operations.doctor import examine
from kanfunc.options import Clusters, Flavours, Format, Namespace, OutputFormat
from kanfunc.process import real_world, surveyor


def doctor_command(
    context: typer.Context,
    namespace: Namespace,
    cluster: Clusters = None,
    flavour: Flavours = None,
    output_format: OutputFormat = Format.TEXT,
    kasten_namespace: Annotated[
        str, typer.Option(envvar="KANFUNC_KASTEN_NAMESPACE", help="Namespace that Kasten runs in.")
    ] = "kasten-io",
) -> None:
    """Would a backup now be proven? Reads only.

    Exit 0: a policy's run now would be proven, as far as anybody can see before it. Exit 2: it would not, or
    something without which nobody can say so could not be read. What was not checked is shown as not checked.
    """
    ports = real_world(context.obj)
    refs = select_refs(ports, namespace, cluster, flavour)
    examinations, failures = examine(refs, kasten_namespace, ports, surveyor())
    if output_format is Format.JSON:
        context.obj.say(encode(examinations))
    elif examinations:
        context.obj.say("\n\n".join(each.text() for each in examinations))
    if unproven := [each for each in examinations if not each.would_be_proven]:
        failures.append(_unproven(unproven))
    if failures:
        raise worst(failures)


def _unproven(examinations: list[Examination]) -> Unproven:
    reasons = [
        f"{each.namespace}/{each.cluster}: {check.check}: {check.found}"
        for each in examinations
        for check in each.diagnoses
        if check.speaks_against
    ]
    return Unproven(
        "a backup now would not be proven: " + "; ".join(reasons),
        expected=f"every check {Grade.GOOD}, or a {Grade.WARNING}",
        left="everything: doctor changes nothing",
        remedy="see what each check says to do next",
    )
