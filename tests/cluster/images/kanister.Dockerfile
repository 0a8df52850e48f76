FROM scratch
COPY kanister /controller
WORKDIR /tmp
USER 1000:1000
ENTRYPOINT ["/controller"]
