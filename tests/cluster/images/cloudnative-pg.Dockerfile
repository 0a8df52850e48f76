# The layout of CloudNativePG's own image: instances copy the operator's program from here.
FROM scratch
COPY manager /operator/manager_amd64
COPY manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
