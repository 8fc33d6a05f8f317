# syntax=docker/dockerfile:1
# A service: build, test, and a small image.
ARG BASE=busybox
ARG VERSION="1.0" DEBUG
FROM --platform=$BUILDPLATFORM ${BASE}:latest AS build
WORKDIR /src
COPY --chown=1:2 --exclude=*.md . .
RUN --mount=type=cache,target=/root/.cache --mount=target=/ctx,ro \
    # comments may stand between
    make -j"$(nproc)" \
      V=1 \

    && make install
RUN <<-EOF
	set -e
	  echo "two tabs gone, two spaces stay"
	EOF

FROM scratch
LABEL org.example.name="service" \
      org.example.version=$VERSION
ENV PATH=/bin HOME=/ \
    GREETING="hello world" QUOTED='$not'
COPY --from=build --link /out/ /
COPY <<conf <<"raw" /etc/service/
name=${GREETING}
conf
name=${GREETING}
raw
EXPOSE 80 443/tcp 53/udp
VOLUME ["/data", "/log dir"]
HEALTHCHECK --interval=5s --timeout=1s --retries=3 CMD ["/bin/check", "-q"]
ONBUILD COPY . /app
STOPSIGNAL SIGTERM
USER 1000:1000
ENTRYPOINT ["/bin/service"]
CMD ["--config", "/etc/service/conf"]
