# Midge in place of eclipse-mosquitto: the same paths, user id and commands.
#   docker build -t midge .
#   docker run -p 1883:1883 -v "$PWD/mosquitto.conf:/mosquitto/config/mosquitto.conf" midge
#   docker run -p 1883:1883 midge mosquitto -c /mosquitto-no-auth.conf
# And in place of aiproshar's connector, with its own variables: a client of the MQTT broker that
# has the port, or that broker itself (docs/connectors/topic-lists-source.md).
#   docker run --net=host -e MQTT_BROKER_URL=127.0.0.1 -e TOPIC_LIST=a:b -e KAFKA_BROKER=k:9092 midge
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# Line tables are for profilers; names stay, so that a backtrace can be read.
RUN cargo build --locked --release -p midge \
    && install -D target/release/midge /out/midge \
    && strip --strip-debug /out/midge

FROM debian:bookworm-slim
RUN groupadd --gid 1883 mosquitto \
    && useradd --uid 1883 --gid 1883 --no-create-home --home-dir /mosquitto \
        --shell /usr/sbin/nologin mosquitto \
    && install -d -o mosquitto -g mosquitto \
        /mosquitto /mosquitto/config /mosquitto/data /mosquitto/log \
    && ln -s /usr/local/bin/midge /usr/sbin/mosquitto
# Public authorities, for Kafka clusters and token endpoints with public certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/midge /usr/local/bin/midge
COPY deploy/mosquitto_passwd /usr/bin/mosquitto_passwd
COPY deploy/mosquitto-no-auth.conf /mosquitto-no-auth.conf
COPY --chown=mosquitto:mosquitto deploy/mosquitto.conf /mosquitto/config/mosquitto.conf
USER 1883:1883
VOLUME ["/mosquitto/config", "/mosquitto/data", "/mosquitto/log"]
EXPOSE 1883 8883
# No entrypoint: the first word is the program, so `midge ...` and `mosquitto ...` both work.
# Asks a plain listener of that file, or one with TLS when there is no other; a connector's variables
# in the environment make it ask the broker that they name.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["midge", "health", "-c", "/mosquitto/config/mosquitto.conf"]
CMD ["midge", "-c", "/mosquitto/config/mosquitto.conf"]
