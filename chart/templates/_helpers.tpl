{{/* Labels of every object. Argument: the root. */}}
{{- define "edb-kasten.labels" -}}
app.kubernetes.io/name: edb-kasten
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name of an object of the release: the release's name and what it is for. */}}
{{- define "edb-kasten.name" -}}
{{- $release := .root.Release.Name | trunc 36 | trimSuffix "-" -}}
{{- if contains "edb-kasten" $release }}{{ $release }}{{ else }}{{ $release }}-edb-kasten{{ end }}-{{ .part }}
{{- end }}

{{- define "edb-kasten.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository is not set: there is no public image of kanfunc yet. Build it with `docker build -t REGISTRY/kanfunc:TAG .`, push it, and set image.repository=REGISTRY/kanfunc and image.tag=TAG" $image.repository -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Security context of every pod: restricted, and no fixed user, so that any platform may choose one. */}}
{{- define "edb-kasten.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "edb-kasten.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "edb-kasten.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* API group of a flavour. */}}
{{- define "edb-kasten.group" -}}
{{- if eq . "edb" }}postgresql.k8s.enterprisedb.io{{ else }}postgresql.cnpg.io{{ end }}
{{- end }}

{{/* Bindings of a ClusterRole. Arguments: root, part, namespace of the ServiceAccount. */}}
{{- define "edb-kasten.bindings" -}}
{{- $root := .root }}{{ $part := .part }}{{ $namespace := .namespace }}
{{- $name := include "edb-kasten.name" (dict "root" $root "part" $part) }}
{{- if eq $root.Values.rbac.scope "cluster" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "edb-kasten.labels" $root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ $namespace }}}
{{- else }}
{{- range $root.Values.rbac.namespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ . }}
  labels: {{- include "edb-kasten.labels" $root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ $namespace }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Arguments that name the scope of long-running commands, as YAML list items. */}}
{{- define "edb-kasten.scope" -}}
{{- range .Values.flavours }}
- --flavour={{ . }}
{{- end }}
{{- if eq .Values.rbac.scope "namespaces" }}
{{- range .Values.rbac.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Distinct namespaces of a list of entries, as JSON. */}}
{{- define "edb-kasten.namespaces" -}}
{{- $found := list }}
{{- range . }}{{ $found = append $found .namespace }}{{ end }}
{{- $found | uniq | toJson }}
{{- end }}

{{/* Spec of a Job that verifies. Arguments: root, entry of .Values.verifications, account. */}}
{{- define "edb-kasten.verificationJob" -}}
backoffLimit: 0
ttlSecondsAfterFinished: 604800
template:
  metadata:
    labels: {{- include "edb-kasten.labels" .root | nindent 6 }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ .account }}
    automountServiceAccountToken: true
    {{- with include "edb-kasten.pullSecrets" .root | trim }}{{ . | nindent 4 }}{{ end }}
    securityContext: {{- include "edb-kasten.podSecurity" .root | nindent 6 }}
    containers:
      - name: verify
        image: {{ include "edb-kasten.image" .root }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command:
          - kanfunc
          - verify-restore
          - --namespace={{ .entry.namespace }}
          {{- range .entry.clusters }}
          - --cluster={{ . }}
          {{- end }}
          {{- range .root.Values.flavours }}
          - --flavour={{ . }}
          {{- end }}
          {{- if .entry.waitReplicas }}
          - --wait-replicas
          {{- end }}
          {{- with .entry.depth }}
          - --depth={{ . }}
          {{- end }}
          {{- with .entry.structure }}
          {{- with .jobs }}
          - --jobs={{ . }}
          {{- end }}
          {{- with .timeout }}
          - --structure-timeout={{ . }}
          {{- end }}
          {{- if .installAmcheck }}
          - --install-amcheck
          {{- end }}
          {{- end }}
          {{- with .entry.content }}
          - --checks=/checks/checks.yaml
          - --credentials=/credentials
          {{- end }}
          {{- if .entry.reportClaim }}
          - --report=/reports
          {{- end }}
          - --primary-timeout={{ .root.Values.timeouts.primary }}
          - --stream-timeout={{ .root.Values.timeouts.stream }}
        securityContext: {{- include "edb-kasten.containerSecurity" .root | nindent 10 }}
        resources: {{- toYaml .root.Values.hooks.resources | nindent 10 }}
        {{- if or .entry.content .entry.reportClaim }}
        volumeMounts:
          {{- if .entry.content }}
          - {name: checks, mountPath: /checks, readOnly: true}
          - {name: credentials, mountPath: /credentials, readOnly: true}
          - {name: private, mountPath: /tmp}
          {{- end }}
          {{- if .entry.reportClaim }}
          - {name: reports, mountPath: /reports}
          {{- end }}
        {{- end }}
    {{- if or .entry.content .entry.reportClaim }}
    volumes:
      {{- with .entry.content }}
      - name: checks
        configMap: {name: {{ .checks }}, items: [{key: checks.yaml, path: checks.yaml}]}
      # the kubelet mounts these: the account may read no Secret
      - name: credentials
        projected:
          sources:
            - secret: {name: {{ .authoritySecret }}, items: [{key: ca.crt, path: ca.crt}]}
            {{- range $user := .users }}
            {{- with $user.passwordSecret }}
            - secret: {name: {{ . }}, items: [{key: password, path: {{ $user.name }}/password}]}
            # addresses in it that still name the namespace of the source are warned of
            - secret:
                name: {{ . }}
                optional: true
                items:
                  {{- range list "uri" "jdbc-uri" "fqdn-uri" "fqdn-jdbc-uri" }}
                  - {key: {{ . }}, path: {{ $user.name }}/{{ . }}}
                  {{- end }}
            {{- end }}
            {{- with $user.certificateSecret }}
            - secret:
                name: {{ . }}
                items:
                  - {key: tls.crt, path: {{ $user.name }}/tls.crt}
                  - {key: tls.key, path: {{ $user.name }}/tls.key}
            {{- end }}
            {{- end }}
      # for a copy of the key that only we can read, as libpq demands
      - name: private
        emptyDir: {medium: Memory, sizeLimit: 1Mi}
      {{- end }}
      {{- with .entry.reportClaim }}
      - name: reports
        persistentVolumeClaim: {claimName: {{ . }}}
      {{- end }}
    {{- end }}
{{- end }}

{{/* Where an alert's page is. Arguments: the values of the rules, the alert's name. */}}
{{- define "edb-kasten.runbook" -}}
{{ (index . 0).runbooks | default "docs/runbooks" | trimSuffix "/" }}/{{ index . 1 }}.md
{{- end }}
