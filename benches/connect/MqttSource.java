// A stand-in for an MQTT source connector, of which there is none on Maven Central: one MQTT client
// at QoS 1, one record a message, the topic as its key and the payload as its value: its bytes, or
// the struct that its JSON is.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;
import org.eclipse.paho.client.mqttv3.IMqttMessageListener;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

public final class MqttSource extends SourceConnector {
    private Map<String, String> config;

    @Override public void start(Map<String, String> config) { this.config = config; }
    @Override public void stop() { }
    @Override public String version() { return "1"; }
    @Override public Class<? extends Task> taskClass() { return Reader.class; }
    @Override public List<Map<String, String>> taskConfigs(int most) {
        return List.of(new HashMap<>(config));
    }
    @Override public ConfigDef config() {
        ConfigDef.Importance high = ConfigDef.Importance.HIGH;
        return new ConfigDef()
            .define("mqtt.uri", ConfigDef.Type.STRING, high, "where the broker is")
            .define("mqtt.topics", ConfigDef.Type.STRING, high, "the topic filter")
            .define("kafka.topic", ConfigDef.Type.STRING, high, "where records go")
            .define("json", ConfigDef.Type.BOOLEAN, false, high, "whether payloads are JSON");
    }

    public static final class Reader extends SourceTask {
        private static final int BATCH = 2000;
        // A full queue holds the client up, which then acknowledges nothing.
        private final ArrayBlockingQueue<SourceRecord> queue = new ArrayBlockingQueue<>(20000);
        private final ObjectMapper mapper = new ObjectMapper();
        private MqttClient client;
        // That of the last struct, which the next one mostly has too.
        private Schema schema;

        @Override public String version() { return "1"; }

        @Override public void start(Map<String, String> config) {
            String kafkaTopic = config.get("kafka.topic");
            boolean json = Boolean.parseBoolean(config.get("json"));
            MqttConnectOptions options = new MqttConnectOptions();
            options.setMaxInflight(65535);
            try {
                client = new MqttClient(
                    config.get("mqtt.uri"), "connect", new MemoryPersistence());
                client.connect(options);
                IMqttMessageListener listener = (topic, message) ->
                    queue.put(record(kafkaTopic, topic, message.getPayload(), json));
                client.subscribe(config.get("mqtt.topics"), 1, listener);
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }

        private SourceRecord record(String kafkaTopic, String topic, byte[] payload, boolean json)
            throws IOException {
            Struct struct = json ? struct(mapper.readTree(payload)) : null;
            return new SourceRecord(
                Map.of(), Map.of(), kafkaTopic, null, Schema.STRING_SCHEMA, topic,
                json ? struct.schema() : Schema.BYTES_SCHEMA, json ? struct : payload);
        }

        private Struct struct(JsonNode object) {
            if (schema == null || !fits(object)) {
                SchemaBuilder builder = SchemaBuilder.struct().name("reading");
                object.properties().forEach(
                    entry -> builder.field(entry.getKey(), scalar(entry.getValue())));
                schema = builder.build();
            }
            Struct struct = new Struct(schema);
            for (Field field : schema.fields()) {
                JsonNode value = object.get(field.name());
                struct.put(field, switch (field.schema().type()) {
                    case INT64 -> value.longValue();
                    case FLOAT64 -> value.doubleValue();
                    case BOOLEAN -> value.booleanValue();
                    default -> value.textValue();
                });
            }
            return struct;
        }

        private boolean fits(JsonNode object) {
            if (object.size() != schema.fields().size()) {
                return false;
            }
            for (Field field : schema.fields()) {
                JsonNode value = object.get(field.name());
                if (value == null || scalar(value) != field.schema()) {
                    return false;
                }
            }
            return true;
        }

        private static Schema scalar(JsonNode value) {
            if (value.isIntegralNumber()) {
                return Schema.OPTIONAL_INT64_SCHEMA;
            }
            if (value.isNumber()) {
                return Schema.OPTIONAL_FLOAT64_SCHEMA;
            }
            return value.isBoolean() ? Schema.OPTIONAL_BOOLEAN_SCHEMA
                : Schema.OPTIONAL_STRING_SCHEMA;
        }

        @Override public List<SourceRecord> poll() throws InterruptedException {
            SourceRecord first = queue.poll(100, TimeUnit.MILLISECONDS);
            if (first == null) {
                return null;
            }
            List<SourceRecord> records = new ArrayList<>(BATCH);
            records.add(first);
            queue.drainTo(records, BATCH - 1);
            return records;
        }

        @Override public void stop() {
            try {
                client.disconnect();
                client.close();
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }
    }
}
