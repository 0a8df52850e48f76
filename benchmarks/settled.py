"""Waits until all instances of a cluster are there and its replicas stream: a child of `benchmarks.fence`.

python -m benchmarks.settled NAMESPACE CLUSTER edb|cnpg
"""

import sys

from benchmarks.ownpart import named
from kanfunc.gateways.console import Console, LogFormat
from kanfunc.process import real_world

SECONDS = 300


def main() -> None:
    ref = named(*sys.argv[1:])
    ports = real_world(Console("settled", LogFormat.JSON))
    world = ports.api.world(ref)
    primary = world.cluster.current_primary
    for instance in world.instances:
        if instance.name != primary and not ports.shell.await_streaming(
            ref, primary, instance.name, SECONDS, caught_up=True
        ):
            sys.exit(f"{instance.name} does not stream")


if __name__ == "__main__":
    main()
