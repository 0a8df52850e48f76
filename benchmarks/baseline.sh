#!/usr/bin/env bash
# A hook script of the usual kind, beside which `fence` and `unfence` are measured. It proves less: that one instance
# is down and was shut down somehow, and later that its pod is ready. Not who lifted or placed the fence meanwhile, not
# that it holds what was committed, not that it streams; nothing is marked, flushed, taken back or given a deadline.
#
#   baseline.sh fence|unfence NAMESPACE CLUSTER edb|cnpg
#
# Needs bash, kubectl, jq. One call at a time; looks every 2 s, for 5 minutes at most.
set -euo pipefail
verb=$1 namespace=$2 cluster=$3 flavour=$4
case $flavour in
  edb) resource=clusters.postgresql.k8s.enterprisedb.io prefix=k8s.enterprisedb.io ;;
  cnpg) resource=clusters.postgresql.cnpg.io prefix=cnpg.io ;;
  *) echo "unknown flavour $flavour" >&2; exit 3 ;;
esac
addon=kasten-enterprisedb.io

k() { kubectl --namespace "$namespace" "$@"; }

pod=$(k get pods -l "$prefix/cluster=$cluster,$addon/hasHooks=true" -o json | jq -er '.items[0].metadata.name')

ready() { k get pod "$pod" -o json | jq -r '.status.conditions[]? | select(.type == "Ready").status'; }

stopped() {
  [ "$(ready)" != True ] || return 1
  k exec "$pod" -c postgres -- pg_controldata | grep -q 'cluster state: *shut down'
}

started() { [ "$(ready)" = True ]; }

hook() {
  local argv
  mapfile -t argv < <(k get pod "$pod" -o json | jq -er ".metadata.annotations[\"$addon/$1-backup-command\"] | fromjson[]")
  k exec "$pod" -c postgres -- "${argv[@]}"
}

await() {
  local end=$((SECONDS + 300))
  until "$1"; do
    [ $SECONDS -lt $end ] || { echo "$pod: not $1 after 5 minutes" >&2; exit 1; }
    sleep 2
  done
}

case $verb-$flavour in
  fence-edb) hook pre ;;
  fence-cnpg) k annotate "$resource" "$cluster" "$prefix/fencedInstances=[\"$pod\"]" ;;
  unfence-edb) hook post ;;
  unfence-cnpg) k annotate "$resource" "$cluster" "$prefix/fencedInstances-" ;;
esac
case $verb in
  fence) await stopped ;;
  unfence) await started ;;
esac
