# docker build --build-arg VERSION=$(git describe --tags --always) -t parley .
# docker run -d --name parley -p 127.0.0.1:18789:18789 -v parley:/state --stop-timeout 30 parley
# The token that the first start makes: docker run --rm -v parley:/state busybox cat /state/token
FROM golang:1.26 AS build
ARG VERSION=docker
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Time zones are built in: there is no file of them in an empty image.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/parley ./cmd/parley \
	&& install -d -m 0700 -o 65532 -g 65532 /out/state

FROM scratch
# Model servers are reached by HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/parley /parley
COPY --from=build --chown=65532:65532 /out/state /state
USER 65532:65532
VOLUME /state
EXPOSE 18789
ENV HOME=/state
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/parley", "call", "health", "--state-dir", "/state"]
ENTRYPOINT ["/parley"]
CMD ["serve", "--state-dir", "/state", "--bind", "lan", "--log-format", "json"]
